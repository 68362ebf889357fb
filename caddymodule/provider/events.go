package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
)

// eventNode is a value on the way to events, or an array or object of events.
type eventNode struct {
	name      string       // of a member
	members   []*eventNode // for an object
	elements  *eventNode   // for an array
	isEvents  bool         // whether it is an array of events, or an event
	isElement bool         // whether it is in an array
	redact    redaction    // of what is in it
}

// lastElement is the node of the elements of an array through which no path goes.
var lastElement = &eventNode{isEvents: true, isElement: true}

// element returns the node of the elements of an array.
func (n *eventNode) element() *eventNode {
	if n.elements == nil {
		return lastElement
	}
	return n.elements
}

// prefixes returns what is before a path in an event to make it one in the body.
func (e Events) prefixes() []string {
	var prefixes []string
	for _, path := range e.Paths {
		if path == itemPath {
			path = ""
		} else {
			path += "."
		}
		prefixes = append(prefixes, path, path+eachElement+".") // an event, or an array of events
	}
	return prefixes
}

// around returns what is before a path in an object around an event to make it one in the
// body.
func (e Events) around() []string {
	var prefixes []string
	for _, path := range e.Paths {
		if path == itemPath {
			continue
		}
		for rest := path; rest != ""; {
			_, tail, plain := cutName(rest)
			if plain {
				prefixes = append(prefixes, path[:len(path)-len(rest)])
			} else {
				_, tail, _ = strings.Cut(rest, ".") // after a #
			}
			rest = tail
		}
	}
	return prefixes
}

// named returns the position of the member of a name, or -1.
func (n *eventNode) named(name string) int {
	return slices.IndexFunc(n.members, func(m *eventNode) bool { return m.name == name })
}

// The value of Events.As.
const asRequest = "request"

func (p *Provider) compileEvents() error {
	events := p.spec.Events
	p.asRequest = events.As == asRequest
	switch {
	case events.As != "" && !p.asRequest:
		return fmt.Errorf(`events: unknown "as %s"; use as request`, events.As)
	case len(events.Paths) == 0 && p.asRequest:
		return errors.New("events: a path is required")
	case len(events.Paths) == 0:
		return nil
	case len(events.Paths) > maxMembers:
		return fmt.Errorf("events: more than %d paths", maxMembers)
	}
	p.events = new(eventNode)
	for _, path := range events.Paths {
		if err := p.events.add(path); err != nil {
			return fmt.Errorf("events: path %q: %w", path, err)
		}
	}
	return nil
}

// add adds a path to events.
func (n *eventNode) add(path string) error {
	steps, err := eventSteps(path)
	if err != nil {
		return err
	}
	for i, step := range steps {
		if n.isEvents {
			return errors.New("an earlier path takes all that is there; write the longer path first")
		}
		last := i == len(steps)-1
		switch {
		case step != eachElement:
			n = n.member(step)
		case last:
			return errors.New("a # at the end is not needed: an array holds events; remove it")
		case i > 0 && steps[i-1] == eachElement:
			return errors.New("a name is missing between # and #")
		default:
			if n.elements == nil {
				n.elements = &eventNode{isElement: true}
			}
			n = n.elements
		}
	}
	if n.isEvents {
		return errors.New("it is there twice; remove one")
	}
	n.isEvents = true
	if n.elements != nil {
		n.elements.isEvents = true
	}
	return nil
}

// member returns the node of the member of a name, and creates it if it is missing.
func (n *eventNode) member(name string) *eventNode {
	if i := n.named(name); i >= 0 {
		return n.members[i]
	}
	m := &eventNode{name: name}
	n.members = append(n.members, m)
	return m
}

// setRedaction sets what is redacted in n and below.
func (n *eventNode) setRedaction(r redaction) {
	n.redact = r
	for _, m := range n.members {
		m.setRedaction(r[redactionStep{name: m.name}])
	}
	if n.elements != nil {
		n.elements.setRedaction(r[redactionStep{element: true}])
	}
}

// eventSteps returns the names in a path, and its #. The body itself has none.
func eventSteps(path string) (steps []string, err error) {
	if path == itemPath {
		return nil, nil
	}
	if err := jsonpath.Check(path); err != nil {
		return nil, err
	}
	for rest := path; rest != ""; {
		name, tail, plain := cutName(rest)
		if !plain {
			if name, tail, _ = strings.Cut(rest, "."); name != eachElement {
				return nil, errors.New("use only names of members, and # for each element of an array")
			}
		} else if name == eachElement {
			return nil, errors.New(`a member that is called # cannot be on the way to events`)
		}
		steps = append(steps, name)
		rest = tail
	}
	return steps, nil
}

// checkPerEvent refuses an id or a key that all events of a request share.
func (p *Provider) checkPerEvent() error {
	_, err := p.sharedByEvents()
	return err
}

// sharedByEvents returns the error of what all events of a request would share, and the
// word that it is about; "" for a path to what is around an event where nothing is.
func (p *Provider) sharedByEvents() (word string, err error) {
	if p.events == nil {
		if p.scope.around != nil {
			return "", errors.New(`".." is what is around an event, which works only with "events"`)
		}
		return "", nil
	}
	for _, slot := range p.id {
		if !p.scope.isOfEvent(slot) {
			return "id", fmt.Errorf(`id: %s is the same for all events of a request, and all but the first would be dropped; add a part of the event, such as $header(X-Id)/$body(id), or remove "id"`, p.scope.nameOf(slot))
		}
	}
	isOfEvent := func(part keyPart) bool {
		return part.word == keyID || part.word == keyHash || part.slot > 0 && p.scope.isOfEvent(part.slot)
	}
	if !slices.ContainsFunc(p.key, isOfEvent) {
		return "key", errors.New("key: all of it can be the same for all events of a request; add id, hash or a part of the event")
	}
	return "", nil
}
