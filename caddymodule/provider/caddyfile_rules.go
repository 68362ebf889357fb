package provider

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// ruleWords returns the words of rules, in a provider and in a `when`. It is a
// function because a `when` can hold another one.
func ruleWords() blocks.Words[*Rules] {
	return blocks.Words[*Rules]{
		{Name: "field", Usage: fieldUsage, Repeats: true, Block: true, Parse: func(r *Rules, line blocks.Line) error {
			return parseField(line, newScope(), &r.Fields)
		}},
		{Name: "list", Usage: listUsage, Repeats: true, Block: true, Parse: (*Rules).parseList},
		{Name: "members", Usage: listUsage, Repeats: true, Block: true, Parse: (*Rules).parseList},
		{Name: "when", Usage: "<type...> | <path> is [not] <word...>", Repeats: true, Block: true, Parse: (*Rules).parseWhen},
	}
}

const (
	fieldUsage = "<name> <path|template...> [as <format>] | <name> header <name> [as <format>] | <name> always <text>"
	listUsage  = "<name> <path>"
)

// parseField parses a field whose paths are in a scope such as s.
func parseField(line blocks.Line, s *scope, to *[]Field) (err error) {
	f := Field{Name: line.Args[0]}
	switch args := line.Args[1:]; {
	case args[0] != "always":
		if args, f.As, err = cutAs(line, args); err != nil {
			return err
		}
		if f.Source, err = parseSource(line, "field "+f.Name, args, s); err != nil {
			return err
		}
	case len(args) == 2:
		f.Always = args[1]
	default:
		return line.Errf(`"field %s always" takes one text; for a member that is called always, write \always`, f.Name)
	}
	if err := parseMappings(line, &f.Mappings, func(Mapping) error { return nil }); err != nil {
		return err
	}
	if _, err := compileField(f, s); err != nil {
		return line.Errf("%v", err)
	}
	if _, err := new(object).member(f.Name); err != nil {
		return line.Errf("%v", err)
	}
	*to = append(*to, f)
	return nil
}

func (r *Rules) parseList(head blocks.Line) error {
	l := List{Name: head.Args[0], Path: head.Args[1], Members: head.Word == "members"}
	if _, err := new(object).member(l.Name); err != nil {
		return head.Errf("%v", err)
	}
	if err := listWords.Parse(head, head.Word+" "+l.Name, &l); err != nil {
		return err
	}
	if _, err := compileList(l, newScope()); err != nil {
		return head.Errf("%v", err)
	}
	r.Lists = append(r.Lists, l)
	return nil
}

// listWords are the words of `list` and `members`.
var listWords = blocks.Words[*List]{
	{Name: "field", Usage: fieldUsage, Repeats: true, Block: true, Parse: func(l *List, line blocks.Line) error {
		return parseField(line, newItemScope(l.Members), &l.Fields)
	}},
	{Name: "require", Usage: "<name...>", Repeats: true, Parse: (*List).parseRequire},
}

func (l *List) parseRequire(line blocks.Line) error {
	for _, name := range line.Args {
		i := slices.IndexFunc(l.Fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			return line.Errf("require: %s has no field %q above this line; add it there", l, name)
		}
		l.Fields[i].Required = true
	}
	return nil
}

// comparisons are what other languages have instead of `is` and `is not`.
var comparisons = []string{"=", "==", "===", "!=", "in", "equals", "not"}

func (r *Rules) parseWhen(head blocks.Line) error {
	var c Condition
	switch args := head.Args; {
	case len(args) >= 3 && args[1] == "is":
		c.Path, c.Values = args[0], args[2:]
		if c.Values[0] == "not" {
			c.Not, c.Values = true, c.Values[1:]
		}
	case len(args) >= 2 && slices.Contains(comparisons, args[1]):
		return head.Errf("when: unexpected %q; write: when %s is <word...>, or when %[2]s is not <word...>", args[1], args[0])
	case !slices.Contains(args, "is"):
		c.Types = args
	default:
		return head.Misused()
	}
	if err := ruleWords().Parse(head, "when", &c.Rules); err != nil {
		return err
	}
	// The conditions inside have been checked, each with its own line.
	shallow := c
	shallow.Conditions = nil
	check := builder{scope: newScope()}
	if err := check.addCondition(shallow, nil, 0); err != nil {
		return head.Errf("%v", err)
	}
	if c.Fields == nil && c.Lists == nil && c.Conditions == nil {
		return head.Errf("when: the block has no rule; add field, list, members or when")
	}
	r.Conditions = append(r.Conditions, c)
	return nil
}
