package queue

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"time"
)

// search is a Search in the terms of the database.
type search struct {
	Search
	texts                     [][]byte // the forms of Text; a body holds one of them
	since, until              int64
	subject, partitionKey, id uint32 // hashes

	destinations []destinationRow // all, as they were when the search began
	places       []destinationRow // those that the search asks about
	borders      []int64          // the numbers after which one of them takes other events
}

func newSearch(s Search, destinations []destinationRow, db *store) search {
	found := search{
		Search: s, since: math.MinInt64, until: math.MaxInt64,
		subject: hashOf(s.Subject), partitionKey: hashOf(s.PartitionKey), id: hashOf(s.ID),
		destinations: destinations, places: destinations, texts: textForms(s.Text),
	}
	if !s.Since.IsZero() {
		found.since = db.micros(s.Since)
	}
	if !s.Until.IsZero() {
		found.until = db.micros(s.Until)
	}
	if s.Destination != "" {
		found.places = slices.DeleteFunc(slices.Clone(destinations), func(d destinationRow) bool { return d.name != s.Destination })
	}
	for _, d := range found.places {
		found.borders = append(found.borders, d.position)
		for _, g := range d.gaps {
			found.borders = append(found.borders, g.From, g.To)
		}
	}
	return found
}

// textForms returns how a body may hold a text: as it is, and escaped as in JSON.
func textForms(text string) [][]byte {
	if text == "" {
		return nil
	}
	forms := [][]byte{[]byte(text)}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) == nil {
		if escaped := bytes.TrimSuffix(b.Bytes(), []byte("\n")); len(escaped) > 2 {
			escaped = escaped[1 : len(escaped)-1]
			if !bytes.Equal(escaped, forms[0]) {
				forms = append(forms, escaped)
			}
		}
	}
	return forms
}

// isEmpty reports whether no event can be found, because an unrouted one has no
// destination.
func (s *search) isEmpty() bool { return s.State == StateUnrouted && s.Destination != "" }

// selects reports whether the search selects an event with some attributes, apart from
// its states and its body.
func (s *search) selects(e *Summary, received int64) bool {
	return s.selectsKind(&kind{e.Provider, e.Source, e.Type}) &&
		(s.Subject == "" || s.Subject == e.Subject) &&
		(s.PartitionKey == "" || s.PartitionKey == e.PartitionKey) &&
		(s.ID == "" || s.ID == e.EventID) &&
		received >= s.since && received < s.until
}

func (s *search) selectsKind(k *kind) bool {
	return (s.Provider == "" || s.Provider == k.provider) &&
		(s.Source == "" || s.Source == k.source) &&
		(len(s.Type) == 0 || s.Type.Match(k.eventType))
}

// selectsStates reports whether the search selects an event for what became of it.
func (s *search) selectsStates(destinations []DeliveryStatus) bool {
	switch {
	case s.State == StateUnrouted:
		return len(destinations) == 0
	case s.State == "" && s.Destination == "":
		return true
	}
	return slices.ContainsFunc(destinations, s.selectsDelivery)
}

// selectsDelivery reports whether the search is for a delivery like this one.
func (s *search) selectsDelivery(d DeliveryStatus) bool {
	return (s.Destination == "" || s.Destination == d.Destination) && (s.State == "" || s.State == d.State)
}

// hasAttributes reports whether the search is for some attributes.
func (s *search) hasAttributes() bool {
	return s.Provider != "" || s.Source != "" || len(s.Type) > 0 || s.Subject != "" || s.PartitionKey != "" || s.ID != "" ||
		!s.Since.IsZero() || !s.Until.IsZero()
}

// hasPlaces reports whether it matters to the search which destinations take an event.
func (s *search) hasPlaces() bool { return s.State != "" || s.Destination != "" }

// mayBePlaced reports whether an event without a deferred delivery may be in the state
// of the search.
func (s *search) mayBePlaced(seq int64, k *kind) bool {
	switch s.State {
	case StateUnrouted:
		return !slices.ContainsFunc(s.places, func(d destinationRow) bool {
			return d.mayTake(seq, k.source, k.eventType) && !d.hasConditions()
		})
	case StateDelivered, StateDiscarded:
		return slices.ContainsFunc(s.places, func(d destinationRow) bool {
			return seq <= d.position && d.mayTake(seq, k.source, k.eventType)
		})
	case StateWaiting:
		return slices.ContainsFunc(s.places, func(d destinationRow) bool { return d.mayAwait(seq, k.source, k.eventType) })
	}
	return !s.hasPlaces() || slices.ContainsFunc(s.places, func(d destinationRow) bool { return d.mayTake(seq, k.source, k.eventType) })
}

// firstAwaited returns the first number, up to last, of which a destination has still to
// take events from the log; the number after last if there is none.
func (s *search) firstAwaited(last int64) int64 {
	first := last + 1
	for i := range s.places {
		_ = s.places[i].ranges(s.places[i].position, last, func(from, _ int64, _ string) error {
			first = min(first, from+1)
			return nil
		})
	}
	return first
}

// isUniform reports whether the destinations take the same events everywhere in a block.
func (s *search) isUniform(block int64) bool {
	first, end := block*blockEvents, (block+1)*blockEvents
	return !slices.ContainsFunc(s.borders, func(border int64) bool { return border > first && border < end })
}

// indexSlack is how far the time of an event in the index may be from that of the event
// itself: the server's clock may be read anew in between.
const indexSlack = int64(time.Second / time.Microsecond)

// matches returns the events of a block, from a number to below another, that the search
// may select, the last one first. It may select those in deferred whatever destinations
// take them.
func (s *search) matches(b *indexBlock, from, below int64, deferred []int64) (all []int64) {
	since, until := s.since, s.until
	if !s.Since.IsZero() {
		since -= indexSlack
	}
	if !s.Until.IsZero() {
		until += indexSlack
	}
	if len(b.offsets) == 0 || b.last < since || b.first >= until {
		return all
	}
	isUniform := s.isUniform(b.block)
	var selected, placed [blockEvents]bool // by kind
	none := true
	for i := range b.kinds {
		selected[i] = s.selectsKind(&b.kinds[i])
		placed[i] = selected[i] && (!isUniform || s.mayBePlaced((b.block+1)*blockEvents, &b.kinds[i]))
		none = none && !selected[i]
	}
	if none {
		return all
	}
	for i := len(b.offsets) - 1; i >= 0; i-- {
		k := b.kindOf[i]
		seq := b.seq(i)
		if !selected[k] || seq < from || seq >= below ||
			s.Subject != "" && b.hash(hashSubject, i) != s.subject ||
			s.PartitionKey != "" && b.hash(hashPartitionKey, i) != s.partitionKey ||
			s.ID != "" && b.hash(hashID, i) != s.id ||
			!b.mayBeBetween(i, since, until) {
			continue
		}
		if isUniform && placed[k] || !isUniform && s.mayBePlaced(seq, &b.kinds[k]) || isIn(deferred, seq) {
			all = append(all, seq)
		}
	}
	return all
}
