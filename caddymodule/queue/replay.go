package queue

import (
	"context"
	"database/sql"
	"fmt"
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

	// Cause limits dead letters to those with this last error. Default: all.
	Cause string

	// DryRun only counts.
	DryRun bool

	// Progress, if it is not nil, is called with the number of deliveries that were
	// replayed or discarded so far.
	Progress func(n int64)
}

// Replay schedules events to be delivered again to the destinations that take them, and
// returns the number of deliveries. Events that wait for a retry are tried at once.
// Events that still wait for their first attempt are unaffected and not counted.
func (q *Queue) Replay(ctx context.Context, s Selection) (n int64, err error) {
	defer q.lookForDue()
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
		return q.inSteps(ctx, func(t *tx) (int64, error) {
			return t.changed(`UPDATE webhooks_deliveries SET state = 'retry', replay = 1, attempts = 0, due = $1
				WHERE (seq, name) IN (SELECT seq, name FROM webhooks_deliveries WHERE state = 'dead' AND (name = $2 OR $2 = '') LIMIT `+stepRows+`)`,
				t.micros(q.now()), s.Destination)
		})
	case len(s.Keys) > 0:
		return q.replayKeys(ctx, e, s)
	default:
		return q.replaySince(ctx, e, s)
	}
}

// lookForDue makes the workers look for deliveries that are due now.
func (q *Queue) lookForDue() {
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
}

func scanReplayable(rows *sql.Rows) (r replayable, err error) {
	err = rows.Scan(&r.seq, &r.source, &r.eventType, &r.partitionKey, &r.received, &r.size)
	return r, err
}

// replayKeys replays single events, all of them or none.
func (q *Queue) replayKeys(ctx context.Context, e *era, s Selection) (int64, error) {
	var events []replayable
	for _, key := range s.Keys {
		found, err := q.replayable(ctx, key)
		if err != nil {
			return 0, err
		}
		events = append(events, found...)
	}
	return q.replay(ctx, e, events, s.Destination)
}

// replayable returns the events of a key that are still stored.
func (q *Queue) replayable(ctx context.Context, key envelope.Key) (events []replayable, err error) {
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
	return nil, fmt.Errorf("%w: %s is not in the queue; it may have been older than `retention`", ErrUnknown, key)
}

// replaySince replays all events that came in since a time, in steps.
func (q *Queue) replaySince(ctx context.Context, e *era, s Selection) (total int64, err error) {
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
		n, err := q.replay(ctx, e, events, s.Destination)
		total += n
		if err != nil {
			return total, err
		}
	}
}

// replay replays some events in one transaction. Parked and running deliveries are left
// alone, and those that wait for a retry are due now.
func (q *Queue) replay(ctx context.Context, e *era, events []replayable, destination string) (int64, error) {
	destinations, err := q.store.destinations(ctx)
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	now := q.store.micros(q.now())
	var n int64
	err = q.doWith(ctx, func(t *tx) (err error) {
		n = 0
		if err = t.checkEra(e); err != nil {
			return err
		}
		for i := range destinations {
			d := &destinations[i]
			if destination != "" && d.name != destination || destination == "" && d.isOrphan() {
				continue
			}
			for _, e := range events {
				if !d.filter.Takes(e.source, e.eventType) {
					continue
				}
				var changed int64
				changed, err = t.changed(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
					SELECT $1, name, 'retry', $2, 0, 1, $2, 0, '', $3, $4, $5 FROM webhooks_destinations WHERE name = $6 AND (position >= $1 OR $7)
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
