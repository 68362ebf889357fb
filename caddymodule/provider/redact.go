package provider

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
)

// eachElement is the component of a path that selects every element of an array.
const eachElement = "#"

// redaction is a tree of the members that must not leave the gateway. A leaf is
// removed.
type redaction map[redactionStep]redaction

// redactionStep is a member of an object, or every element of an array.
type redactionStep struct {
	name    string
	element bool
}

// add adds a path of plain names and `#`.
func (r redaction) add(path string) error {
	if err := jsonpath.Check(path); err != nil {
		return fmt.Errorf("redact %q: %w", path, err)
	}
	for rest := path; ; {
		name, tail, plain := cutName(rest)
		if !plain {
			if name, tail, _ = strings.Cut(rest, "."); name != eachElement {
				return fmt.Errorf("redact %q: use only names of members, and # for each element of an array", path)
			}
			name = ""
		}
		step := redactionStep{name: name, element: !plain}
		if tail == "" && !plain {
			return fmt.Errorf("redact %q: elements of an array cannot be removed; name a member of theirs", path)
		}
		if tail == "" {
			r[step] = nil
			return nil
		}
		below, ok := r[step]
		if ok && below == nil {
			return nil // a parent is removed already
		}
		if !ok {
			below = make(redaction)
			r[step] = below
		}
		r, rest = below, tail
	}
}

// checkRedaction checks a path of Spec.Redactions.
func checkRedaction(path string) error {
	if outer, ok := strings.CutPrefix(path, outerPath); ok && outer != "" {
		path = outer
	}
	return make(redaction).add(path)
}

// removes reports whether what is at the end of a path, given by its names and #, is
// removed.
func (r redaction) removes(steps []string) bool {
	for _, name := range steps {
		step := redactionStep{name: name}
		if name == eachElement {
			step = redactionStep{element: true}
		}
		below, ok := r[step]
		if !ok || below == nil {
			return ok
		}
		r = below
	}
	return false
}

// span is a part of a text.
type span struct{ start, end int }

// apply returns raw, which is valid JSON, without the members of r. Duplicate
// members are all removed. Every other byte stays as it is.
func (r redaction) apply(raw string) string {
	if len(r) == 0 {
		return raw
	}
	start := len(raw) - len(strings.TrimLeft(raw, jsonSpace))
	root := gjson.Result{Type: gjson.JSON, Raw: raw[start:], Index: start}
	cuts := r.cuts(root, nil)
	if len(cuts) == 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	from := 0
	for _, cut := range cuts {
		b.WriteString(raw[from:cut.start])
		from = cut.end
	}
	b.WriteString(raw[from:])
	return b.String()
}

// cuts appends the parts of value to remove, in order. A member is removed with the
// comma before it, or, if no member before it stays, with the comma after it.
func (r redaction) cuts(value gjson.Result, cuts []span) []span {
	if value.Type != gjson.JSON {
		return cuts
	}
	object := value.IsObject()
	previousEnd := 0
	stays, pending := false, false // whether a member before stays; whether a cut waits for its end
	value.ForEach(func(key, member gjson.Result) bool {
		start, end := member.Index, member.Index+len(member.Raw)
		step := redactionStep{element: true}
		if object {
			start, step = key.Index, redactionStep{name: key.Str}
		}
		if pending {
			cuts[len(cuts)-1].end = start
			pending = false
		}
		below, named := r[step]
		switch {
		case named && below == nil && object && stays:
			cuts = appendCut(cuts, span{previousEnd, end})
		case named && below == nil && object:
			cuts = appendCut(cuts, span{start, end})
			pending = true
		default:
			stays = true
			if named {
				cuts = below.cuts(member, cuts)
			}
		}
		previousEnd = end
		return true
	})
	return cuts
}

// appendCut appends a cut, or extends the last one if they touch.
func appendCut(cuts []span, cut span) []span {
	if n := len(cuts); n > 0 && cuts[n-1].end == cut.start {
		cuts[n-1].end = cut.end
		return cuts
	}
	return append(cuts, cut)
}
