package queue

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
)

const columnsOfEvent = `e.seq, e.key, e.source, e.provider, e.type, e.subject, e.partition_key, e.event_id, e.received, e.original, e.shared, e.request, e.body`

// scanEvent scans columnsOfEvent. It leaves a request that the event shares with others
// empty.
func (s *store) scanEvent(rows *sql.Rows) (*Event, error) {
	e := &Event{Request: new(Request)}
	var key, request []byte
	var received int64
	err := rows.Scan(&e.Seq, &key, &e.Source, &e.Provider, &e.Type, &e.Subject, &e.PartitionKey, &e.ID,
		&received, &e.Original, &e.shared, &request, &e.Body)
	if e.shared == 0 {
		e.Request.decode(request)
	}
	copy(e.Key[:], key)
	e.Received = s.time(received)
	return e, err
}

// read runs a query of a worker, and cancels it when the era ends. A standby that lags
// behind must not answer it: either the query contains isPrimary, or the caller knows
// what the result must contain.
func (q *eventLog) read(e *era, query string, args []any, scan func(rows *sql.Rows) error) error {
	ctx, cancel := context.WithCancel(q.ctx)
	defer cancel()
	defer context.AfterFunc(e, cancel)()
	return q.store.query(ctx, query, args, scan)
}

// load reads events by their numbers and returns them in order. It returns errStale if
// one is missing, because another connection has seen it.
func (q *eventLog) load(e *era, seqs []int64) ([]*Event, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	events := make([]*Event, 0, len(seqs))
	err := q.read(e, `SELECT `+columnsOfEvent+` FROM webhooks_events e WHERE e.seq `+q.store.isListed(1), []any{q.store.list(seqs)},
		func(rows *sql.Rows) error {
			event, err := q.store.scanEvent(rows)
			events = append(events, event)
			return err
		})
	if err != nil {
		return nil, err
	}
	if len(events) != len(seqs) {
		return nil, q.store.dropStaleReaders(errStale)
	}
	slices.SortFunc(events, func(a, b *Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events, q.loadRequests(e, events)
}

// loadRequests reads the requests that events share with others. It returns errStale if
// one is missing.
func (q *eventLog) loadRequests(e *era, events []*Event) error {
	requests := make(map[int64]*Request)
	var firsts []int64
	for _, event := range events {
		if event.shared == 0 {
			continue
		}
		if requests[event.shared] == nil {
			requests[event.shared] = new(Request)
			firsts = append(firsts, event.shared)
		}
		event.Request = requests[event.shared]
	}
	if len(firsts) == 0 {
		return nil
	}
	found := 0
	err := q.read(e, `SELECT first, request FROM webhooks_requests WHERE first `+q.store.isListed(1), []any{q.store.list(firsts)},
		func(rows *sql.Rows) error {
			var first int64
			var request []byte
			err := rows.Scan(&first, &request)
			requests[first].decode(request)
			found++
			return err
		})
	if err == nil && found != len(firsts) {
		return q.store.dropStaleReaders(errStale)
	}
	return err
}
