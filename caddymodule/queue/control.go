package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Status tells how far each destination is.
func (q *Queue) Status(ctx context.Context) ([]DestinationStatus, error) {
	if !q.isOpen() {
		return nil, errNotOpen
	}
	rows, err := q.store.destinations(ctx)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	living := map[string][]string{q.holder: nil}
	if q.shared() {
		if living, err = q.livingGateways(ctx); err != nil {
			return nil, unavailable(ctx, err)
		}
	}
	all := make([]DestinationStatus, len(rows))
	byName := make(map[string]*DestinationStatus, len(rows))
	for i, r := range rows {
		all[i] = DestinationStatus{Destination: r.name, Configured: !r.isOrphan(), Paused: r.paused}
		if _, isLiving := living[r.holder]; isLiving {
			all[i].Gateway = r.holder
		}
		byName[r.name] = &all[i]
		if err := q.addLog(ctx, &all[i], r); err != nil {
			return nil, unavailable(ctx, err)
		}
	}
	return all, q.addDeferred(ctx, byName)
}

// addLog adds what a destination has not taken from the log.
func (q *Queue) addLog(ctx context.Context, s *DestinationStatus, r destinationRow) error {
	position := r.position
	q.mu.Lock()
	w := q.workers[r.name]
	q.mu.Unlock()
	if w != nil {
		w.mu.Lock()
		status := w.status
		w.mu.Unlock()
		if s.Here = status.here; s.Here {
			position = status.pos
			s.Down, s.Backlog, s.OldestUndelivered = status.down, status.open, status.oldest
		}
	}
	ahead, first, err := q.countAhead(ctx, &r, position)
	if err != nil || ahead == 0 {
		return err
	}
	s.Backlog += ahead
	oldest, err := q.store.oldest(ctx, &r, first)
	s.note(oldest)
	return err
}

func (s *DestinationStatus) note(oldest time.Time) {
	if !oldest.IsZero() && (s.OldestUndelivered.IsZero() || oldest.Before(s.OldestUndelivered)) {
		s.OldestUndelivered = oldest
	}
}

// addDeferred adds what is waiting, and what is dead.
func (q *Queue) addDeferred(ctx context.Context, byName map[string]*DestinationStatus) error {
	return q.query(ctx, `SELECT name, state, count(*), min(received) FROM webhooks_deliveries GROUP BY name, state`, nil, func(rows *sql.Rows) error {
		var name, state string
		var n, received int64
		if err := rows.Scan(&name, &state, &n, &received); err != nil {
			return err
		}
		s := byName[name]
		switch {
		case s == nil:
		case state == stateDead:
			s.DeadLetters = n
		default:
			s.Backlog += n
			s.note(q.store.time(received))
		}
		return nil
	})
}

// logOrphans logs what is kept for names that no configuration has.
func (q *Queue) logOrphans() {
	all, err := q.Status(q.ctx)
	if err != nil {
		return // it is only for information
	}
	for _, s := range all {
		if !s.Configured && s.Backlog+s.DeadLetters > 0 {
			q.log().Warn("this name is not in the configuration any more; its events are kept until it returns, or until `caddy webhooks forget`",
				zap.String("destination", s.Destination), zap.Int64("backlog", s.Backlog), zap.Int64("dead_letters", s.DeadLetters))
		}
	}
}

const columnsOfDead = `e.key, d.name, e.provider, e.event_id, e.type, d.attempts, d.status, d.error, d.excerpt, d.received, d.tried`

// DeadLetters returns the latest dead letters, of one destination or all.
func (q *Queue) DeadLetters(ctx context.Context, destination string, limit int) ([]DeadLetter, error) {
	all := []DeadLetter{}
	err := q.query(ctx, `SELECT `+columnsOfDead+` FROM webhooks_deliveries d JOIN webhooks_events e ON e.seq = d.seq
		WHERE d.state = 'dead' AND (d.name = $1 OR $1 = '') ORDER BY d.tried DESC, d.seq DESC LIMIT $2`, []any{destination, limit},
		func(rows *sql.Rows) error {
			d, err := q.store.scanDead(rows)
			all = append(all, d)
			return err
		})
	return all, err
}

// What selects events by their key, $1. Beside the last one that has it there can
// be dead letters of the same name from before, when it was not remembered any
// more; they are looked for one by one, which is slow, and rare.
const (
	lastOfKey = `(SELECT seq FROM webhooks_keys WHERE key = $1)`
	deadOfKey = `(SELECT d.seq FROM webhooks_deliveries d CROSS JOIN webhooks_events e
		WHERE e.seq = d.seq AND d.state = 'dead' AND e.key = $1)`
)

// DeadLettersOf returns the dead letters of one event, with what the
// destinations were sent.
func (q *Queue) DeadLettersOf(ctx context.Context, key envelope.Key) (all []DeadLetter, err error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		err := q.query(ctx, `SELECT `+columnsOfDead+`, e.body FROM webhooks_deliveries d JOIN webhooks_events e ON e.seq = d.seq
			WHERE d.state = 'dead' AND d.seq IN `+ofKey+` ORDER BY d.name, d.seq`, []any{key[:]},
			func(rows *sql.Rows) error {
				var body []byte
				d, err := q.store.scanDead(rows, &body)
				d.Body = body
				all = append(all, d)
				return err
			})
		if err != nil || len(all) > 0 {
			return all, err
		}
	}
	return nil, fmt.Errorf("%w: %s is no dead letter", ErrUnknown, key)
}

func (s *store) scanDead(rows *sql.Rows, more ...any) (DeadLetter, error) {
	var d DeadLetter
	var key, excerpt []byte
	var received, tried int64
	err := rows.Scan(append([]any{&key, &d.Destination, &d.Provider, &d.EventID, &d.Type, &d.Attempts, &d.LastStatus, &d.LastError, &excerpt, &received, &tried}, more...)...)
	if len(key) == len(envelope.Key{}) {
		d.ID = envelope.Key(key).String()
	}
	d.Excerpt = storable(string(excerpt))
	d.Received, d.Died = s.time(received).UTC(), s.time(tried).UTC()
	return d, err
}

// Discard removes dead letters, and returns how many.
func (q *Queue) Discard(ctx context.Context, s Selection) (int64, error) {
	if s.Dead {
		return q.inSteps(ctx, func(t *tx) (int64, error) {
			return t.changed(`DELETE FROM webhooks_deliveries WHERE (seq, name) IN (SELECT seq, name FROM webhooks_deliveries
				WHERE state = 'dead' AND (name = $1 OR $1 = '') LIMIT `+stepRows+`)`, s.Destination)
		})
	}
	var total int64
	err := q.doWith(ctx, func(t *tx) error { // all of them or none
		total = 0
		for _, key := range s.Keys {
			n, err := t.discard(key, s.Destination)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

// discard removes the dead letters of an event.
func (t *tx) discard(key envelope.Key, destination string) (int64, error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		n, err := t.changed(`DELETE FROM webhooks_deliveries WHERE state = 'dead' AND seq IN `+ofKey+` AND (name = $2 OR $2 = '')`, key[:], destination)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("%w: %s is no dead letter", ErrUnknown, key)
}

// stepRows is how many rows one step of a long change takes.
const stepRows = "500"

// inSteps repeats a change until there is nothing left to change: in small
// transactions, so that no answer waits for long.
func (q *Queue) inSteps(ctx context.Context, step func(t *tx) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := q.doWith(ctx, func(t *tx) (err error) {
			n, err = step(t)
			return err
		})
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// doWith is do for somebody who waits no longer than ctx.
func (q *Queue) doWith(ctx context.Context, run func(t *tx) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	return unavailable(ctx, q.writer.do(ctx, &change{run: run}))
}

// query is store.query for somebody who asks.
func (q *Queue) query(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	return unavailable(ctx, q.store.query(ctx, query, args, scan))
}

// unavailable says of an error of the database that it is one.
func unavailable(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrUnknown) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
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

// known returns an error unless there is a destination of that name.
func (q *Queue) known(ctx context.Context, name string) error {
	found := false
	err := q.query(ctx, `SELECT 1 FROM webhooks_destinations WHERE name = $1`, []any{name}, func(*sql.Rows) error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no destination %q", ErrUnknown, name)
	}
	return err
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

// skips reports whether an event came in while no configuration had the name.
func (r *destinationRow) skips(seq int64) bool {
	for _, g := range r.gaps {
		if g.From < seq && g.To != 0 && seq <= g.To && g.Source == "" {
			return true
		}
	}
	return false
}

// Pause begins no attempt for a destination any more, until Resume.
func (q *Queue) Pause(ctx context.Context, name string) error { return q.setPaused(ctx, name, true) }

// Resume takes back a Pause.
func (q *Queue) Resume(ctx context.Context, name string) error { return q.setPaused(ctx, name, false) }

func (q *Queue) setPaused(ctx context.Context, name string, paused bool) error {
	if err := q.known(ctx, name); err != nil {
		return err
	}
	// Also when nobody waits any more: the worker must learn of what is committed.
	err := q.doWith(context.WithoutCancel(ctx), func(t *tx) error {
		return t.exec(`UPDATE webhooks_destinations SET paused = $1 WHERE name = $2`, asInt(paused), name)
	})
	q.mu.Lock()
	w := q.workers[name]
	q.mu.Unlock()
	if w != nil { // also after an error, when it is not known what was written
		w.pausing.Store(true)
		w.poke()
	}
	return err
}

// Forget discards all that is kept for a name that is not in the configuration
// any more, and returns how many deliveries that were, dead letters included.
func (q *Queue) Forget(ctx context.Context, name string) (int64, error) {
	status, err := q.Status(ctx)
	if err != nil {
		return 0, err
	}
	found := false
	var discarded int64
	for _, s := range status {
		if s.Destination == name {
			if found = true; s.Configured {
				return 0, fmt.Errorf("destination %q: %w", name, ErrConfigured)
			}
			discarded = s.Backlog + s.DeadLetters
		}
	}
	if !found {
		return 0, fmt.Errorf("%w: there is no destination %q", ErrUnknown, name)
	}
	if _, err := q.inSteps(ctx, func(t *tx) (int64, error) {
		return t.changed(`DELETE FROM webhooks_deliveries WHERE (seq, name) IN (SELECT seq, name FROM webhooks_deliveries WHERE name = $1 LIMIT `+stepRows+`)`, name)
	}); err != nil {
		return 0, err
	}
	err = q.doWith(ctx, func(t *tx) error {
		return t.exec(`DELETE FROM webhooks_destinations WHERE name = $1`, name)
	})
	if err == nil {
		q.log().Info("a name was forgotten", zap.String("destination", name), zap.Int64("discarded", discarded))
	}
	return discarded, err
}
