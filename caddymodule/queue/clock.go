package queue

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// clockSlack is how far a stored time may be ahead of the clock before it means that
// the clock was set back.
const clockSlack = time.Minute

// clock converts between the gateway's time and the times in the database, which are
// microseconds since 1970. Gateways that share a server use the server's clock, because
// theirs may differ. The zero value converts between equal clocks.
type clock struct {
	mu     sync.Mutex
	offset time.Duration // by which the server's clock is ahead
}

// micros returns a time of the gateway as the database has it.
func (c *clock) micros(t time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Add(c.offset).UnixMicro()
}

// time returns a time of the database by the gateway's clock.
func (c *clock) time(micros int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMicro(micros).Add(-c.offset)
}

// timeOrZero is like time, but returns the zero time for 0.
func (c *clock) timeOrZero(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return c.time(micros).UTC()
}

// adjust updates the offset from a time that the server's clock showed between two
// times of the gateway. The offset moves only if it contradicts them, so that a slow
// answer does not make it jump.
func (c *clock) adjust(before, after time.Time, micros int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := time.UnixMicro(micros)
	least, most := shown.Sub(after.Round(0)), shown.Sub(before.Round(0))
	c.offset = min(max(c.offset, least), most)
}

// checkClock moves retries that were scheduled before the clock was set back. They
// would otherwise wait until it shows the same time again.
func (q *eventLog) checkClock() error {
	now := q.now()
	var seen int64
	isBack := false
	err := q.do(func(t *tx) error {
		if err := t.row(`SELECT seen FROM webhooks_probe WHERE id = 1`, nil, &seen); err != nil {
			return err
		}
		if isBack = seen > t.micros(now.Add(clockSlack)); isBack {
			if err := t.exec(`UPDATE webhooks_deliveries SET due = $1 + CASE WHEN due > tried THEN due - tried ELSE 0 END, tried = $1
				WHERE state = 'retry' AND tried > $2`, t.micros(now), t.micros(now.Add(clockSlack))); err != nil {
				return err
			}
		}
		return t.exec(`UPDATE webhooks_probe SET seen = $1 WHERE id = (SELECT id FROM webhooks_probe WHERE id = 1`+t.store.skipLocked+`)`, t.micros(now))
	})
	if err == nil && isBack {
		q.log().Warn("clock was set back; retries keep the time that they have left to wait", zap.Duration("by", q.store.time(seen).Sub(now).Round(time.Second)))
		q.lookForDue()
	}
	return err
}
