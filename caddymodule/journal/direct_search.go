package journal

import (
	"cmp"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// rememberedOf is an event of direct delivery, with the block that got it.
type rememberedOf struct {
	remembered
	provider, source string
}

func (e *rememberedOf) attributes() attributes {
	a := e.texts.attributes()
	a.provider, a.source, a.received = e.provider, e.source, e.Received
	return a
}

// event returns the event as lists show it.
func (e *rememberedOf) event() Event {
	a := e.attributes()
	outcome := outcomeUpstream
	if e.IsAccepted {
		outcome = outcomeAccepted
	}
	return Event{
		Summary: queue.Summary{
			Seq: e.n, ID: e.Key.String(), EventID: a.id,
			Provider: a.provider, Source: a.source, Type: a.eventType, Subject: a.subject, PartitionKey: a.partitionKey,
			Received: a.received, Size: int64(e.length),
			Duplicates: e.duplicates, LastDuplicate: e.lastDuplicate,
			Destinations: []queue.DeliveryStatus{},
		},
		Direct: &Direct{Outcome: outcome, Status: e.Status, TookMS: milliseconds(e.Took)},
	}
}

// find returns the events with numbers below before that a search selects, the latest
// first. With 0, it returns all that were there when it began.
func (m *Memory) find(s *queue.Search, before int64) []rememberedOf {
	// An event that gets its number from now on is not in the list, whichever block it
	// belongs to: a cursor must not skip those that come into blocks that were read.
	if last := m.directEvents.Load(); before == 0 || before > last {
		before = last + 1
	}
	text := newWanted(s.Text)
	var found []rememberedOf
	for _, b := range m.allBlocks() {
		if s.Source != "" && s.Source != b.source {
			continue
		}
		for _, e := range b.copyBefore(before) {
			of := rememberedOf{e, b.provider, b.source}
			if a := of.attributes(); selects(s, &a) && text.isIn(e.Body) {
				found = append(found, of)
			}
		}
	}
	slices.SortFunc(found, func(a, b rememberedOf) int { return cmp.Compare(b.n, a.n) })
	return found
}

// copyBefore returns copies of the events with numbers below before, so that searching
// them holds nobody up.
func (b *BlockMemory) copyBefore(before int64) []remembered {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.direct
	copies := make([]remembered, 0, l.next-l.first)
	for n := l.first; n < l.next; n++ {
		if e := l.at(n); e.n < before {
			copies = append(copies, *e)
		}
	}
	return copies
}

// latest returns the latest event of a key.
func (m *Memory) latest(key envelope.Key) (*rememberedOf, bool) {
	for _, b := range m.allBlocks() {
		b.mu.Lock()
		e := b.direct.find(key)
		var of *rememberedOf
		if e != nil {
			of = &rememberedOf{*e, b.provider, b.source}
		}
		b.mu.Unlock()
		if of != nil {
			return of, true
		}
	}
	return nil, false
}
