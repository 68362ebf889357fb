package template

import "strings"

// names holds the names of the kinds.
var names = func() map[Kind]string {
	byKind := map[Kind]string{BodyPath: "body"}
	for name, kind := range kinds {
		byKind[kind] = name
	}
	return byKind
}()

// escapes writes literal text.
var escapes = strings.NewReplacer("\n", `\n`, `\`, `\\`, "$", `\$`, "(", `\(`, ")", `\)`)

// String returns t as Parse reads it.
func (t Template) String() string {
	var b strings.Builder
	for _, part := range t {
		b.WriteString(part.String())
	}
	return b.String()
}

// String returns the part as Parse reads it.
func (p Part) String() string {
	switch {
	case p.Kind == Literal:
		return escapes.Replace(p.Text)
	case p.Kind.isFunction():
		return "$" + names[p.Kind] + "(" + p.Inside.String() + ")"
	case p.Text != "":
		return "$" + names[p.Kind] + "(" + p.Text + ")"
	}
	return "$" + names[p.Kind]
}
