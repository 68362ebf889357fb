package queue

import (
	"context"
	"database/sql"
	"math"
	"time"

	"go.uber.org/zap"
)

const (
	// orderInterval is how often an ordered destination looks how far it is in other logs.
	orderInterval = 200 * time.Millisecond

	// orderTimeout cancels a look that hangs.
	orderTimeout = 2 * time.Second
)

// ordering is what a worker of an ordered destination knows about the logs that had the
// slots of its log before. Events of a partition key are in one log after the other, and
// must be delivered in this order.
type ordering struct {
	passed int       // past layouts whose events no log has to deliver before those of this one
	lookAt time.Time // when to look again
	look   *look     // under way; nil if none
}

// look is a look at other logs.
type look struct {
	done   chan struct{} // closed at its end
	passed bool          // the destination has passed their ends at a switch
}

// orderLimit returns the number up to which the destination may be read now: the end of
// the log at the first switch that it has not passed in other logs. Events of a layout that
// this gateway does not know yet wait for it.
func (w *worker) orderLimit(now time.Time) int64 {
	l := w.q.layout.Load()
	if l.epoch != w.era.epoch || w.q.writer.epoch.Load() != l.epoch {
		w.lookAt = now.Add(orderInterval)
		return w.pos
	}
	for ; w.passed < len(l.past); w.passed++ {
		switch end := l.past[w.passed].endOf(w.q.number); {
		case end == notKnown:
			w.lookAt = now.Add(orderInterval)
			return w.pos
		case w.pos < end:
			return end
		case w.pos == end && !w.hasPassed(l, now):
			return end
		}
		// Beyond the end, an earlier tenure has waited.
	}
	return math.MaxInt64
}

// hasPassed reports whether the destination is known to have passed, in all logs that gave
// slots to this one at the next switch, what they held then. It looks in a goroutine of its
// own: a server that does not answer must not hold up the worker.
func (w *worker) hasPassed(l *layout, now time.Time) bool {
	if w.look == nil {
		if now.Before(w.lookAt) {
			return false
		}
		w.look = &look{done: make(chan struct{})}
		go w.lookAround(w.look, w.era, l, w.passed) // ended by orderTimeout
		return false
	}
	select {
	case <-w.look.done:
		passed := w.look.passed
		w.look, w.lookAt = nil, now.Add(orderInterval)
		return passed
	default:
		return false
	}
}

// lookAround looks how far the destination is in other logs, and wakes the worker.
func (w *worker) lookAround(c *look, e *era, l *layout, number int) {
	defer w.poke()
	defer close(c.done)
	ctx, cancel := context.WithTimeout(e, orderTimeout)
	defer cancel()
	for before, end := range l.gaveTo(number, w.q.number) {
		q := w.q.logAt(before)
		if q == nil && before >= l.logs {
			continue // it is empty
		}
		if q == nil || end == notKnown {
			return
		}
		passed, err := q.isPassed(ctx, w.name, end)
		if err != nil && ctx.Err() == nil {
			w.q.logFailure("cannot read how far this destination is in another log, and does not read on in this one; retrying", err,
				zap.String("destination", w.name), zap.Int("log", w.q.number), zap.Int("other", before))
		}
		if !passed {
			return
		}
	}
	c.passed = true
}

// selectPassed reads whether a destination has nothing left to deliver in order up to a
// number. It lists states, so that an index leaves out dead letters, which may be many.
const selectPassed = `SELECT position >= $2 AND NOT EXISTS (SELECT 1 FROM webhooks_deliveries d
		WHERE d.name = $1 AND d.seq <= $2 AND d.replay = 0 AND d.state IN ('retry', 'running', 'parked') AND d.partition_key <> '')
	FROM webhooks_destinations WHERE name = $1`

// isPassed reports whether a destination has nothing left to deliver in order up to a
// number. One that does not exist here has nothing.
func (q *eventLog) isPassed(ctx context.Context, name string, end int64) (bool, error) {
	passed := true
	err := q.query(ctx, selectPassed+` AND `+q.store.isPrimary, []any{name, end},
		func(rows *sql.Rows) error { return rows.Scan(&passed) })
	return passed && err == nil, err
}

// endOf returns the end of a log at the switch, 0 for one that the switch added.
func (p *pastLayout) endOf(number int) int64 {
	if number >= len(p.last) {
		return 0
	}
	return p.last[number]
}

// gaveTo returns the logs that had slots which another one got when a past layout ended,
// and their ends when they had them last. Those of earlier layouts count, too: the log that
// had the slots in between does not wait for them if it has no event.
func (l *layout) gaveTo(number, to int) map[int]int64 {
	after := l.logs
	if number+1 < len(l.past) {
		after = l.past[number+1].logs
	}
	next, from := &layout{logs: after}, make(map[int]int64)
	for slot := range slots {
		if next.logOf(slot) != to || l.past[number].logOf(slot) == to {
			continue
		}
		for _, p := range l.past[:number+1] {
			if of := p.logOf(slot); of != to {
				from[of] = max(from[of], p.endOf(of))
			}
		}
	}
	return from
}
