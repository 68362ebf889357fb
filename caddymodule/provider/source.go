package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// templateSlot is a template, and the slot that its text is put into as a JSON string,
// so that what reads the slots knows nothing of templates.
type templateSlot struct {
	template template.Template
	paths    []pathSlot // of the $body(<path>) in it
	slot     int
}

// pathSlot is the slot of a path.
type pathSlot struct {
	path string
	slot int
}

// source returns the slots of a source, in the order in which they count.
func (s *scope) source(from Source) ([]int, error) {
	if from.Header != "" {
		if len(from.Paths) > 0 {
			return nil, errors.New("use either a header or paths")
		}
		if err := verify.CheckHeaderName(from.Header); err != nil {
			return nil, err
		}
		slot, err := s.template(template.Template{{Kind: template.Header, Text: http.CanonicalHeaderKey(from.Header)}})
		return []int{slot}, err
	}
	var slots []int
	for _, text := range from.Paths {
		slot, err := s.pathOrTemplate(text)
		if err != nil {
			return nil, err
		}
		slots = append(slots, slot)
	}
	return slots, nil
}

// checkOne refuses a path that leads to each element of an array, or to their number:
// neither is a text of the event.
func (s Source) checkOne() error {
	for _, path := range s.Paths {
		if slices.Contains(strings.Split(path, "."), eachElement) {
			return fmt.Errorf("path %q: # is every element of an array; write the position of one, such as items.0.id, or a query, such as items.#(kind==\"a\").id", path)
		}
	}
	return nil
}

func (s *scope) pathOrTemplate(text string) (int, error) {
	if !template.Is(text) || jsonpath.IsJSONPath(text) {
		return s.slot(text)
	}
	t, err := template.Parse(text)
	if err != nil {
		return 0, fmt.Errorf("template %q: %w", text, err)
	}
	slot, err := s.template(t)
	if err != nil {
		return 0, fmt.Errorf("template %q: %w", text, err)
	}
	return slot, nil
}

// template returns the slot of a template.
func (s *scope) template(t template.Template) (int, error) {
	if err := s.checkTemplate(t); err != nil {
		return 0, err
	}
	compiled := templateSlot{template: t}
	for part := range t.Parts() {
		if part.Kind != template.BodyPath {
			continue
		}
		slot, err := s.slot(part.Text)
		if err != nil {
			return 0, err
		}
		compiled.paths = append(compiled.paths, pathSlot{part.Text, slot})
	}
	s.slots++
	compiled.slot = s.slots
	s.templates = append(s.templates, compiled)
	return compiled.slot, nil
}

// checkTemplate refuses parts that do not work for an event, or for an item of a list.
func (s *scope) checkTemplate(t template.Template) error {
	isText := true
	for part := range t.Parts() {
		switch part.Kind {
		case template.Literal, template.SHA256, template.Hex, template.Base64, template.JSON:
			continue
		case template.Body:
			return errors.New("$body is the whole body; write $body(<path>) for a value in the event")
		case template.Form, template.Timestamp, template.HMAC:
			return fmt.Errorf("%s does not work here; use $body(<path>), $header(<name>), $query(<name>), $method, $uri or $url", part)
		case template.Header:
			if err := verify.CheckHeaderName(part.Text); err != nil {
				return err
			}
			fallthrough
		case template.Method, template.URI, template.URL, template.Query:
			if s.isItem {
				return fmt.Errorf("%s does not work in a list; use $body(<path>)", part)
			}
		}
		isText = false
	}
	if isText {
		return errors.New(`it is the same for every event; write a part such as $body(<path>), or "always" before a constant`)
	}
	return makesText(t)
}

// makesText refuses a template that makes raw bytes.
func makesText(t template.Template) error {
	for _, part := range t {
		if part.Kind == template.SHA256 {
			return fmt.Errorf("%s makes bytes; write $hex(%[1]s) or $base64(%[1]s)", part)
		}
	}
	return nil
}

// fill fills the slots of what a walk over the value does not find: what is around it,
// and templates. A template that lacks a part has no value.
func (s *scope) fill(found values, request *verify.Request, outer *around) {
	for _, o := range s.outers {
		found[o.slot-1] = outer.first(o.in)
	}
	for i := range s.templates {
		t := &s.templates[i]
		text, ok := t.template.Append(nil, func(part template.Part) ([]byte, bool) {
			part.Text = t.text(part, found, request)
			return []byte(part.Text), part.Text != ""
		})
		if ok {
			found[t.slot-1] = value(envelope.AppendString(nil, string(text)))
		}
	}
}

// text returns the text of a part, or "" if it is absent. A text that is empty counts
// as absent: else all events that lack an id would have the same one.
func (t *templateSlot) text(part template.Part, found values, request *verify.Request) string {
	if part.Kind == template.BodyPath {
		for _, p := range t.paths {
			if p.path == part.Text {
				return found.get(p.slot).text()
			}
		}
	}
	if request == nil {
		return ""
	}
	switch part.Kind {
	case template.Header:
		return request.Header.Get(part.Text)
	case template.Query:
		query, _ := url.ParseQuery(request.Query) // what can be read of it
		return query.Get(part.Text)
	case template.Method:
		return request.Method
	case template.URI:
		return request.URI
	default:
		return request.URL
	}
}

// isOfEvent reports whether the value of a slot is at least partly from the event, and
// not only from the request or from what is around the event.
func (s *scope) isOfEvent(slot int) bool {
	if slices.ContainsFunc(s.outers, func(o outerSlot) bool { return o.slot == slot }) {
		return false
	}
	for _, t := range s.templates {
		if t.slot == slot {
			return slices.ContainsFunc(t.paths, func(p pathSlot) bool { return s.isOfEvent(p.slot) })
		}
	}
	return true
}

// partsOf returns the parts of the template in a slot, or the path as one.
func (s *scope) partsOf(slot int) []template.Part {
	for _, t := range s.templates {
		if t.slot == slot {
			return slices.Collect(t.template.Parts())
		}
	}
	for path, of := range s.index {
		if of == slot {
			return []template.Part{{Kind: template.BodyPath, Text: path}}
		}
	}
	return nil // the event's canonical type
}

// nameOf returns the template or the path of a slot, if it is not one in the event.
func (s *scope) nameOf(slot int) string {
	for _, t := range s.templates {
		if t.slot == slot {
			return t.template.String()
		}
	}
	i := slices.IndexFunc(s.outers, func(o outerSlot) bool { return o.slot == slot })
	return s.outers[i].path
}
