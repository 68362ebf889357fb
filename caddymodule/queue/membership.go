package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// leaseTime is how long a lease lasts unless it is renewed: the time after which
	// other gateways take over from one that died.
	leaseTime = 5 * time.Second

	// leaseRenewal is how often a gateway renews its lease.
	leaseRenewal = time.Second

	// renewTimeout cancels a renewal that hangs, and renewRetry is how long to wait after
	// one that failed: the server may be back in time.
	renewTimeout = 2 * time.Second
	renewRetry   = 100 * time.Millisecond

	// leaseMargin is how long before the end of a lease that could not be renewed the
	// gateway ends its attempts.
	leaseMargin = time.Second
)

// membership is the place of a gateway among those that share a queue: its lease, and
// its share of the destinations.
type membership struct {
	kick chan struct{} // holds one value: renew at once

	mu       sync.Mutex
	era      *era                 // the last one; nil before the first
	lapse    *time.Timer          // ends the era unless the lease is renewed
	acquire  map[string]bool      // destinations that this gateway may acquire
	freeFrom map[string]time.Time // by destination, since when no gateway works it
}

// mayAcquire reports whether this gateway may acquire a destination.
func (q *eventLog) mayAcquire(name string) bool {
	if !q.shared() {
		return true
	}
	q.members.mu.Lock()
	defer q.members.mu.Unlock()
	return q.members.acquire[name]
}

// kickMembership renews the lease at once, which also publishes the destinations of
// this gateway.
func (q *eventLog) kickMembership() {
	select {
	case q.members.kick <- struct{}{}:
	default:
	}
}

// keepMembership renews the lease and follows this gateway's share, until the queue is
// closed.
func (q *eventLog) keepMembership() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := q.renew(); err != nil {
			timer.Reset(renewRetry)
		} else {
			timer.Reset(leaseRenewal)
			if err := q.share(); err != nil && q.ctx.Err() == nil {
				q.log().Warn("cannot read which gateways share the queue; retrying", zap.Error(err))
			}
		}
		select {
		case <-timer.C:
		case <-q.members.kick:
		case <-q.ctx.Done():
			return
		}
	}
}

// renew renews the lease. A server with another history, or a lease that had ended,
// begins an era.
func (q *eventLog) renew() error {
	before := q.lastEra()
	ctx, cancel := context.WithTimeout(q.ctx, renewTimeout)
	defer cancel()
	names, err := json.Marshal(slices.Sorted(maps.Keys(q.names())))
	if err != nil {
		return err
	}
	begun := q.now()
	var s logState
	err = q.store.keepQuery(ctx, `WITH lease AS (
			INSERT INTO webhooks_gateways (holder, until, names, logs) VALUES ($1, `+q.store.serverTime+` + $2, $3, $4)
			ON CONFLICT (holder) DO UPDATE SET until = excluded.until, names = excluded.names, logs = excluded.logs
		) SELECT last, bytes, epoch, `+q.store.timeline+` FROM webhooks_queue WHERE id = 1`,
		[]any{q.holder, leaseTime.Microseconds(), string(names), q.wanted}, func(rows *sql.Rows) error {
			if err = rows.Scan(&s.last, &s.bytes, &s.epoch, &s.timeline); err != nil {
				return err
			}
			return q.store.checkTimeline(s.timeline)
		})
	if err != nil {
		return err
	}
	m := &q.members
	if before.epoch != s.epoch && q.mustMove(before) {
		return nil
	}
	m.mu.Lock()
	if m.lapse == nil {
		m.lapse = time.AfterFunc(leaseTime, q.lapse) // stopped by Close
	}
	m.lapse.Reset(leaseTime - leaseMargin - q.now().Sub(begun))
	m.mu.Unlock()
	if before.Err() != nil || before.timeline != s.timeline || before.epoch != s.epoch {
		if before.timeline != s.timeline {
			q.log().Warn("queue database has begun a new timeline, as it does at a failover; events that it lacks are lost")
		}
		q.beginEra(before, s)
		q.pokeAll()
	}
	return nil
}

// mustMove has the workers hand back what they hold in an era of another layout, of
// which the destinations have other parts, and reports whether one still holds anything.
// Until then the end of the era comes nearer, because the lease is not extended.
func (q *eventLog) mustMove(e *era) bool {
	if e.Err() != nil {
		return false
	}
	e.moved.Store(true)
	for _, w := range q.names() {
		if w.isHere() {
			q.pokeAll()
			return true
		}
	}
	return false
}

// lapse ends the era, because the lease was not renewed in time.
func (q *eventLog) lapse() {
	if e := q.currentEra(); e != nil {
		if e.moved.Load() {
			q.log().Info("the queue has another number of logs; attempts that are still under way are made again")
			e.end()
			q.pokeAll()
			return
		}
		q.log().Warn("could not renew the gateway's lease in time; other gateways may take over its destinations")
		e.end()
		q.pokeAll()
	}
}

// names returns the workers by destination.
func (q *eventLog) names() map[string]*worker {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.workers)
}

// share computes this gateway's share of the destinations: it may acquire some, and
// gives up others.
func (q *eventLog) share() error {
	ctx, cancel := context.WithTimeout(q.ctx, renewTimeout) // which must not wait for this
	defer cancel()
	living, err := q.livingGateways(ctx)
	if err != nil {
		return err
	}
	destinations, err := q.store.destinations(ctx)
	if err != nil {
		return err
	}
	workers := q.names()
	view := logView{read: q.now(), living: living, holders: make(map[string]string, len(destinations))}
	for _, d := range destinations {
		w := workers[d.name]
		if w == nil || !w.current().isFollower(q.number, q.parts()) {
			view.holders[d.name] = d.holder
		}
		if w == nil {
			continue
		}
		w.compareLease(d.lease)
		if d.holder == q.holder && w.isPaused() != d.paused {
			w.pausing.Store(true) // changed through another gateway
			w.poke()
		}
	}
	acquire, giveUp := spread(q.holder, q.views.update(q.number, view))
	q.noteShare(workers, view, q.namesOf(acquire))
	for _, name := range q.namesOf(giveUp[:min(len(giveUp), max(1, len(giveUp)/3))]) {
		if w := workers[name]; w != nil {
			w.surplus.Store(true)
			w.poke()
		}
	}
	return nil
}

// namesOf returns the destinations of the units that are in this log.
func (q *eventLog) namesOf(units []unit) (names []string) {
	for _, u := range units {
		if u.log == q.number {
			names = append(names, u.name)
		}
	}
	return names
}

// noteShare notes which destinations this gateway may acquire: those of its share, those
// that it holds already, and those that were free for long.
func (q *eventLog) noteShare(workers map[string]*worker, view logView, acquire []string) {
	for name := range workers {
		if view.holders[name] == q.holder { // perhaps in an era that has ended
			acquire = append(acquire, name)
		}
	}
	m := &q.members
	m.mu.Lock()
	m.acquire = make(map[string]bool)
	for _, name := range acquire {
		m.acquire[name] = true
	}
	if m.freeFrom == nil {
		m.freeFrom = make(map[string]time.Time)
	}
	for name := range workers {
		if _, held := view.living[view.holders[name]]; held {
			delete(m.freeFrom, name)
			continue
		}
		if m.freeFrom[name].IsZero() {
			m.freeFrom[name] = view.read
		}
		// The gateway whose share it is does not acquire it.
		if view.read.Sub(m.freeFrom[name]) > 2*leaseTime {
			m.acquire[name] = true
		}
	}
	m.mu.Unlock()
	for _, name := range acquire {
		if w := workers[name]; w != nil {
			w.poke()
		}
	}
}

// livingGateways returns the gateways whose lease has not ended, each with the names of
// the destinations in its configuration.
func (q *eventLog) livingGateways(ctx context.Context) (map[string][]string, error) {
	living := make(map[string][]string)
	err := q.store.query(ctx, `SELECT holder, names FROM webhooks_gateways WHERE until > `+q.store.serverTime, nil, func(rows *sql.Rows) error {
		var holder string
		var text []byte
		if err := rows.Scan(&holder, &text); err != nil {
			return err
		}
		var names []string
		err := json.Unmarshal(text, &names)
		living[holder] = names
		return err
	})
	return living, err
}

// leaveMembership gives the lease up, so that other gateways need not wait for its end.
func (q *eventLog) leaveMembership() {
	q.members.mu.Lock()
	if q.members.lapse != nil {
		q.members.lapse.Stop()
	}
	q.members.mu.Unlock()
	if e := q.currentEra(); e != nil {
		e.end()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = q.store.keepQuery(ctx, `DELETE FROM webhooks_gateways WHERE holder = $1`, []any{q.holder}, func(*sql.Rows) error { return nil })
}
