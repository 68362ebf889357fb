package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Selection says which events to replay, or which dead letters to discard.
type Selection struct {
	// Keys are single events.
	Keys []envelope.Key

	// Dead are all dead letters.
	Dead bool

	// Since are all events that came in at this time or later.
	Since time.Time

	// Destination limits it to one destination; empty is all of them.
	Destination string
}

// Replay has events delivered again, by the destinations that take them, and
// returns how many deliveries that are. An event that still waits for its first
// delivery is not counted: it will come anyway.
func (q *Queue) Replay(ctx context.Context, s Selection) (n int64, err error) {
	defer q.lookForDue()
	if s.Destination != "" {
		if err := q.known(ctx, s.Destination); err != nil {
			return 0, err
		}
	}
	// What ended just now is not written yet.
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

// lookForDue makes the destinations look for what is due now.
func (q *Queue) lookForDue() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		w.overdue.Store(true)
		w.poke()
	}
}

const columnsOfReplay = `seq, source, type, partition_key, received, size`

// replayable is what a replay knows of an event.
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

// replayable returns the events of a key that are kept.
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
	return nil, fmt.Errorf("%w: %s is not kept, or not any more", ErrUnknown, key)
}

func (q *Queue) replaySince(ctx context.Context, e *era, s Selection) (total int64, err error) {
	head := q.head() // what comes in meanwhile is delivered anyway
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

// replay has some events delivered again. What is parked or being tried is left
// alone, and what waits for a retry is due now.
func (q *Queue) replay(ctx context.Context, e *era, events []replayable, destination string) (int64, error) {
	destinations, err := q.store.destinations(ctx)
	if err != nil {
		return 0, unavailable(ctx, err)
	}
	now := q.store.micros(q.now())
	var n int64
	err = q.doWith(ctx, func(t *tx) error {
		n = 0
		if err := t.checkEra(e); err != nil {
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
				changed, err := t.changed(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
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
		return 0, err // n may still be counted, when ctx has ended
	}
	return n, nil
}
