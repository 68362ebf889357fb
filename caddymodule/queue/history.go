package queue

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// History is all that is known about one event.
type History struct {
	Summary
	Event *Event // with its request and body
}

// deferredOfKey is a subquery for the events with a key, $1, that have deferred
// deliveries; see lastOfKey.
const deferredOfKey = `(SELECT d.seq FROM webhooks_deliveries d CROSS JOIN webhooks_events e WHERE e.seq = d.seq AND e.key = $1)`

// History returns all that is known about an event; ErrUnknown if it is not stored. Of
// events with the same key, it is the last one.
func (q *eventLog) History(ctx context.Context, key envelope.Key) (*History, error) {
	f, err := q.newFinder(ctx, Search{}, 0)
	if err != nil {
		return nil, err
	}
	e := q.currentEra()
	if e == nil {
		return nil, errNoEra
	}
	for _, ofKey := range []string{lastOfKey, deferredOfKey} {
		var events []*Event
		err = q.query(ctx, `SELECT `+columnsOfEvent+` FROM webhooks_events e WHERE e.seq IN `+ofKey+` ORDER BY e.seq DESC LIMIT 1`, []any{key[:]},
			func(rows *sql.Rows) error {
				event, failed := q.store.scanEvent(rows)
				events = append(events, event)
				return failed
			})
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			continue
		}
		if err = q.loadRequests(e, events); err != nil {
			return nil, unavailable(ctx, err)
		}
		h, err := f.history(events[0])
		if h != nil || err != nil {
			return h, unavailable(ctx, err)
		}
	}
	return nil, errNotStored(key)
}

// history returns all that is known about an event; nil if it was removed meanwhile.
func (f *finder) history(event *Event) (*History, error) {
	found, err := f.load([]int64{event.Seq})
	if err == nil {
		err = f.addStates(found)
	}
	if err != nil || len(found) == 0 {
		return nil, err
	}
	attempts, err := f.q.attemptsOf(f.ctx, event.Seq)
	if err == nil {
		err = f.q.addDuplicates(f.ctx, found)
	}
	h := &History{Summary: found[0], Event: event}
	for i := range h.Destinations {
		d := &h.Destinations[i]
		d.Attempts = attempts[d.Destination]
		d.addPast(d.Attempts)
		delete(attempts, d.Destination)
	}
	// Others had other filters then, or were forgotten since.
	for _, name := range slices.Sorted(maps.Keys(attempts)) {
		d := DeliveryStatus{Destination: name, State: StateDiscarded, Attempts: attempts[name]}
		if d.Attempts[len(d.Attempts)-1].Outcome == OutcomeDelivered {
			d.State = StateDelivered
		}
		d.addPast(d.Attempts)
		h.Destinations = append(h.Destinations, d)
	}
	return h, err
}
