package provider

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// builder compiles the rules for events of one type. Without a type, it compiles
// them for all types that are unknown until an event comes.
type builder struct {
	eventType string
	scope     *scope
	data      object

	// canBeUnknown reports whether a pattern can match an unknown type; nil means
	// that any can.
	canBeUnknown func(envelope.TypePattern) bool
}

// reservedField is the member of `data` that holds the provider's event.
const reservedField = "original"

// add adds rules, and those of the conditions inside.
func (b *builder) add(rules Rules, guards []guard, depth int) error {
	for _, f := range rules.Fields {
		compiled, err := compileField(f, b.scope)
		if err != nil {
			return err
		}
		if f.Required {
			return fmt.Errorf(`field %s: "required" works only in a list`, f.Name)
		}
		if err = checkDepth(f, depthOfData, envelope.MaxDepth); err != nil {
			return err
		}
		m, err := b.data.member(f.Name)
		if err != nil {
			return err
		}
		if m.object != nil || m.lists != nil {
			return fmt.Errorf("field %s is already an object or a list; use another name", f.Name)
		}
		compiled.guards, compiled.depth = guards, depth
		m.fields = append(m.fields, compiled)
	}
	for _, l := range rules.Lists {
		compiled, err := compileList(l, b.scope)
		if err != nil {
			return err
		}
		m, err := b.data.member(l.Name)
		if err != nil {
			return err
		}
		if m.object != nil || m.fields != nil {
			return fmt.Errorf("%s is already an object or a field; use another name", l)
		}
		compiled.guards = guards
		m.lists = append(m.lists, compiled)
	}
	for _, c := range rules.Conditions {
		if err := b.addCondition(c, guards, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) addCondition(c Condition, guards []guard, depth int) error {
	if (len(c.Types) > 0) == (c.Path != "") {
		return fmt.Errorf(`when: use either event types, or a path, "is" and values`)
	}
	if c.Path == "" {
		return b.addTypeCondition(c, guards, depth)
	}
	if len(c.Values) == 0 {
		return fmt.Errorf("when %s is: a value is required", c.Path)
	}
	slot, err := b.scope.slot(c.Path)
	if err != nil {
		return fmt.Errorf("when: %w", err)
	}
	pairs := make([]Mapping, len(c.Values))
	for i, word := range c.Values {
		pairs[i] = Mapping{From: word, To: word}
	}
	guards = append(slices.Clip(guards), guard{slot: slot, words: newWordMap(pairs), not: c.Not})
	return b.add(c.Rules, guards, depth+1)
}

func (b *builder) addTypeCondition(c Condition, guards []guard, depth int) error {
	if len(c.Values) > 0 || c.Not {
		return fmt.Errorf(`when %s: values work only with a path`, strings.Join(c.Types, " "))
	}
	var types []envelope.TypePattern
	for _, pattern := range c.Types {
		p, err := envelope.ParseTypePattern(pattern)
		if err != nil {
			return fmt.Errorf("when: %w", err)
		}
		types = append(types, p)
	}
	switch {
	case b.eventType == "" && b.canBeUnknown != nil && !slices.ContainsFunc(types, b.canBeUnknown):
		return b.checkOnly(c.Rules)
	case b.eventType == "":
		guards = append(slices.Clip(guards), guard{slot: b.scope.typeSlot(), types: types})
	case !matchesAny(types, b.eventType):
		return b.checkOnly(c.Rules)
	}
	return b.add(c.Rules, guards, depth+1)
}

func matchesAny(types []envelope.TypePattern, eventType string) bool {
	return slices.ContainsFunc(types, func(p envelope.TypePattern) bool { return p.Match(eventType) })
}

// checkOnly returns the error of rules that do not apply to this type.
func (b *builder) checkOnly(rules Rules) error {
	other := builder{eventType: b.eventType, scope: newScope()}
	return other.add(rules, nil, 0)
}

// member returns the member with a dotted name, and creates it if it is missing.
func (o *object) member(name string) (*member, error) {
	if name == reservedField || strings.HasPrefix(name, reservedField+".") {
		return nil, fmt.Errorf(`field %s: "original" is reserved for the provider's own event; use another name`, name)
	}
	for rest := name; ; {
		head, tail, more := strings.Cut(rest, ".")
		if !isName(head) {
			return nil, fmt.Errorf("%q is not the name of a field; use lower-case letters, digits and underscores, with dots between words, such as contact.name", name)
		}
		i := slices.IndexFunc(o.members, func(m *member) bool { return m.name == head })
		if i < 0 {
			i = len(o.members)
			o.members = append(o.members, &member{name: head, label: []byte(`"` + head + `":`)})
		}
		m := o.members[i]
		if !more {
			return m, nil
		}
		if m.fields != nil || m.lists != nil {
			return nil, fmt.Errorf("field %s: %s is already a field or a list; use another name", name, head)
		}
		if m.object == nil {
			m.object = new(object)
		}
		o, rest = m.object, tail
	}
}

// isName reports whether s is one segment of a canonical name.
func isName(s string) bool {
	for i, c := range s {
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != ""
}

func compileField(f Field, s *scope) (field, error) {
	if (f.Always != "") == !f.isZero() {
		return field{}, fmt.Errorf(`field %s: use either paths, a header, or "always" and a text`, f.Name)
	}
	compiled := field{always: f.Always, as: f.As, words: newWordMap(f.Mappings)}
	if f.Always != "" && (f.As != "" || f.Mappings != nil) {
		return field{}, fmt.Errorf(`field %s: "always" takes no "as" and no map`, f.Name)
	}
	if compiled.as == "" {
		compiled.as = asText
	}
	switch compiled.as {
	case asText, asString, asLower, asValue:
	default:
		var err error
		if compiled.time, err = newTimeFormat(f.As); err != nil {
			return field{}, fmt.Errorf("field %s: %w, or for other values text, string, lower or value", f.Name, err)
		}
	}
	if err := checkMappings(f.Mappings); err != nil {
		return field{}, fmt.Errorf("field %s: %w", f.Name, err)
	}
	if (compiled.as == asValue || compiled.time != "") && f.Mappings != nil {
		return field{}, fmt.Errorf(`field %s: a map does not work with "as %s"; remove one of them`, f.Name, f.As)
	}
	var err error
	if compiled.slots, err = s.source(f.Source); err != nil {
		return field{}, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return compiled, nil
}

func compileList(l List, s *scope) (list, error) {
	slot, err := s.slot(l.Path)
	if err != nil {
		return list{}, fmt.Errorf("%s: %w", l, err)
	}
	if len(l.Fields) == 0 {
		return list{}, fmt.Errorf("%s has no field; add one", l)
	}
	compiled := list{slot: slot, members: l.Members, scope: newItemScope(l.Members), object: new(object)}
	for _, f := range l.Fields {
		item, err := compileField(f, compiled.scope)
		if err != nil {
			return list{}, fmt.Errorf("%s: %w", l, err)
		}
		if err = checkDepth(f, l.depth(), l.itemDepth()); err != nil {
			return list{}, fmt.Errorf("%s: %w", l, err)
		}
		m, err := compiled.object.member(f.Name)
		if err != nil {
			return list{}, fmt.Errorf("%s: %w", l, err)
		}
		if m.object != nil {
			return list{}, fmt.Errorf("%s: field %s is already an object; use another name", l, f.Name)
		}
		if f.Required && strings.Contains(f.Name, ".") {
			return list{}, fmt.Errorf("%s: field %s cannot be required: only names without a dot can", l, f.Name)
		}
		m.required = m.required || f.Required
		m.fields = append(m.fields, item)
	}
	return compiled, compiled.scope.root.check()
}

// sort puts the fields of deeper conditions first, and keeps the order of the file
// otherwise.
func (o *object) sort() {
	for _, m := range o.members {
		sort.SliceStable(m.fields, func(i, j int) bool { return m.fields[i].depth > m.fields[j].depth })
		if m.object != nil {
			m.object.sort()
		}
	}
}

// lookup returns the member at a path of names, or nil.
func (o *object) lookup(names ...string) *member {
	for _, m := range o.members {
		if m.name != names[0] {
			continue
		}
		if len(names) == 1 {
			return m
		}
		if m.object != nil {
			return m.object.lookup(names[1:]...)
		}
	}
	return nil
}

// String names the list in errors, as in `list message.attachments`.
func (l List) String() string {
	if l.Members {
		return "members " + l.Name
	}
	return "list " + l.Name
}
