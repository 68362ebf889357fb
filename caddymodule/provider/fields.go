package provider

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// The forms of a value. Any other word of Field.As is the format of a time.
const (
	asText   = "text"
	asString = "string"
	asLower  = "lower"
	asValue  = "value"
)

// object is a JSON object in `data`. Its members are in the order in which the
// provider's file first names them.
type object struct {
	members []*member
}

// member is one member of an object: a field, a list or an object.
type member struct {
	name     string
	label    []byte // `"name":`
	required bool
	fields   []field // the first that yields a value counts
	lists    []list  // all add to it
	object   *object
}

// field is a compiled Field.
type field struct {
	guards []guard
	depth  int // the number of conditions around it
	slots  []int
	always string
	as     string
	time   timeFormat // "" if as is not a time
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

// guard is a compiled Condition that depends on the event.
type guard struct {
	slot  int
	words *wordMap               // for a path
	not   bool                   // whether the value must be none of the words
	types []envelope.TypePattern // for the type
}

// holds reports whether the condition holds for a value.
func (g guard) holds(v value) bool {
	if g.words == nil {
		return matchesAny(g.types, v.text())
	}
	if v.isNull() {
		return g.not
	}
	if v.isObject() || v.isArray() {
		return g.words.hasEvery() != g.not
	}
	_, ok := g.words.lookup(v.text())
	return ok != g.not
}

// appendMembers appends the members that yield a value, separated by commas. ok is
// false if a required one yields none.
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

// append appends the member's value, or nothing if it yields none.
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

// text returns the text of a member, or "" if it is not a field with a text.
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
		if !g.holds(found.get(g.slot)) {
			return false
		}
	}
	return true
}

func (f *field) holds(found values) bool { return holds(f.guards, found) }

// append appends the field's JSON, or nothing if it yields no value.
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

// text returns the text of a value. ok is false if the value has the wrong type, or is
// not in the map.
func (f *field) text(v value) (_ string, ok bool) {
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
		l.scope.fill(item, nil, nil)
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
