package queue

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// commitInterval is how long the result of an attempt may wait before it is
	// written, and how long an attempt may take before it is written that it is under
	// way. After a crash, attempts that ended within it may be repeated.
	commitInterval = 100 * time.Millisecond

	// window is the maximum number of events that a destination holds in memory, or
	// twice its concurrency if that is more.
	window = 256

	// refill is for how many events there must be room before some are read back from
	// the log, unless nothing else is ready: a read of one costs about as much as a read
	// of many.
	refill = window / 4

	// windowBytes is about the maximum number of their bytes.
	windowBytes = 8 << 20

	// downAfter is the number of failures in a row after which a destination is probed.
	downAfter = 10

	// maxProbeInterval is the maximum time between two probes.
	maxProbeInterval = time.Minute

	// spillAfter is how long an attempt may keep the later events of its key in
	// memory when there is no room for others.
	spillAfter = time.Second

	// retryDelay is how long to wait after the database failed.
	retryDelay = time.Second

	// maxYield is how long no attempt begins so that a destination can be given up to
	// another gateway. If an attempt takes longer, the destination is kept for keepTime.
	maxYield = 5 * time.Second
	keepTime = time.Minute

	// idleDelay is the maximum time that a worker sleeps.
	idleDelay = time.Minute
)

// worker delivers the events that one destination takes from one log. One goroutine runs
// it; see run.
type worker struct {
	q    *eventLog
	name string // of the destination
	pool *pool

	wake     chan struct{} // holds one value: look around
	finished chan finished // attempts that ended, from their goroutines
	quit     chan struct{} // closed when the destination leaves
	done     chan struct{} // closed when run has returned

	// Guarded by mu: target is set by reloads, status is read by others.
	mu     sync.Mutex
	target target
	status workerStatus

	// Set by other goroutines, and cleared by the worker.
	overdue atomic.Bool  // a deferred delivery may be due before nextDue
	pausing atomic.Bool  // paused may have changed in the database
	surplus atomic.Bool  // another gateway has less to do: give the destination up
	granted atomic.Int64 // the lease of another gateway that has taken over

	// Guarded by the pool's mu.
	recovered time.Time // failures since then are due, because the destination is back; zero for none

	// The rest belongs to the goroutine that runs the worker.
	keepUntil time.Time // when the destination may be given up again
	acquireAt time.Time // when to try again to get the lease
	retryAt   time.Time // when to try again after a database error

	tenure

	isWaiting  bool  // for a token, as far as it knows; see pool.take
	down       bool  // the destination is probed, as the worker has last seen it
	healthSeen int64 // the change of the pool's health that it has seen
}

// target is a destination with the generation that has it.
type target struct {
	*Destination
	generation *logGeneration
}

func newWorker(q *eventLog, name string) *worker {
	w := &worker{
		q: q, name: name,
		wake:     make(chan struct{}, 1),
		finished: make(chan finished, 64),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	w.pool = q.pools.join(w)
	return w
}

// poke wakes the worker.
func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// configure changes the destination without ending the worker.
func (w *worker) configure(t target) {
	w.mu.Lock()
	w.target = t
	w.mu.Unlock()
	w.poke()
}

// compareLease compares the worker's lease with the one in the database. A worker
// that has nothing to write, as while it is paused, does not learn otherwise that
// another gateway has taken over.
func (w *worker) compareLease(granted int64) {
	w.mu.Lock()
	isLost := w.status.here && w.status.lease < granted
	w.mu.Unlock()
	if isLost {
		w.granted.Store(granted)
		w.poke()
	}
}

// current returns the destination as the current generation has it.
func (w *worker) current() target {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.target
}

// run works the destination until quit is closed. If before is not nil, it is closed
// when an earlier worker of the same name has ended.
func (w *worker) run(before <-chan struct{}) {
	defer close(w.done)
	defer w.q.pools.leave(w)
	if before != nil {
		<-before
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := w.step()
		timer.Reset(max(0, wait))
		select {
		case <-w.wake:
		case <-timer.C:
		case f := <-w.finished:
			w.finish(f)
			w.finishMore()
		case err := <-w.pendingDone():
			w.wrote(err)
		case <-w.quit:
			w.leave()
			return
		}
	}
}

// isLeaving reports whether the destination is to leave.
func (w *worker) isLeaving() bool {
	select {
	case <-w.quit:
		return true
	default:
		return false
	}
}

// pendingDone returns the channel of the write under way, nil if there is none.
func (w *worker) pendingDone() <-chan error {
	if w.pending == nil {
		return nil
	}
	return w.pending.done
}

// step does everything that can be done now, and returns how long to sleep unless
// something wakes the worker. The order matters:
//
//  1. A lease that is lost ends everything else: another gateway already works the
//     destination, and nothing that follows could be written.
//  2. A destination that another gateway is to get is handed back as soon as no
//     attempt is under way.
//  3. Without a lease, the worker tries to acquire it, and does nothing else.
//  4. Pauses and limits are read before deliveries, because they decide how many to
//     read.
//  5. fill reads deliveries: first those that are due, then the log.
//  6. begin starts attempts whose number was committed since an earlier step.
//  7. write submits what has ended and what fill has read. It comes after both, so that
//     one transaction takes all of it; attempts of what was read begin after its commit.
//  8. publish comes last, when the state is consistent.
func (w *worker) step() time.Duration {
	t := w.current()
	now := w.q.now()
	if !w.q.isOpen() {
		return idleDelay
	}
	if granted := w.granted.Swap(0); w.lease != 0 && (w.era.Err() != nil || granted > w.lease) {
		w.lose()
		return 0
	}
	if w.yield(t, now) {
		return 0
	}
	if now.Before(w.retryAt) {
		return w.retryAt.Sub(now)
	}
	if w.lease == 0 && (!t.generation.isDeclared() || w.isLeaving() || !w.mayAcquire(t)) {
		return idleDelay
	}
	if w.lease == 0 && (now.Before(w.acquireAt) || !w.acquire(t, now)) {
		return time.Second
	}
	if w.overdue.Swap(false) {
		w.nextDue = time.Time{}
	}
	if err := w.readPaused(); err != nil {
		return w.retryLater(err, now)
	}
	w.contribute(t)
	w.followHealth(now)
	w.capacity = max(window, 2*t.Concurrency)
	if err := w.fill(t, now); err != nil {
		return w.retryLater(err, now)
	}
	w.finishMore() // their results may mean that none is to begin
	w.begin(t, now)
	w.write(t, now)
	w.publish()
	return w.sleep(t, now)
}

// yield gives the destination up if another gateway is to have it, and reports whether
// it did. Until no attempt is under way that could be cut short, none begins.
func (w *worker) yield(t target, now time.Time) bool {
	isWanted := w.surplus.Swap(false)
	if w.lease == 0 {
		return false
	}
	mayYield := now.After(w.keepUntil) && (isWanted || !w.hasLeader(t, w.parts))
	if w.yieldBy.IsZero() && (mayYield || w.era.moved.Load()) {
		w.yieldBy = now.Add(maxYield)
		w.pool.withhold(w.contribution, true)
	}
	switch {
	case w.yieldBy.IsZero():
	case w.running == 0 && w.pool.isIdle(w.contribution):
		w.handBack()
		return true
	case now.After(w.yieldBy) && !w.era.moved.Load(): // an attempt takes long
		w.yieldBy, w.keepUntil = time.Time{}, now.Add(keepTime)
		w.pool.withhold(w.contribution, false)
	}
	return false
}

// mayAcquire reports whether this gateway may acquire the destination in this log.
func (w *worker) mayAcquire(t target) bool {
	parts := w.q.parts()
	if t.isFollower(w.q.number, parts) {
		return w.hasLeader(t, parts)
	}
	return w.q.mayAcquire(w.name)
}

// isFollower reports whether a log brings no attempts of its own to the pool.
func (t target) isFollower(log, parts int) bool { return part(t.Concurrency, log, parts) == 0 }

// hasLeader reports whether the log, or the one that it follows, brings attempts.
func (w *worker) hasLeader(t target, parts int) bool {
	return !t.isFollower(w.q.number, parts) || w.pool.holds(leader(t.Concurrency, w.q.number, parts))
}

// retryLater logs an error of the database and returns how long to wait. A read that
// ended with its era is not an error.
func (w *worker) retryLater(err error, now time.Time) time.Duration {
	switch {
	case w.q.ctx.Err() != nil:
		return retryDelay
	case w.era != nil && w.era.Err() != nil:
		return 0
	}
	w.q.logFailure("queue database error; retrying", err, zap.String("destination", w.name))
	w.retryAt = now.Add(retryDelay)
	w.pool.pass(w)
	return retryDelay
}

// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sleep returns how long the worker may sleep unless something wakes it.
func (w *worker) sleep(t target, now time.Time) time.Duration {
	until := now.Add(idleDelay)
	if w.yieldBy.After(now) {
		until = earlier(until, w.yieldBy.Add(time.Millisecond))
	}
	if t.Ordered && w.isFull() {
		until = earlier(until, now.Add(spillAfter))
	}
	if w.pending == nil && !w.dirty.IsZero() {
		until = earlier(until, w.dirty.Add(commitInterval))
	}
	delay := w.pool.delay(now)
	switch {
	case w.paused:
	case delay > 0:
		until = earlier(until, now.Add(delay))
	case w.want(t, now) > 0 && w.bytes <= windowBytes:
		until = earlier(until, w.nextDue)
		if w.lookAt.After(now) {
			until = earlier(until, w.lookAt)
		}
	}
	return until.Sub(now)
}
