package queue

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// tenure is what a worker has as long as it holds the lease. Without one it is the
// zero value.
type tenure struct {
	lease      int64
	yieldBy    time.Time          // until when no attempt begins, so that it can be given up; zero for not
	era        *era               // in which it was acquired
	revoke     context.CancelFunc // ends the attempts when the lease is lost
	revoked    context.Context
	gaps       []gap
	paused     bool
	pos        int64               // up to which the log is read
	maybeBegun int64               // up to which attempts may have begun before this worker
	capacity   int                 // of open
	open       map[int64]*delivery // in memory, not settled
	bytes      int64               // of open
	lastBegun  int64               // the last seq of the log of which an attempt has begun
	settled    int64               // the last seq of the log that is settled
	fresh      []*delivery         // read, their attempt not written yet
	ready      []*delivery         // their attempt written, not begun yet
	running    int
	known      map[int64]bool   // events after pos that are deferred deliveries already
	resumed    map[int64]int    // attempts of those that were
	lanes      map[string]*lane // by partition key, when ordered
	releases   []string         // keys whose oldest parked event may go
	nextDue    time.Time        // when to look for due deferred deliveries
	next       progress         // what is to be written
	dirty      time.Time        // since when there is something, zero for nothing
	pending    *change          // being written
	writing    *progress        // what pending writes
}

// acquire tries to become the one that works the destination.
func (w *worker) acquire(t target, now time.Time) bool {
	e := w.q.currentEra()
	if e == nil {
		return false
	}
	var (
		r        destinationRow
		declined bool // it is another gateway's, or not wanted any more
		known    map[int64]bool
		resumed  map[int64]int
		lanes    map[string]*lane
	)
	w.acquireAt = now.Add(time.Second)
	err := w.q.do(func(tx *tx) (err error) {
		if declined = w.isLeaving(); declined {
			return nil
		}
		r, err = tx.acquire(w.name, w.q.holder, e)
		// That is no failure, which would take that of all that is written with it.
		if declined = errors.Is(err, errLost); declined {
			return nil
		}
		if err != nil {
			return err
		}
		if known, resumed, err = tx.resume(w.name, r.position, t.Ordered); err != nil {
			return err
		}
		if err := tx.settleStates(w.name, t.Ordered, tx.micros(now)); err != nil || !t.Ordered {
			return err
		}
		lanes, err = tx.lanes(w.name)
		return err
	})
	if err != nil || declined {
		if err != nil && !errors.Is(err, ErrClosed) {
			w.q.logFailure("a destination cannot be worked; trying again", err, zap.String("destination", w.name))
		}
		w.setStatus(workerStatus{})
		return false
	}
	w.tenure = tenure{
		lease: r.lease, era: e,
		gaps: r.gaps, paused: r.paused,
		pos: r.position, maybeBegun: max(r.begun, r.position), lastBegun: r.position, settled: r.position,
		open: make(map[int64]*delivery), writing: new(progress),
		known: known, resumed: resumed, lanes: lanes,
	}
	w.revoked, w.revoke = context.WithCancel(e)
	return true
}

// lose forgets everything: another gateway goes on where this one was.
func (w *worker) lose() {
	w.q.log().Warn("lost the lease on this destination", zap.String("destination", w.name))
	w.revoke()
	for running := w.running; running > 0; running-- {
		w.observe(<-w.finished, OutcomeHandedBack, time.Time{})
	}
	w.tenure = tenure{} // whatever becomes of what is being written
	w.setStatus(workerStatus{})
}

// leave hands the destination back, for good.
func (w *worker) leave() {
	if w.lease != 0 {
		w.handBack()
	}
}

// handBack waits for the attempts that go on, writes how far the destination is,
// and lets others work it.
func (w *worker) handBack() {
	defer w.setStatus(workerStatus{})
	for w.running > 0 {
		w.finish(<-w.finished)
	}
	if w.pending != nil {
		if w.wrote(<-w.pending.done); w.lease == 0 {
			return
		}
	}
	now := w.q.now()
	for _, d := range w.ready {
		d.attempts-- // which never ran
	}
	for _, d := range w.open {
		w.put(d, stateRetry, now, Result{})
	}
	p := w.next
	p.position, p.begun, p.release = w.pos, w.pos, true
	w.sign(&p)
	ctx, cancel := context.WithTimeout(context.Background(), 2*commitTimeout)
	defer cancel()
	if err := w.q.writer.do(ctx, &change{progress: &p}); err != nil {
		w.q.log().Error("cannot write how far a destination is: what ended last may be repeated",
			zap.String("destination", w.name), zap.Error(err))
	}
	w.revoke()
	w.tenure = tenure{}
	w.acquireAt = now.Add(leaseRenewal) // after those who have less to do
	w.q.kickMembership()
}
