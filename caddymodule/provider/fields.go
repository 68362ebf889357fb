package provider

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// What to make of a value. Any other word of Field.As is a time.
const (
	asText   = "text"
	asString = "string"
	asLower  = "lower"
	asValue  = "value"
)

// object is a JSON object in `data`, its members in the order in which the
// provider's file names them first.
type object struct {
	members []*member
}

// member is one member of an object: a field, a list or an object.
type member struct {
	name     string
	label    []byte // `"name":`
	required bool
	fields   []field // the first that yields something wins
	lists    []list  // all add to it
	object   *object
}

// field is a compiled Field.
type field struct {
	guards []guard
	depth  int // of the `when` blocks around it
	slots  []int
	always string
	as     string
	time   timeFormat // "" for what is no time
	words  *wordMap
}

// list is a compiled List.
type list struct {
	guards  []guard
	slot    int
	members bool
	scope   *scope
	object  *object
}

// guard is a compiled When that depends on the event.
type guard struct {
	slot  int
	words *wordMap               // for a path
	types []envelope.TypePattern // for the type
}

// builder compiles the rules that hold for events of one type; without one, for
// all types that are not known before an event comes.
type builder struct {
	eventType string
	scope     *scope
	data      object

	// canBeUnknown reports whether a pattern can select a type that is not known;
	// nil for any.
	canBeUnknown func(envelope.TypePattern) bool
}

// reservedField is the member of `data` that holds the provider's event.
const reservedField = "original"

// add adds rules, and the rules of `when` blocks within them.
func (b *builder) add(rules Rules, guards []guard, depth int) error {
	for _, f := range rules.Fields {
		compiled, err := compileField(f, b.scope)
		if err != nil {
			return err
		}
		if f.Required {
			return fmt.Errorf("field %s: required is for the fields of a list", f.Name)
		}
		m, err := b.data.member(f.Name)
		if err != nil {
			return err
		}
		if m.object != nil || m.lists != nil {
			return fmt.Errorf("field %s: it is an object or a list already", f.Name)
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
			return fmt.Errorf("list %s: it is an object or a field already", l.Name)
		}
		compiled.guards = guards
		m.lists = append(m.lists, compiled)
	}
	for _, when := range rules.Conditions {
		if err := b.addWhen(when, guards, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) addWhen(when Condition, guards []guard, depth int) error {
	if (len(when.Types) > 0) == (when.Path != "") {
		return fmt.Errorf("when: either types of events, or a path and what it is")
	}
	if when.Path == "" {
		return b.addWhenType(when, guards, depth)
	}
	if len(when.Values) == 0 {
		return fmt.Errorf("when %s is: no word", when.Path)
	}
	slot, err := b.scope.slot(when.Path)
	if err != nil {
		return fmt.Errorf("when: %w", err)
	}
	pairs := make([]Mapping, len(when.Values))
	for i, word := range when.Values {
		pairs[i] = Mapping{From: word, To: word}
	}
	guards = append(slices.Clip(guards), guard{slot: slot, words: newWordMap(pairs)})
	return b.add(when.Rules, guards, depth+1)
}

func (b *builder) addWhenType(when Condition, guards []guard, depth int) error {
	if len(when.Values) > 0 {
		return fmt.Errorf("when %s: `is` is for a path", strings.Join(when.Types, " "))
	}
	var types []envelope.TypePattern
	for _, pattern := range when.Types {
		p, err := envelope.ParseTypePattern(pattern)
		if err != nil {
			return fmt.Errorf("when: %w", err)
		}
		types = append(types, p)
	}
	switch {
	case b.eventType == "" && b.canBeUnknown != nil && !slices.ContainsFunc(types, b.canBeUnknown):
		return b.checkOnly(when.Rules)
	case b.eventType == "":
		guards = append(slices.Clip(guards), guard{slot: b.scope.typeSlot(), types: types})
	case !matchesAny(types, b.eventType):
		return b.checkOnly(when.Rules)
	}
	return b.add(when.Rules, guards, depth+1)
}

func matchesAny(types []envelope.TypePattern, eventType string) bool {
	return slices.ContainsFunc(types, func(p envelope.TypePattern) bool { return p.Match(eventType) })
}

// checkOnly reports the errors of rules that do not hold for this type.
func (b *builder) checkOnly(rules Rules) error {
	other := builder{eventType: b.eventType, scope: newScope()}
	return other.add(rules, nil, 0)
}

// member returns the member of a dotted name, made if need be.
func (o *object) member(name string) (*member, error) {
	if name == reservedField || strings.HasPrefix(name, reservedField+".") {
		return nil, fmt.Errorf("field %s: `original` holds the provider's own event", name)
	}
	for rest := name; ; {
		head, tail, more := strings.Cut(rest, ".")
		if !isName(head) {
			return nil, fmt.Errorf("field %q: names are lower-case letters, digits and underscores, with dots between", name)
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
			return nil, fmt.Errorf("field %s: %s is a field or a list already", name, head)
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
	if (f.Always != "") == (len(f.Paths) > 0) {
		return field{}, fmt.Errorf("field %s: either paths, or always and a text", f.Name)
	}
	compiled := field{always: f.Always, as: f.As, words: newWordMap(f.Mappings)}
	if f.Always != "" && (f.As != "" || f.Mappings != nil) {
		return field{}, fmt.Errorf("field %s: a constant needs no as and no map", f.Name)
	}
	if compiled.as == "" {
		compiled.as = asText
	}
	switch compiled.as {
	case asText, asString, asLower, asValue:
	default:
		var err error
		if compiled.time, err = newTimeFormat(f.As); err != nil {
			return field{}, fmt.Errorf("field %s: unknown `as %s`: use text, string, lower or value; for a time %w", f.Name, f.As, err)
		}
	}
	if err := checkMap(f.Mappings); err != nil {
		return field{}, fmt.Errorf("field %s: %w", f.Name, err)
	}
	if (compiled.as == asValue || compiled.time != "") && f.Mappings != nil {
		return field{}, fmt.Errorf("field %s: a map is for texts, not with `as %s`", f.Name, f.As)
	}
	for _, path := range f.Paths {
		slot, err := s.slot(path)
		if err != nil {
			return field{}, fmt.Errorf("field %s: %w", f.Name, err)
		}
		compiled.slots = append(compiled.slots, slot)
	}
	return compiled, nil
}

func compileList(l List, s *scope) (list, error) {
	slot, err := s.slot(l.Path)
	if err != nil {
		return list{}, fmt.Errorf("list %s: %w", l.Name, err)
	}
	if len(l.Fields) == 0 {
		return list{}, fmt.Errorf("list %s: no field", l.Name)
	}
	compiled := list{slot: slot, members: l.Members, scope: newScope(), object: new(object)}
	compiled.scope.named = l.Members
	for _, f := range l.Fields {
		item, err := compileField(f, compiled.scope)
		if err != nil {
			return list{}, fmt.Errorf("list %s: %w", l.Name, err)
		}
		m, err := compiled.object.member(f.Name)
		if err != nil {
			return list{}, fmt.Errorf("list %s: %w", l.Name, err)
		}
		if m.object != nil {
			return list{}, fmt.Errorf("list %s: field %s is an object already", l.Name, f.Name)
		}
		if f.Required && strings.Contains(f.Name, ".") {
			return list{}, fmt.Errorf("list %s: field %s: only a field at the top of an item can be required", l.Name, f.Name)
		}
		m.required = m.required || f.Required
		m.fields = append(m.fields, item)
	}
	return compiled, compiled.scope.root.check()
}

// sort puts the fields of deeper `when` blocks first, and the others in the
// order of the file.
func (o *object) sort() {
	for _, m := range o.members {
		sort.SliceStable(m.fields, func(i, j int) bool { return m.fields[i].depth > m.fields[j].depth })
		if m.object != nil {
			m.object.sort()
		}
	}
}

// appendMembers appends the members that yield something, separated by commas.
// ok is false when a required one does not.
func (o *object) appendMembers(dst []byte, found values) (_ []byte, ok bool) {
	start := len(dst)
	for _, m := range o.members {
		before := len(dst)
		if before > start {
			dst = append(dst, ',')
		}
		dst = append(dst, m.label...)
		labelled := len(dst)
		dst = m.append(dst, found)
		if len(dst) == labelled {
			if m.required {
				return dst[:start], false
			}
			dst = dst[:before]
		}
	}
	return dst, true
}

// append appends the member's value, or nothing when it yields nothing.
func (m *member) append(dst []byte, found values) []byte {
	switch {
	case m.object != nil:
		before := len(dst)
		dst = append(dst, '{')
		if dst, _ = m.object.appendMembers(dst, found); len(dst) == before+1 {
			return dst[:before]
		}
		return append(dst, '}')
	case m.lists != nil:
		before := len(dst)
		dst = append(dst, '[')
		for i := range m.lists {
			dst = m.lists[i].append(dst, before+1, found)
		}
		if len(dst) == before+1 {
			return dst[:before]
		}
		return append(dst, ']')
	default:
		for i := range m.fields {
			before := len(dst)
			if dst = m.fields[i].append(dst, found); len(dst) > before {
				break
			}
		}
		return dst
	}
}

// text returns the text of a field, as far as it has one.
func (m *member) text(found values) string {
	if m == nil {
		return ""
	}
	for i := range m.fields {
		if text, ok := m.fields[i].text(found.first(m.fields[i].slots)); ok && text != "" && m.fields[i].holds(found) {
			return text
		}
	}
	return ""
}

func holds(guards []guard, found values) bool {
	for _, g := range guards {
		v := found.get(g.slot)
		ok := v.isString() || v.isNumber() || v.isBool()
		if ok && g.words != nil {
			_, ok = g.words.lookup(v.text())
		} else if ok {
			ok = matchesAny(g.types, v.text())
		}
		if !ok {
			return false
		}
	}
	return true
}

func (f *field) holds(found values) bool { return holds(f.guards, found) }

// append appends the field's JSON, or nothing when it yields nothing.
func (f *field) append(dst []byte, found values) []byte {
	if !f.holds(found) {
		return dst
	}
	v := found.first(f.slots)
	switch {
	case f.as == asValue:
		if v.isEmpty() {
			return dst
		}
		return append(dst, v...)
	case v.isString() && f.words == nil && (f.as == asText || f.as == asString):
		if v.isEmpty() {
			return dst
		}
		return append(dst, v...) // as the provider wrote it, escapes and all
	}
	if f.time != "" {
		return f.appendTime(dst, v)
	}
	text, ok := f.text(v)
	if !ok || text == "" {
		return dst
	}
	return envelope.AppendString(dst, text)
}

// appendTime appends the field's time as JSON, or nothing.
func (f *field) appendTime(dst []byte, v value) []byte {
	before := len(dst)
	dst = append(dst, '"')
	if dst = f.time.append(dst, v); len(dst) == before+1 {
		return dst[:before]
	}
	return append(dst, '"')
}

// text returns the text of a value; false when it is of the wrong type, or not
// in the map.
func (f *field) text(v value) (string, bool) {
	if f.always != "" {
		return f.always, true
	}
	text, ok := v.text(), v.isString()
	switch f.as {
	case asValue:
		ok = ok || v.isNumber()
	case asText:
		// A boolean is a word for a map only.
		ok = ok || v.isNumber() || (v.isBool() && f.words != nil)
	case asLower:
		text = strings.ToLower(text)
	}
	if ok && f.words != nil {
		return f.words.lookup(text)
	}
	return text, ok
}

// append appends the list's items to an array that began at start.
func (l *list) append(dst []byte, start int, found values) []byte {
	v := found.get(l.slot)
	if v.isNull() || v == "[]" || !holds(l.guards, found) || (l.members && !v.isObject()) {
		return dst
	}
	var item values
	add := func(key, v value) {
		if item == nil {
			item = make(values, l.scope.slots)
		}
		clear(item)
		l.scope.root.read(v, item)
		if l.scope.key > 0 {
			item[l.scope.key-1] = key
		}
		before := len(dst)
		if before > start {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		opened := len(dst)
		var ok bool
		if dst, ok = l.object.appendMembers(dst, item); !ok || len(dst) == opened {
			dst = dst[:before]
			return
		}
		dst = append(dst, '}')
	}
	if !l.members && !v.isArray() {
		add("", v)
		return dst
	}
	gjson.Parse(string(v)).ForEach(func(key, v gjson.Result) bool {
		add(value(key.Raw), value(v.Raw))
		return true
	})
	return dst
}
