package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"go.uber.org/zap"
)

// era is a period in which a gateway renews its lease in time and the server keeps one
// history. Attempts and reads that began in an era end with it. A queue that is not
// shared has one era.
type era struct {
	context.Context
	end      context.CancelFunc
	timeline string
	epoch    int64       // of the layout when it began
	moved    atomic.Bool // the log has another layout: all leases are to be handed back
}

func newEra(timeline string) *era {
	e := &era{timeline: timeline}
	e.Context, e.end = context.WithCancel(context.Background())
	return e
}

// currentEra returns the era if it has not ended, else nil.
func (q *eventLog) currentEra() *era {
	q.members.mu.Lock()
	defer q.members.mu.Unlock()
	if e := q.members.era; e != nil && e.Err() == nil {
		return e
	}
	return nil
}

// beginEra replaces an era, unless another goroutine has done so, and returns the
// current one.
func (q *eventLog) beginEra(from *era, s logState) *era {
	m := &q.members
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.era; e != from && e.Err() == nil && e.timeline >= s.timeline {
		return e
	}
	if m.era != nil {
		m.era.end()
	}
	m.era = newEra(s.timeline)
	m.era.epoch = s.epoch
	if q.shared() { // some connections may lead to the former server
		q.store.newest.Store(s.timeline)
		q.store.replaced.Add(1)
		q.store.eras.Add(1)
	}
	q.writer.restart(m.era, s)
	return m.era
}

// errNoEra means that the lease of the gateway has ended.
var errNoEra = fmt.Errorf("%w: the lease could not be renewed in time", ErrUnavailable)

// checkEra returns errStale if the server has another history than that of an era.
func (t *tx) checkEra(e *era) error {
	if !t.store.shared {
		return nil
	}
	var timeline string
	if err := t.row(`SELECT `+t.store.timeline, nil, &timeline); err != nil {
		return err
	}
	if timeline != e.timeline {
		return errStale
	}
	return nil
}

// lastEra returns the era that began last, which may have ended.
func (q *eventLog) lastEra() *era {
	q.members.mu.Lock()
	defer q.members.mu.Unlock()
	return q.members.era
}

// poll looks for events that other gateways have stored, until the queue is closed.
func (q *eventLog) poll() {
	for wait(q.ctx, pollInterval) {
		e := q.currentEra()
		if e == nil {
			continue
		}
		before := q.head()
		if err := q.readLogState(e); err == nil && q.head() != before {
			q.pokeAll()
		}
	}
}

// errStale means that a server is not the current one: a newer timeline was seen.
var errStale = errors.New("the database server is not the current primary: its timeline is not the newest; if it should be, restart Caddy")

// readLogState reads the end of the log and the server's clock.
func (q *eventLog) readLogState(e *era) error {
	ctx, cancel := context.WithTimeout(e, renewTimeout)
	defer cancel()
	begun := q.now()
	return q.store.keepQuery(ctx, `SELECT last, bytes, epoch, `+q.store.timeline+`, `+q.store.serverTime+` FROM webhooks_queue WHERE id = 1`, nil, func(rows *sql.Rows) error {
		var s logState
		var micros int64
		if err := rows.Scan(&s.last, &s.bytes, &s.epoch, &s.timeline, &micros); err != nil {
			return err
		}
		if s.timeline != e.timeline {
			q.kickMembership()
			return errStale
		}
		if s.epoch != e.epoch && !e.moved.Load() {
			q.kickMembership()
		}
		q.store.adjust(begun, q.now(), micros)
		q.noteEpoch(q.number, s.epoch)
		q.writer.note(e, s)
		return nil
	})
}

// checkCommit returns the era that a commit of events belongs to. head is the end of
// the log as it was known before the commit. A server with another history may have
// lost events; a server with an older history is not the current one, which is an
// error.
func (q *eventLog) checkCommit(s stored, head int64) (*era, error) {
	e := q.currentEra()
	if err := q.store.checkTimeline(s.timeline); err != nil {
		return nil, err
	}
	switch {
	case e == nil: // the next one reads where the log ends
		return nil, nil
	case s.timeline != e.timeline, s.last-int64(len(s.accepted)) < head:
		q.log().Warn("queue database has lost the newest events, as may happen at a failover",
			zap.String("timeline", s.timeline))
		e = q.beginEra(e, s.logState)
		q.pokeAll()
	}
	return e, nil
}
