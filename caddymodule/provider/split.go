package provider

import (
	"errors"
	"fmt"
	"strings"
)

// MaxEvents is the maximum number of events in one request.
const MaxEvents = 1000

// The errors of Split.
var (
	// ErrNoEvent is the error of a body without any event.
	ErrNoEvent = errors.New("no event")

	// ErrNotArray is the error of a body that has something else in the place of
	// an array.
	ErrNotArray = errors.New("the events are not an array")

	// ErrNotEvent is the error of an array with an element that is not an object.
	ErrNotEvent = errors.New("an event is not an object")

	// ErrTooMany is the error of a body with more than MaxEvents events.
	ErrTooMany = fmt.Errorf("more than %d events", MaxEvents)

	// ErrTooLarge is the error of a body whose events would become more than
	// MaxOriginals bytes.
	ErrTooLarge = fmt.Errorf("its events, each with what is around it, are more than %d bytes", MaxOriginals)
)

// Raw is an event in a body, before it is read.
type Raw struct {
	// Text is the event, as it is written.
	Text string

	// Start is where Text begins in the body.
	Start int

	around *around // nil if nothing around the event is read
}

// span returns where the event is in the body.
func (r Raw) span() span { return span{r.Start, r.Start + len(r.Text)} }

// Split returns the events in a body, which must have passed envelope.Check, in their
// order. The error is one of those above.
func (p *Provider) Split(body string) ([]Raw, error) {
	if p.events == nil {
		if !strings.HasPrefix(strings.TrimLeft(body, jsonSpace), "{") {
			return nil, ErrNoEvent
		}
		return []Raw{{Text: body}}, nil
	}
	s := splitter{provider: p, body: body}
	var root *around
	if p.asRequest {
		root = &around{body: body}
	}
	if _, err := s.value(p.events, skipSpace(body, 0), root); err != nil {
		return nil, err
	}
	if len(s.events) == 0 {
		return nil, ErrNoEvent
	}
	if p.asRequest {
		if err := checkOriginals(s.events); err != nil {
			return nil, err
		}
	}
	return s.events, nil
}

// splitter looks for the events in one body.
type splitter struct {
	provider *Provider
	body     string
	events   []Raw
}

// value looks for events in the value that begins at body[i], and returns where it
// ends. outer is the nearest object around it.
func (s *splitter) value(n *eventNode, i int, outer *around) (end int, err error) {
	switch s.body[i] {
	case '{':
		if n.elements != nil && len(n.members) == 0 && !n.isEvents {
			return 0, ErrNotArray
		}
		return s.object(n, i, outer)
	case '[':
		if n.elements != nil || n.isEvents {
			return s.array(n, i, outer)
		}
	case 'n': // null
	default:
		if n.elements != nil || n.isEvents {
			return 0, ErrNotArray
		}
	}
	return skipValue(s.body, i), nil
}

// array looks for events in the array that begins at body[i]. Its elements are events,
// unless they hold events of an earlier path.
func (s *splitter) array(n *eventNode, i int, outer *around) (end int, err error) {
	start := i + 1
	for i = skipSpace(s.body, start); s.body[i] != ']'; i = skipSpace(s.body, i) {
		if s.body[i] == ',' {
			i = skipSpace(s.body, i+1)
		}
		if s.body[i] != '{' {
			return 0, ErrNotEvent
		}
		if i, err = s.object(n.element(), i, outer); err != nil {
			return 0, err
		}
	}
	outer.addHole(hole{span: span{start, i}})
	return i + 1, nil
}

// object looks for events in the object that begins at body[i]. It is one itself if it
// is where a path ends, and holds none.
func (s *splitter) object(n *eventNode, i int, outer *around) (end int, err error) {
	start, before := i, len(s.events)
	if len(n.members) == 0 {
		end = skipNested(s.body, i)
	} else {
		inner := s.around(n, i, outer)
		if end, err = s.members(n, i+1, inner); err != nil {
			return 0, err
		}
		if inner != nil {
			inner.span = span{start, end}
		}
	}
	if !n.isEvents || len(s.events) > before {
		return end, nil
	}
	if len(s.events) == MaxEvents {
		return 0, ErrTooMany
	}
	s.events = append(s.events, Raw{Text: s.body[start:end], Start: start, around: outer})
	if !n.isElement {
		outer.addHole(hole{span{start, end}, true})
	}
	return end, nil
}

// members looks for events in the members of an object whose first byte inside is
// body[i]. Of members with one name, the first counts.
func (s *splitter) members(n *eventNode, i int, inner *around) (end int, err error) {
	var seen uint64 // by position in n.members, which are at most maxMembers
	for {
		i = skipSpace(s.body, i)
		if s.body[i] == '}' {
			return i + 1, nil
		}
		if s.body[i] == ',' {
			i = skipSpace(s.body, i+1)
		}
		nameEnd := skipString(s.body, i)
		member := n.named(value(s.body[i:nameEnd]).text())
		i = skipSpace(s.body, skipSpace(s.body, nameEnd)+len(":"))
		if member < 0 || seen&(1<<member) != 0 {
			i = skipValue(s.body, i)
			continue
		}
		seen |= 1 << member
		if i, err = s.value(n.members[member], i, inner); err != nil {
			return 0, err
		}
	}
}

// around returns the object that begins at body[i] as one around events, or outer if
// nothing around events is read.
func (s *splitter) around(n *eventNode, i int, outer *around) *around {
	p := s.provider
	if p.scope.around == nil {
		if !p.asRequest {
			return nil
		}
		return &around{outer: outer, isElement: n.isElement}
	}
	a := &around{outer: outer, isElement: n.isElement, found: make(values, p.scope.around.slots)}
	if len(n.redact) == 0 {
		p.scope.around.root.walk(s.body, i, a.found)
	} else {
		p.scope.around.root.read(value(n.redact.apply(s.body[i:skipNested(s.body, i)])), a.found)
	}
	return a
}
