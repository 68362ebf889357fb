package queue

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// clockSlack is how far a time may lie ahead of the clock before it counts as one
// from before the clock was set back.
const clockSlack = time.Minute

// clock converts between the gateway's time and the queue's, which are microseconds
// since 1970. Gateways that share a server go by the server's clock, as theirs may
// differ. The zero value is for a queue whose clock is the gateway's own.
type clock struct {
	mu     sync.Mutex
	offset time.Duration // how far the queue's clock is ahead
}

// micros returns a time by the queue's clock.
func (c *clock) micros(t time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t.Add(c.offset).UnixMicro()
}

// time returns a time of the queue by the gateway's clock.
func (c *clock) time(micros int64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.UnixMicro(micros).Add(-c.offset)
}

// adjust takes in what the server's clock showed between two times of the gateway.
// It moves the offset only if that cannot be right, so that answers which take long
// do not make it jump.
func (c *clock) adjust(before, after time.Time, micros int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := time.UnixMicro(micros)
	least, most := shown.Sub(after.Round(0)), shown.Sub(before.Round(0))
	c.offset = min(max(c.offset, least), most)
}

// checkClock moves the retries that were planned before the clock was set back: they
// would wait until it shows the same time again.
func (q *Queue) checkClock() error {
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
		q.log().Warn("the clock was set back; retries wait as long as they would have", zap.Duration("by", q.store.time(seen).Sub(now).Round(time.Second)))
		q.lookForDue()
	}
	return err
}
