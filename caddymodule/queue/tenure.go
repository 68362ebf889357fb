package queue

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"
)

// tenure is the state of a worker while it holds the lease of its destination.
// Without a lease it is the zero value.
type tenure struct {
	lease        int64              // 0 for none
	yieldBy      time.Time          // the destination is to be given up, and no attempt begins until then; zero if not
	era          *era               // in which the lease was acquired
	revoked      context.Context    // ends when the lease is lost, and with it all attempts
	revoke       context.CancelFunc // ends revoked
	parts        int                // of the limits of all logs, of which this one brings one
	contribution *contribution      // to the pool
	gaps         []gap              // ahead of pos
	paused       bool

	// Reading.
	pos        int64          // the seq up to which the log is read
	maybeBegun int64          // the seq up to which attempts may have begun before this tenure
	known      map[int64]bool // events after pos to skip: they have deferred deliveries
	resumed    map[int64]int  // attempts of events after pos that had deferred deliveries
	nextDue    time.Time      // when to look for due deferred deliveries
	ordering

	// Deliveries in memory; see delivery.
	capacity  int                 // the maximum length of open
	open      map[int64]*delivery // by seq, until settled or deferred
	bytes     int64               // of open
	fresh     []*delivery         // the attempt is not written yet
	ready     []*delivery         // the attempt is written, and has not begun
	running   int                 // number of attempts under way
	lastBegun int64               // the last seq of the log of which an attempt has begun
	settled   int64               // the last seq of the log that is settled
	lanes     map[string]*lane    // by partition key, when ordered
	releases  []string            // keys whose oldest parked event may go

	// Writing.
	latest  latest    // results of the destination
	next    progress  // to be written
	dirty   time.Time // since when next has something; zero if it has nothing
	pending *change   // under way at the writer; nil if none
	writing *progress // the progress in pending
}

// acquire tries to get the lease of the destination, and resumes where the database
// says that it is.
func (w *worker) acquire(t target, now time.Time) bool {
	e := w.q.currentEra()
	if e == nil {
		return false
	}
	var (
		r        destinationRow
		parts    int
		declined bool // another gateway holds the lease, or this worker is leaving
		known    map[int64]bool
		resumed  map[int64]int
		lanes    map[string]*lane
	)
	w.acquireAt = now.Add(time.Second)
	err := w.q.do(func(tx *tx) (err error) {
		if declined = w.isLeaving(); declined {
			return nil
		}
		r, parts, err = tx.acquire(w.name, w.q.holder, e, w.q.parts())
		// An error here would fail the other changes of the same transaction too.
		if declined = errors.Is(err, errLost) || errors.Is(err, errMoved); declined {
			return nil
		}
		if err != nil {
			return err
		}
		if known, resumed, err = tx.resume(w.name, r.position, t.Ordered); err != nil {
			return err
		}
		if err = tx.settleStates(w.name, t.Ordered, tx.micros(now)); err != nil || !t.Ordered {
			return err
		}
		lanes, err = tx.lanes(w.name)
		return err
	})
	if err != nil || declined {
		if err != nil && !errors.Is(err, ErrClosed) {
			w.q.logFailure("cannot get the lease on this destination; retrying", err, zap.String("destination", w.name))
		}
		w.setStatus(workerStatus{})
		return false
	}
	w.tenure = tenure{
		lease: r.lease, era: e, parts: parts, latest: r.latest,
		gaps: r.gaps, paused: r.paused,
		pos: r.position, maybeBegun: max(r.begun, r.position), lastBegun: r.position, settled: r.position,
		open: make(map[int64]*delivery), writing: new(progress),
		known: known, resumed: resumed, lanes: lanes,
	}
	w.revoked, w.revoke = context.WithCancel(e)
	w.contribute(t)
	w.logLease("acquired the lease on this destination")
	return true
}

// lose ends all attempts and forgets the tenure: another gateway goes on from what the
// database has.
func (w *worker) lose() {
	w.q.log().Warn("lost the lease on this destination", zap.String("destination", w.name))
	w.revoke()
	w.pool.withdraw(w.contribution)
	for running := w.running; running > 0; running-- {
		f := <-w.finished
		w.observe(f, OutcomeHandedBack, time.Time{})
		w.reportHealth(f)
	}
	<-w.contribution.idle
	w.tenure = tenure{} // a write under way has no effect without the lease
	w.setStatus(workerStatus{})
}

// leave hands the destination back, if the worker holds it, before the worker ends.
func (w *worker) leave() {
	if w.lease != 0 {
		w.handBack()
	}
}

// contribute brings the part of a tenure to the pool, as the configuration has it now.
func (w *worker) contribute(t target) {
	tokens, lead := part(t.Concurrency, w.q.number, w.parts), leader(t.Concurrency, w.q.number, w.parts)
	limit := rate.Inf
	if t.Rate.N > 0 {
		limit = rate.Limit(float64(t.Rate.N) / t.Rate.Per.Seconds() / float64(w.parts))
	}
	if w.contribution == nil {
		c := &contribution{owner: w, revoked: w.revoked, tokens: tokens, leader: lead, limit: limit}
		w.contribution = c
		w.pool.contribute(c)
		context.AfterFunc(w.revoked, func() { w.pool.withdraw(c) })
	}
	w.pool.adjust(w.contribution, tokens, lead, limit)
}

// handBack waits for the attempts under way, and for those of other logs that use what
// this tenure brings, writes the progress, and releases the lease. Everything in memory
// becomes a deferred delivery that is due now.
func (w *worker) handBack() {
	defer w.q.kickMembership()
	defer w.setStatus(workerStatus{})
	w.pool.withdraw(w.contribution)
	for w.running > 0 {
		w.finish(<-w.finished)
	}
	<-w.contribution.idle
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
	p.position, p.begun, p.release = w.pos, max(w.pos, w.maybeBegun), true
	w.sign(&p)
	ctx, cancel := context.WithTimeout(context.Background(), 2*commitTimeout)
	defer cancel()
	if err := w.q.writer.do(ctx, &change{progress: &p}); err != nil {
		w.q.log().Error("cannot write delivery progress; the latest attempts may be repeated",
			zap.String("destination", w.name), zap.Error(err))
	}
	w.logLease("gave up the lease on this destination")
	w.revoke()
	w.tenure = tenure{}
	w.acquireAt = now.Add(leaseRenewal) // after gateways that have less to do
}

// logLease logs at level debug that the worker got or gave up its lease.
func (w *worker) logLease(message string) {
	if line := w.q.log().Check(zapcore.DebugLevel, message); line != nil {
		line.Write(zap.String("destination", w.name), zap.Int64("lease", w.lease), zap.Int64("position", w.pos))
	}
}
