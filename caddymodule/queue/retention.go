package queue

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	// sweepInterval is how often events that are too old are removed.
	sweepInterval = time.Minute

	// pressureInterval is how often the size is compared with the limit.
	pressureInterval = time.Second

	// deadShare is the part of the queue's size that dead letters may take: a quarter.
	deadShare = 4

	// sweepRows is the maximum number of events that one transaction removes, so that
	// no answer waits for long.
	sweepRows = 200
)

// maintain removes what need not be kept any more, until the queue is closed.
func (q *eventLog) maintain() {
	var swept time.Time
	var vain int64 // far, as it was when a sweep freed nothing
	for wait(q.ctx, pressureInterval) {
		due := q.now().Sub(swept) >= sweepInterval
		if !due && !q.isShort() {
			continue
		}
		if due {
			swept = q.now()
			if q.store.shared {
				q.declare() // a gateway that has died may have been the only one with a name
				q.forgetGateways()
			}
		}
		e := q.currentEra()
		if e == nil {
			continue
		}
		destinations, err := q.store.destinations(q.ctx)
		if due && err == nil {
			err = q.checkClock()
		}
		far, freed := q.ended.Load(), int64(0)
		for _, r := range destinations {
			far += r.position
		}
		if err == nil && !due && far == vain {
			continue
		}
		if err == nil {
			freed, err = q.sweep(q.ctx, e, destinations)
		}
		if err == nil && due {
			err = q.sweepAttempts(q.ctx)
		}
		if err != nil && q.ctx.Err() == nil {
			q.logFailure("cannot remove old events; retrying", err)
		}
		if vain = far; freed > 0 {
			vain = -1
		}
	}
}

// isShort reports whether the events of all logs take 90 % of the size.
func (q *eventLog) isShort() bool {
	return q.budget.bytes.Load() >= q.budget.pressure()
}

// sweep removes dead letters and delivered events that are too old or take too much
// room, and returns the number of bytes that it frees.
func (q *eventLog) sweep(ctx context.Context, e *era, destinations []destinationRow) (freed int64, err error) {
	cutoff := q.cutoff()
	if err := q.forgetKeys(ctx); err != nil {
		return 0, err
	}
	if err := q.forgetPlaces(ctx); err != nil {
		return 0, err
	}
	if err := q.sweepDead(ctx, e, cutoff); err != nil {
		return 0, err
	}
	for after := int64(0); ; {
		b, err := q.sweepable(ctx, after, destinations)
		if err != nil || b.last == after {
			return freed, err
		}
		after = b.last
		n, done, err := q.remove(ctx, e, b, cutoff)
		if freed += n; err != nil || done {
			return freed, err
		}
	}
}

// cutoff returns the time before which what ended is too old.
func (q *eventLog) cutoff() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.store.micros(q.now().Add(-q.retention))
}

// forgetKeys removes keys whose events are gone and whose window has ended. Each
// gateway removes the keys whose rows in webhooks_expired_keys it has removed.
func (q *eventLog) forgetKeys(ctx context.Context) error {
	now := q.store.micros(q.now())
	_, err := q.inSteps(ctx, func(t *tx) (int64, error) {
		var keys [][]byte
		if err := t.rows(`DELETE FROM webhooks_expired_keys WHERE (expires, key) IN (
			SELECT expires, key FROM webhooks_expired_keys WHERE expires <= $1 ORDER BY expires, key LIMIT `+stepRows+`) RETURNING key`,
			[]any{now}, func(rows *sql.Rows) error {
				var key []byte
				err := rows.Scan(&key)
				keys = append(keys, key)
				return err
			}); err != nil {
			return 0, err
		}
		// A key that has come again since has a later end.
		err := t.exec(`DELETE FROM webhooks_keys WHERE key `+t.store.isListedKey(1)+` AND expires <= $2`, t.store.keyList(keys), now)
		return int64(len(keys)), err
	})
	return err
}

// forgetGateways removes the rows of gateways that died more than an hour ago.
func (q *eventLog) forgetGateways() {
	err := q.do(func(t *tx) error {
		return t.exec(`DELETE FROM webhooks_gateways WHERE until < `+t.store.serverTime+` - $1`, time.Hour.Microseconds())
	})
	if err != nil && q.ctx.Err() == nil {
		q.logFailure("cannot remove the rows of dead gateways; retrying", err)
	}
}

// loggedEvent is an event of the log as a sweep reads it.
type loggedEvent struct {
	seq, received, size int64
	delivered           bool
}

// logPart is a part of the log.
type logPart struct {
	events []loggedEvent
	last   int64 // the seq of the last one
}

// sweepable reads the part of the log after a number.
func (q *eventLog) sweepable(ctx context.Context, after int64, destinations []destinationRow) (logPart, error) {
	b := logPart{last: after}
	perhaps := make([][]int64, len(destinations)) // awaited by a destination if its conditions hold
	err := q.store.query(ctx, `SELECT seq, source, type, received, size, EXISTS (SELECT 1 FROM webhooks_deliveries d WHERE d.seq = e.seq)
		FROM webhooks_events e WHERE seq > $1 ORDER BY seq`+limitTo("$2"), []any{after, sweepRows}, func(rows *sql.Rows) error {
		var l loggedEvent
		var source, eventType string
		var isDeferred bool
		if err := rows.Scan(&l.seq, &source, &eventType, &l.received, &l.size, &isDeferred); err != nil {
			return err
		}
		l.delivered = !isDeferred
		for i := range destinations {
			switch d := &destinations[i]; {
			case !d.mayAwait(l.seq, source, eventType):
			case d.hasConditions():
				perhaps[i] = append(perhaps[i], l.seq)
			default:
				l.delivered = false
			}
		}
		b.events = append(b.events, l)
		b.last = l.seq
		return nil
	})
	if err != nil {
		return b, err
	}
	for i, seqs := range perhaps {
		held, err := q.holding(ctx, destinations[i].filter.When, seqs)
		if err != nil {
			return b, err
		}
		b.keepAwaited(seqs, held)
	}
	return b, nil
}

// keepAwaited notes that some events are not delivered, unless conditions are known not
// to hold for them.
func (b *logPart) keepAwaited(seqs []int64, held map[int64]bool) {
	for i := range b.events {
		if !slices.Contains(seqs, b.events[i].seq) {
			continue
		}
		if holds, isKnown := held[b.events[i].seq]; holds || !isKnown {
			b.events[i].delivered = false
		}
	}
}

// remove removes the delivered events of a part of the log that are too old or, while
// room is short, of any age. done means that the rest of the log is too young.
func (q *eventLog) remove(ctx context.Context, e *era, b logPart, cutoff int64) (freed int64, done bool, err error) {
	var old []int64
	excess := q.budget.bytes.Load() - q.budget.pressure()
	for _, l := range b.events {
		if done = l.received >= cutoff && excess <= 0; done {
			break
		}
		if l.delivered {
			old = append(old, l.seq)
			excess -= l.size
		}
	}
	if len(old) == 0 {
		return 0, done, nil
	}
	var removed, last, bytes int64
	err = q.doWith(ctx, func(t *tx) (err error) {
		if err = t.checkEra(e); err != nil { // the numbers may belong to other events now
			return err
		}
		var forgotten forgottenKeys
		if removed, forgotten, err = t.removeEvents(old, q.now()); err != nil {
			return err
		}
		// The counter makes other gateways wait, so it comes late; but before the keys, as
		// in pgStore, because gateways must lock in the same order.
		if err = t.row(`UPDATE webhooks_queue SET bytes = bytes - $1 WHERE id = 1 RETURNING last, bytes`, []any{removed}, &last, &bytes); err != nil {
			return err
		}
		// A key that has come again since belongs to another event.
		return t.exec(`DELETE FROM webhooks_keys WHERE key `+t.store.isListedKey(1)+` AND seq `+t.store.isListed(2),
			t.store.keyList(forgotten.keys), t.store.list(forgotten.seqs))
	})
	if err != nil {
		return 0, done, err // removed may still be counted, when ctx has ended
	}
	q.writer.note(e, logState{last: last, bytes: bytes})
	return removed, done, nil
}

// forgottenKeys are the keys of removed events whose window has ended, with the numbers
// of the events.
type forgottenKeys struct {
	keys [][]byte
	seqs []int64
}

// removeEvents removes events, except those that have a deferred delivery by now, and
// returns the number of bytes that they took. Keys whose window has not ended are kept
// and noted in webhooks_expired_keys.
func (t *tx) removeEvents(old []int64, now time.Time) (freed int64, forgotten forgottenKeys, err error) {
	var shared []int64
	var expired []any
	err = t.rows(`DELETE FROM webhooks_events WHERE seq `+t.store.isListed(1)+`
		AND NOT EXISTS (SELECT 1 FROM webhooks_deliveries d WHERE d.seq = webhooks_events.seq) RETURNING seq, key, expires, size, shared`,
		[]any{t.store.list(old)}, func(rows *sql.Rows) error {
			var seq, expires, size, first int64
			var key []byte
			if err = rows.Scan(&seq, &key, &expires, &size, &first); err != nil {
				return err
			}
			freed += size
			if expires > t.micros(now) {
				expired = append(expired, expires, key)
			} else {
				forgotten.keys, forgotten.seqs = append(forgotten.keys, key), append(forgotten.seqs, seq)
			}
			if first != 0 && !slices.Contains(shared, first) {
				shared = append(shared, first)
			}
			return nil
		})
	if err == nil && len(shared) > 0 {
		// The lock waits for gateways that remove other events of the same requests, so
		// that the next statement sees what they removed.
		err = t.exec(`UPDATE webhooks_requests SET size = size WHERE first `+t.store.isListed(1), t.store.list(shared))
	}
	if err == nil && len(shared) > 0 {
		err = t.rows(`DELETE FROM webhooks_requests WHERE first `+t.store.isListed(1)+`
			AND NOT EXISTS (SELECT 1 FROM webhooks_events e WHERE e.seq BETWEEN webhooks_requests.first AND webhooks_requests.last) RETURNING size`,
			[]any{t.store.list(shared)}, func(rows *sql.Rows) error {
				var size int64
				err = rows.Scan(&size)
				freed += size
				return err
			})
	}
	if err == nil {
		err = t.insert(`INSERT INTO webhooks_expired_keys (expires, key)`, 2, ` ON CONFLICT (expires, key) DO NOTHING`, expired, nil)
	}
	return freed, forgotten, err
}

// sweepDead removes dead letters that are too old and, while dead letters take more
// than a quarter of the size, the oldest.
func (q *eventLog) sweepDead(ctx context.Context, e *era, cutoff int64) error {
	var bytes int64
	if err := q.store.query(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM webhooks_deliveries WHERE state = 'dead'`, nil,
		func(rows *sql.Rows) error { return rows.Scan(&bytes) }); err != nil {
		return err
	}
	excess := q.budget.dead.excess(q.number, bytes, q.budget.limit.Load()/deadShare)
	for {
		var dead []deadRow
		if err := q.store.query(ctx, `SELECT seq, name, size, tried FROM webhooks_deliveries WHERE state = 'dead' ORDER BY tried`+limitTo("$1"), []any{sweepRows},
			func(rows *sql.Rows) error {
				var d deadRow
				if err := rows.Scan(&d.seq, &d.name, &d.size, &d.tried); err != nil {
					return err
				}
				if d.tried >= cutoff && excess <= 0 {
					return errEnough
				}
				excess -= d.size
				dead = append(dead, d)
				return nil
			}); err != nil {
			return err
		}
		if len(dead) == 0 {
			return nil
		}
		if err := q.discard(e, dead); err != nil {
			return err
		}
	}
}

// deadRow is a dead letter as a sweep reads it.
type deadRow struct {
	seq, size, tried int64
	name             string
}

// discard removes dead letters, logs that and reports it to the observer.
func (q *eventLog) discard(e *era, dead []deadRow) error {
	counts := make(map[string]int)
	err := q.do(func(t *tx) error {
		clear(counts)
		if err := t.checkEra(e); err != nil {
			return err
		}
		for _, d := range dead {
			n, err := t.changed(`DELETE FROM webhooks_deliveries WHERE seq = $1 AND name = $2 AND state = 'dead'`, d.seq, d.name)
			if err != nil {
				return err
			}
			counts[d.name] += int(n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, n := range counts {
		q.log().Warn("discarded dead letters: older than `retention`, or more than a quarter of its size",
			zap.String("destination", name), zap.Int("count", n))
		if o := q.observer(); o != nil {
			o.Discarded(name, n)
		}
	}
	return nil
}

// observer returns the observer of the current generation, nil if there is none.
func (q *eventLog) observer() Observer {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.generations); n > 0 {
		return q.generations[n-1].Observer
	}
	return nil
}
