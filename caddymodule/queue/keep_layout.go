package queue

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// arrangeRetry is how long a gateway waits before it looks at the layout again, and
	// arrangeDelay after an error.
	arrangeRetry = 200 * time.Millisecond
	arrangeDelay = time.Second

	// arrangeTimeout cancels a switch that hangs. It may have to create logs.
	arrangeTimeout = time.Minute
)

// keepLayout follows the layout of the queue until it is closed.
func (q *Queue) keepLayout() {
	opened := q.logs()[0].opened
	if !q.opening {
		opened = nil
	}
	for {
		select {
		case <-q.changed:
		case <-opened:
			opened = nil
		case <-q.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(q.ctx, arrangeTimeout)
		settled, err := q.arrange(ctx)
		cancel()
		q.complain(err)
		if !settled {
			if err == nil {
				q.computeUntil()
			}
			q.kick()
		}
		delay := arrangeRetry
		if err != nil && !errors.Is(err, errSwitching) {
			delay = arrangeDelay
		}
		if !wait(q.ctx, delay) {
			return
		}
	}
}

// computeUntil has the end of all windows before a switch computed, unless another gateway
// does so.
func (q *Queue) computeUntil() {
	ctx, cancel := context.WithTimeout(q.ctx, migrateTimeout)
	defer cancel()
	unlock, err := q.lockLayout(ctx)
	if err != nil {
		return // the next try looks again
	}
	defer unlock()
	s, err := q.survey(ctx)
	if err == nil {
		err = q.noteUntil(ctx, s)
	}
	q.complain(err)
}

// complain logs an error, unless it is the same as before.
func (q *Queue) complain(err error) {
	text := ""
	if err != nil && q.ctx.Err() == nil && !errors.Is(err, errSwitching) {
		text = err.Error()
	}
	if text != "" && text != q.complaint {
		q.log().Error("cannot arrange the logs of the queue; retrying", zap.Error(err))
	}
	q.complaint = text
}

// log returns the logger of the current configuration.
func (q *Queue) log() *zap.Logger {
	if logs := q.logs(); len(logs) > 0 {
		return logs[0].log()
	}
	return q.settings.Logger
}

// noteEpoch compares the epoch of a log with the layout that this gateway knows, which may
// be another one by now.
func (c *common) noteEpoch(number int, epoch int64) {
	if l := c.layout.Load(); epoch != l.epoch && number < l.total {
		c.kick()
	}
}

// kick has the gateway look at the layout.
func (c *common) kick() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}
