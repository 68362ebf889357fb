package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.uber.org/zap"
)

// era is a time in which a gateway keeps its place among others: it renews its
// lease in time, and the server goes on with one history. When it ends, so do the
// attempts and reads that began in it. A queue that is not shared has one era.
type era struct {
	context.Context
	end      context.CancelFunc
	timeline string
}

func newEra(timeline string) *era {
	e := &era{timeline: timeline}
	e.Context, e.end = context.WithCancel(context.Background())
	return e
}

// currentEra returns the era if it has not ended, else nil.
func (q *Queue) currentEra() *era {
	q.members.mu.Lock()
	defer q.members.mu.Unlock()
	if e := q.members.era; e != nil && e.Err() == nil {
		return e
	}
	return nil
}

// beginEra replaces an era, unless another goroutine has already. It returns the
// current one.
func (q *Queue) beginEra(from *era, s logState) *era {
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
	if q.shared() { // some connections may lead to the server before
		q.store.newest.Store(s.timeline)
		q.store.epoch.Add(1)
		q.store.eras.Add(1)
	}
	q.writer.restart(m.era, s)
	return m.era
}

// errNoEra says that the gateway has no place among others.
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

// lastEra returns the era that was begun last.
func (q *Queue) lastEra() *era {
	q.members.mu.Lock()
	defer q.members.mu.Unlock()
	return q.members.era
}

// poll looks for what other gateways have stored.
func (q *Queue) poll() {
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

// errStale says that a server is not the current one: a newer timeline was seen.
var errStale = errors.New("the database server is not the current one: its timeline is not the newest; if it is meant to be, restart Caddy")

// readLogState finds out how far the log is in an era, and what time it is there.
func (q *Queue) readLogState(e *era) error {
	ctx, cancel := context.WithTimeout(e, renewTimeout)
	defer cancel()
	begun := q.now()
	return q.store.keepQuery(ctx, `SELECT last, bytes, `+q.store.timeline+`, `+q.store.serverTime+` FROM webhooks_queue WHERE id = 1`, nil, func(rows *sql.Rows) error {
		var s logState
		var micros int64
		if err := rows.Scan(&s.last, &s.bytes, &s.timeline, &micros); err != nil {
			return err
		}
		if s.timeline != e.timeline {
			q.kickMembership()
			return errStale
		}
		q.store.adjust(begun, q.now(), micros)
		q.writer.note(e, s)
		return nil
	})
}

// checkCommit returns the era that a commit of events belongs to, before which the
// log was known to reach up to head. A server with another history may have lost
// what was there; one with an older history is about to.
func (q *Queue) checkCommit(s stored, head int64) (*era, error) {
	e := q.currentEra()
	if err := q.store.checkTimeline(s.timeline); err != nil {
		return nil, err
	}
	switch {
	case e == nil: // the next one reads where the log ends
		return nil, nil
	case s.timeline != e.timeline, s.last-int64(len(s.accepted)) < head:
		q.log().Warn("the database has lost what was stored last, as it may at a failover; those events are not delivered",
			zap.String("timeline", s.timeline))
		e = q.beginEra(e, s.logState)
		q.pokeAll()
	}
	return e, nil
}
