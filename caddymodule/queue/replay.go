package queue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Selection selects events to replay, or dead letters to discard: by exactly one of
// Keys, Dead, Since and Search. Discard does not support Since and Search.
type Selection struct {
	// Keys selects single events.
	Keys []envelope.Key

	// Dead selects all dead letters.
	Dead bool

	// Since selects all events that came in at this time or later.
	Since time.Time

	// Search selects the deliveries of events that it finds: to its Destination, and in
	// its State, if these are set.
	Search *Search

	// Destination limits the selection to one destination. Default: all.
	Destination string

	// Cause limits Dead to dead letters with this last error, as Causes returns it.
	// Default: all.
	Cause string

	// DryRun only counts.
	DryRun bool

	// Progress, if it is not nil, is called with the number of deliveries that were
	// replayed or discarded so far.
	Progress func(n int64)
}

// report calls Progress.
func (s *Selection) report(n int64) {
	if s.Progress != nil && !s.DryRun {
		s.Progress(n)
	}
}

// Replay schedules events to be delivered again to the destinations that take them, and
// returns the number of deliveries. Events that wait for a retry are tried at once.
// Events that still wait for their first attempt, or that come in meanwhile, are
// unaffected and not counted. So are destinations that have left the configuration,
// unless one is named.
func (q *eventLog) Replay(ctx context.Context, s Selection) (n int64, err error) {
	if !s.DryRun {
		defer q.lookForDue()
	}
	if s.Destination != "" {
		if err := q.known(ctx, s.Destination); err != nil {
			return 0, err
		}
	}
	// The latest results are not written yet.
	if !wait(ctx, 2*commitInterval) {
		return 0, context.Cause(ctx)
	}
	e := q.currentEra()
	switch {
	case e == nil:
		return 0, errNoEra
	case s.Dead:
		return q.changeDead(ctx, s, `UPDATE webhooks_deliveries SET state = 'retry', replay = 1, attempts = 0, due = $7`, q.store.micros(q.now()))
	case s.Search != nil:
		return q.replaySearch(ctx, e, s)
	case len(s.Keys) > 0:
		return q.replayKeys(ctx, e, s)
	default:
		return q.replaySince(ctx, e, s)
	}
}

// lookForDue makes the workers look for deliveries that are due now.
func (q *eventLog) lookForDue() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		w.overdue.Store(true)
		w.poke()
	}
}

const columnsOfReplay = `seq, source, type, partition_key, received, size`

// replayable is an event as a replay reads it.
type replayable struct {
	seq, received, size             int64
	source, eventType, partitionKey string

	// to are the destinations. Without a search, address fills them in.
	to []string
}

// goesTo reports whether an event is to be replayed to a destination.
func (r *replayable) goesTo(d *destinationRow) bool { return slices.Contains(r.to, d.name) }

// address fills in to which destinations events are to be replayed: those that take
// them now.
func (q *eventLog) address(ctx context.Context, destinations []destinationRow, events []replayable, s Selection) error {
	for i := range destinations {
		d := &destinations[i]
		if s.Destination != "" && d.name != s.Destination || s.Destination == "" && d.isOrphan() {
			continue
		}
		takes := func(r *replayable) bool { return d.filter.Source == r.source && d.filter.takesType(r.eventType) }
		var held map[int64]bool
		if d.hasConditions() {
			var seqs []int64
			for i := range events {
				if takes(&events[i]) {
					seqs = append(seqs, events[i].seq)
				}
			}
			var err error
			if held, err = q.holding(ctx, d.filter.When, seqs); err != nil {
				return unavailable(ctx, err)
			}
		}
		for i := range events {
			if r := &events[i]; takes(r) && (held == nil || held[r.seq]) {
				r.to = append(r.to, d.name)
			}
		}
	}
	return nil
}

func scanReplayable(rows *sql.Rows) (r replayable, err error) {
	err = rows.Scan(&r.seq, &r.source, &r.eventType, &r.partitionKey, &r.received, &r.size)
	return r, err
}

// replayKeys replays single events, all of them or none.
func (q *eventLog) replayKeys(ctx context.Context, e *era, s Selection) (int64, error) {
	var events []replayable
	for _, key := range s.uniqueKeys() {
		found, err := q.replayable(ctx, key)
		if err != nil {
			return 0, err
		}
		events = append(events, found...)
	}
	n, err := q.replay(ctx, e, events, s)
	if err == nil {
		s.report(n)
	}
	return n, err
}

// replayable returns the events of a key that are still stored.
func (q *eventLog) replayable(ctx context.Context, key envelope.Key) (events []replayable, err error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		err := q.query(ctx, `SELECT `+columnsOfReplay+` FROM webhooks_events WHERE seq IN `+ofKey, []any{key[:]},
			func(rows *sql.Rows) error {
				r, err := scanReplayable(rows)
				events = append(events, r)
				return err
			})
		if err != nil || len(events) > 0 {
			return events, err
		}
	}
	return nil, errNotStored(key)
}

// errNotStored returns the error for an event that is not in the queue.
func errNotStored(key envelope.Key) error {
	return fmt.Errorf("%w: %s is not in the queue; it may have been older than `retention`", ErrUnknown, key)
}

// receivedLast returns when the last event of a key came in, of those that are still
// stored.
func (q *eventLog) receivedLast(ctx context.Context, key envelope.Key) (last int64, err error) {
	events, err := q.replayable(ctx, key)
	for _, e := range events {
		last = max(last, e.received)
	}
	return last, err
}

// replaySince replays all events that came in since a time, in steps.
func (q *eventLog) replaySince(ctx context.Context, e *era, s Selection) (total int64, err error) {
	head := q.head() // later events are delivered anyway
	for after := int64(0); ; {
		var events []replayable
		if err := q.query(ctx, `SELECT `+columnsOfReplay+` FROM webhooks_events
			WHERE seq > $1 AND seq <= $2 AND received >= $3 ORDER BY seq LIMIT `+stepRows,
			[]any{after, head, q.store.micros(s.Since)}, func(rows *sql.Rows) error {
				r, err := scanReplayable(rows)
				events = append(events, r)
				after = r.seq
				return err
			}); err != nil || len(events) == 0 {
			return total, err
		}
		n, err := q.replay(ctx, e, events, s)
		total += n
		if err != nil {
			return total, err
		}
		s.report(total)
	}
}

// replaySearch replays the deliveries that a search finds, in steps, the newest first.
func (q *eventLog) replaySearch(ctx context.Context, e *era, s Selection) (total int64, err error) {
	f, err := q.newFinder(ctx, *s.Search, 0)
	if err != nil {
		return 0, err
	}
	isNamed := s.Destination != "" || s.Search.Destination != ""
	for isDone := false; !isDone; {
		var page Found
		if err = q.inTurn(ctx, func() error {
			f.deadline = q.now().Add(q.searchTime) // other searches get their turn
			page, err = f.page(stepEvents)
			isDone = page.Before == 0
			return err
		}); err != nil {
			return total, err
		}
		var events []replayable
		for _, found := range page.Events {
			r := replayable{
				seq: found.Seq, received: q.store.micros(found.Received), size: found.stored,
				source: found.Source, eventType: found.Type, partitionKey: found.PartitionKey,
			}
			for _, d := range found.Destinations {
				isInLog := d.State == StateWaiting && d.Next.IsZero() // it may have been delivered since
				if f.selectsDelivery(d) && !isInLog && (s.Destination == "" || d.Destination == s.Destination) && (isNamed || !f.isOrphan(d.Destination)) {
					r.to = append(r.to, d.Destination)
				}
			}
			if len(r.to) > 0 {
				events = append(events, r)
			}
		}
		n, err := q.replay(ctx, e, events, s)
		total += n
		if err != nil {
			return total, err
		}
		s.report(total)
	}
	return total, nil
}

// isOrphan reports whether no configuration has a destination.
func (s *search) isOrphan(name string) bool {
	return slices.ContainsFunc(s.destinations, func(d destinationRow) bool { return d.name == name && d.isOrphan() })
}

// replay replays some events in one transaction, or counts the deliveries. Parked and
// running deliveries are left alone, and those that wait for a retry are due now.
func (q *eventLog) replay(ctx context.Context, e *era, events []replayable, s Selection) (n int64, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	destinations, err := q.store.destinations(ctx)
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	if s.Search == nil {
		if err = q.address(ctx, destinations, events, s); err != nil {
			return 0, err
		}
	}
	if s.DryRun {
		return q.countReplay(ctx, destinations, events)
	}
	now := q.store.micros(q.now())
	err = q.doWith(ctx, func(t *tx) (err error) {
		n = 0
		if err = t.checkEra(e); err != nil {
			return err
		}
		for i := range destinations {
			d := &destinations[i]
			for _, e := range events {
				if !e.goesTo(d) {
					continue
				}
				var changed int64
				changed, err = t.changed(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
					SELECT $1, name, 'retry', $2, 0, 1, $2, 0, '', $3, $4, $5 FROM webhooks_destinations WHERE name = $6
						AND (position >= $1 OR $7 OR EXISTS (SELECT 1 FROM webhooks_deliveries d WHERE d.seq = $1 AND d.name = $6))
						AND EXISTS (SELECT 1 FROM webhooks_events WHERE seq = $1)
					ON CONFLICT (seq, name) DO UPDATE SET state = 'retry', due = excluded.due,
						attempts = CASE WHEN webhooks_deliveries.state = 'dead' THEN 0 ELSE webhooks_deliveries.attempts END,
						replay = CASE WHEN webhooks_deliveries.state = 'dead' THEN 1 ELSE webhooks_deliveries.replay END
					WHERE webhooks_deliveries.state IN ('dead', 'retry')`,
					e.seq, now, e.partitionKey, e.received, e.size, d.name, d.skips(e.seq))
				if err != nil {
					return err
				}
				n += changed
			}
		}
		return nil
	})
	if err != nil {
		return 0, err // the transaction may still be running when ctx has ended
	}
	return n, nil
}

// countReplay counts the deliveries that replay would schedule.
func (q *eventLog) countReplay(ctx context.Context, destinations []destinationRow, events []replayable) (n int64, err error) {
	deferred, err := q.deferredOf(ctx, column(events, func(r replayable) int64 { return r.seq }))
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	for i := range destinations {
		d := &destinations[i]
		for _, e := range events {
			if !e.goesTo(d) {
				continue
			}
			row, ok := deferred[e.seq][d.name]
			if ok && (row.state == stateDead || row.state == stateRetry) || !ok && (d.position >= e.seq || d.skips(e.seq)) {
				n++
			}
		}
	}
	return n, nil
}
