package provider

import (
	"slices"
	"strings"
)

// MaxOriginals is the size in bytes of the originals of the events in one request, for
// a provider with `events … as request`. Each of them holds all that is around the
// events, so a body of some megabytes with a thousand events could become gigabytes.
const MaxOriginals = 64 << 20

// around is an object around events, or, outermost, the body.
type around struct {
	outer *around
	found values // of the paths that begin with `..`

	// For events as requests:
	body      string // if it is the body
	isElement bool   // whether it is in an array
	span      span
	holes     []hole // in the body or the element, also in objects in it
}

// hole is a part of the body that holds events: the inside of an array, or an object
// that is an event and a member.
type hole struct {
	span
	isMember bool
}

// addHole adds a hole to the nearest element, or to the body.
func (a *around) addHole(h hole) {
	for a != nil && !a.isElement && a.outer != nil {
		a = a.outer
	}
	if a != nil {
		a.holes = append(a.holes, h)
	}
}

// bodyAround returns the body around an event.
func (a *around) bodyAround() string {
	for a.outer != nil {
		a = a.outer
	}
	return a.body
}

// first returns the value of a slot in the nearest object that has it.
func (a *around) first(slot int) value {
	for ; a != nil; a = a.outer {
		if a.found == nil {
			continue
		}
		if found := a.found.get(slot); !found.isNull() {
			return found
		}
	}
	return ""
}

// cut is a part of the body that is left out of an event's request.
type cut struct {
	span
	text string // in its place
}

// cuts returns what to leave out of the body so that it holds one event: of every
// array, the other elements. null takes the place of an event that is a member.
func (r Raw) cuts() []cut {
	var cuts []cut
	inner := r.span()
	for a := r.around; a != nil; a = a.outer {
		for _, h := range a.holes {
			switch {
			case h.start <= inner.start && inner.end <= h.end:
				cuts = append(cuts, cut{span: span{h.start, inner.start}}, cut{span: span{inner.end, h.end}})
			case h.isMember:
				cuts = append(cuts, cut{h.span, "null"})
			default:
				cuts = append(cuts, cut{span: h.span})
			}
		}
		if a.isElement {
			inner = a.span
		}
	}
	slices.SortFunc(cuts, func(a, b cut) int { return a.start - b.start })
	return cuts
}

// request returns the body of the request with this event only.
func (r Raw) request() string {
	var b strings.Builder
	body := r.around.bodyAround()
	b.Grow(r.requestSize())
	from := 0
	for _, cut := range r.cuts() {
		b.WriteString(body[from:cut.start])
		b.WriteString(cut.text)
		from = cut.end
	}
	b.WriteString(body[from:])
	return strings.Trim(b.String(), jsonSpace)
}

// requestSize returns the size of what request returns, with the white space around it.
func (r Raw) requestSize() int {
	size := len(r.around.bodyAround())
	for _, cut := range r.cuts() {
		size += len(cut.text) - (cut.end - cut.start)
	}
	return size
}

// checkOriginals returns ErrTooLarge if the requests of events are more than
// MaxOriginals bytes.
func checkOriginals(events []Raw) error {
	total := 0
	for _, event := range events {
		if total += event.requestSize(); total > MaxOriginals {
			return ErrTooLarge
		}
	}
	return nil
}
