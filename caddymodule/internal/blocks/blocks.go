// Package blocks parses the blocks of a Caddyfile by tables of their words, so
// that every block refuses an unknown word, a duplicate, a wrong number of
// arguments and a block that does not belong there in the same terms, with the
// line of the word.
//
//	var words = blocks.Words[*Config]{
//		{Name: "secret", Usage: "<secret...>", Parse: parseSecret},
//		{Name: "header", Usage: "<name> <value>", Repeats: true, Parse: parseHeader},
//		{Name: "to", Block: true, Parse: parseTo},
//		blocks.Text("source", "<uri-reference>", func(c *Config) *string { return &c.Source }),
//	}
//
//	func (c *Config) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
//		head := blocks.Read(d)
//		if err := head.CheckArgs("<name>"); err != nil {
//			return err
//		}
//		return words.Parse(head, "config "+head.Args[0], c)
//	}
//
// An error never holds an argument, which may be a secret.
package blocks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Words are the words of one kind of block, in the order in which errors list
// them. Their lines fill in a T.
type Words[T any] []Word[T]

// Word describes the lines of a block that begin with one word.
type Word[T any] struct {
	// Name is the word itself.
	Name string

	// Usage describes the arguments, and says how many there may be: `<name>` and
	// words as they are written count as one argument, `[<size>]` as none or one,
	// `[item <n>]` as none to two, and three dots allow any more, as in
	// `<secret...>`. ` | ` separates alternatives, as in `bearer | header <name>`.
	// Default: no argument.
	Usage string

	// Hint is added to the error about a wrong number of arguments.
	Hint string

	// Repeats allows the word several times in a block.
	Repeats bool

	// Block allows a block after the arguments.
	Block bool

	// Elsewhere makes the word an error, with this text: where it belongs.
	Elsewhere string

	// Parse parses a line whose number of arguments fits Usage. For its errors, it
	// uses the methods of the line.
	Parse func(to T, line Line) error
}

// Text describes a word with one argument, which is not empty. Errors do not
// contain the argument.
func Text[T any](name, usage string, field func(T) *string) Word[T] {
	return Word[T]{Name: name, Usage: usage, Parse: func(to T, line Line) error {
		if line.Args[0] == "" {
			return line.Errf("%q is empty; use: %s", name, form(name, usage))
		}
		*field(to) = line.Args[0]
		return nil
	}}
}

// Parse parses the block of a line. The name is that of the block in errors,
// such as `destination crm`.
func (words Words[T]) Parse(head Line, name string, to T) error {
	seen := make(map[string]bool)
	return head.Each(func(line Line) error {
		i := slices.IndexFunc(words, func(w Word[T]) bool { return w.Name == line.Word })
		if i < 0 {
			return line.Errf("unknown word%s in %s; use %s", printable(line.Word), name, words)
		}
		word := words[i]
		if word.Elsewhere != "" {
			return line.Errf("%s", word.Elsewhere)
		}
		if seen[word.Name] && !word.Repeats {
			return line.Errf("duplicate %q; %s", word.Name, word.remedy())
		}
		seen[word.Name] = true
		if err := word.check(&line); err != nil {
			return err
		}
		return word.Parse(to, line)
	})
}

// check checks how many arguments a line has, and whether it may have a block.
func (w Word[T]) check(line *Line) error {
	line.usage = w.Usage
	if err := line.CheckArgs(w.Usage); err != nil {
		if w.Hint != "" {
			return line.Errf("wrong number of arguments; use: %s; %s", form(w.Name, w.Usage), w.Hint)
		}
		return err
	}
	if !w.Block {
		return line.CheckNoBlock()
	}
	return nil
}

// remedy says what to do about a word that is in a block twice.
func (w Word[T]) remedy() string {
	if strings.Contains(w.Usage, "...") {
		return "list all values on one line"
	}
	return "remove one"
}

// String lists the words.
func (words Words[T]) String() string {
	var names []string
	for _, word := range words {
		if word.Elsewhere == "" {
			names = append(names, word.Name)
		}
	}
	return alternatives(names)
}

// plainWord matches what can be printed of an unknown word: a secret that is on
// a line of its own by mistake looks different.
var plainWord = regexp.MustCompile(`^[A-Za-z_]{1,20}$`)

// printable returns a word with a space before it, or nothing when it may be a
// secret.
func printable(word string) string {
	if !plainWord.MatchString(word) {
		return ""
	}
	return ` "` + word + `"`
}

// Line is one line of a Caddyfile: a word, its arguments, and the block that
// follows them, if there is one.
type Line struct {
	// Word is the first word of the line.
	Word string

	// Args are the arguments after it.
	Args []string

	usage  string // of the word, see Word
	tokens caddyfile.Segment
}

// Read reads the next line and its block.
func Read(d *caddyfile.Dispenser) Line {
	d.Next()
	return current(d)
}

// current reads the line that d has loaded the word of, and its block.
func current(d *caddyfile.Dispenser) Line {
	line := Line{tokens: d.NextSegment()}
	inside := line.Dispenser()
	inside.Next()
	line.Word = inside.Val()
	line.Args = inside.RemainingArgs()
	return line
}

// Each calls do for each line of the block, until one returns an error. It is
// for blocks whose lines begin with any word; others have Words.
func (l Line) Each(do func(Line) error) error {
	d := l.Dispenser()
	d.Next()
	d.RemainingArgs()
	for d.NextBlock(0) {
		if d.Val() == "{" && !d.Token().Quoted() {
			return d.Errf("unexpected {; a block begins on the line of its word")
		}
		if err := do(current(d)); err != nil {
			return err
		}
	}
	return nil
}

// Dispenser returns the line and its block, before the word.
func (l Line) Dispenser() *caddyfile.Dispenser { return caddyfile.NewDispenser(l.tokens) }

// Errf returns an error with the file and the line of the word.
func (l Line) Errf(format string, args ...any) error {
	d := l.Dispenser()
	d.Next()
	return d.Errf(format, args...)
}

// Misused returns an error that shows how to use the word. It is for a line
// whose number of arguments is right, and whose arguments are not.
func (l Line) Misused() error {
	return l.Errf("wrong arguments; use: %s", form(l.Word, l.usage))
}

// CheckArgs refuses a number of arguments that does not fit the usage, which is
// written as in Word.
func (l Line) CheckArgs(usage string) error {
	if fits(usage, len(l.Args)) {
		return nil
	}
	if usage == "" {
		return l.Errf("%q takes no arguments", l.Word)
	}
	return l.Errf("wrong number of arguments; use: %s", form(l.Word, usage))
}

// CheckNoBlock refuses a block after the arguments.
func (l Line) CheckNoBlock() error {
	if len(l.tokens) == 1+len(l.Args) {
		return nil
	}
	return l.Errf("%q takes no block", l.Word)
}
