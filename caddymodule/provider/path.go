package provider

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// Paths that are not gjson's: a value itself, the name of an item in an object, and the
// beginning of a path in an object around the event.
const (
	itemPath  = "."
	keyPath   = ".key"
	outerPath = ".."
)

// outerSlot is the slot of a path that begins with `..`.
type outerSlot struct {
	path string
	slot int
	in   int // slot in scope.around
}

// scope holds the paths that are read from one JSON value, which is an event or an
// item of a list. One walk over the value fills a slot for each path.
type scope struct {
	root  node
	slots int
	index map[string]int
	named bool // whether the value has a name, as the members of an object do
	key   int  // slot of keyPath, or 0
	typ   int  // slot of the event's type, or 0

	isItem    bool           // whether the value is an item of a list
	templates []templateSlot // of the templates
	outers    []outerSlot    // of the paths that begin with `..`
	around    *scope         // of the same paths without it, nil if there are none
}

func newScope() *scope { return &scope{index: make(map[string]int)} }

// newItemScope returns the scope of the items of a list, which are members of an object
// if they are named.
func newItemScope(named bool) *scope {
	s := newScope()
	s.isItem, s.named = true, named
	return s
}

// typeSlot returns the slot of the event's canonical type, which no walk fills.
func (s *scope) typeSlot() int {
	if s.typ == 0 {
		s.slots++
		s.typ = s.slots
	}
	return s.typ
}

// node is one object on the way to the values, by the names of its members.
type node struct {
	name     string
	slot     int // counted from 1; 0 for none
	members  []*node
	searches []search
}

// search is a path with array positions, wildcards or queries, which a walk by name
// cannot follow. gjson does.
type search struct {
	path string
	slot int
}

// slot returns the slot of a path, counted from 1.
func (s *scope) slot(path string) (int, error) {
	if slot, ok := s.index[path]; ok {
		return slot, nil
	}
	if path == keyPath && !s.named {
		return 0, errors.New(`.key works only in the fields of "members"`)
	}
	if path == keyPath {
		s.slots++
		s.key = s.slots
		s.index[path] = s.slots
		return s.slots, nil
	}
	if template.Is(path) && !jsonpath.IsJSONPath(path) {
		return 0, fmt.Errorf("%q is a template, and only a path works here", path)
	}
	if outer, ok := strings.CutPrefix(path, outerPath); ok && outer != "" {
		return s.outerSlot(path, outer)
	}
	names, rest, err := parsePath(path)
	if err != nil {
		return 0, err
	}
	n := &s.root
	for _, name := range names {
		n = n.member(name)
	}
	switch {
	case rest != "":
		s.slots++
		n.searches = append(n.searches, search{rest, s.slots})
		s.index[path] = s.slots
	case n.slot == 0:
		s.slots++
		n.slot = s.slots
		fallthrough
	default:
		s.index[path] = n.slot
	}
	return s.index[path], nil
}

// outerSlot returns the slot of a path in an object around the event.
func (s *scope) outerSlot(path, outer string) (int, error) {
	if s.isItem {
		return 0, fmt.Errorf("path %q: what is around the event cannot be read in a list", path)
	}
	if s.around == nil {
		s.around = newScope()
	}
	in, err := s.around.slot(outer)
	if err != nil {
		return 0, err
	}
	s.slots++
	s.outers = append(s.outers, outerSlot{path, s.slots, in})
	s.index[path] = s.slots
	return s.slots, nil
}

func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m
		}
	}
	m := &node{name: name}
	n.members = append(n.members, m)
	return m
}

// maxMembers is the maximum number of members of one object that a provider can
// name.
const maxMembers = 63

// check refuses more members than walk can count, also around the event.
func (s *scope) check() error {
	if s.around != nil {
		if err := s.around.root.check(); err != nil {
			return err
		}
	}
	return s.root.check()
}

// check refuses more members than walk can count.
func (n *node) check() error {
	if len(n.members) > maxMembers {
		return fmt.Errorf("more than %d members of one object are read; read fewer", maxMembers)
	}
	for _, m := range n.members {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

// parsePath splits a gjson path into the names of members that lead to a value, and
// the rest, which needs a search. itemPath has neither.
func parsePath(path string) (names []string, rest string, err error) {
	if path == itemPath {
		return nil, "", nil
	}
	if err := jsonpath.Check(path); err != nil {
		return nil, "", fmt.Errorf("path %q: %w", path, err)
	}
	for rest = path; rest != ""; {
		name, tail, plain := cutName(rest)
		if !plain {
			return names, rest, nil
		}
		names = append(names, name)
		rest = tail
	}
	return names, "", nil
}

// cutName cuts the first component off a path, unescaped, if it is the plain
// name of a member.
func cutName(path string) (name, tail string, plain bool) {
	var b strings.Builder
	digits := true
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '.':
			return b.String(), path[i+1:], !digits
		case c == '\\' && i+1 < len(path):
			i++
			c = path[i]
			digits = false
		case strings.IndexByte("#*?([{", c) >= 0:
			return "", path, false
		}
		digits = digits && '0' <= c && c <= '9'
		b.WriteByte(c)
	}
	return b.String(), "", !digits
}
