package queue

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

const (
	// commitInterval is how long the end of an attempt may wait before it is
	// written, and how long an attempt may take before it is written that it is
	// under way: after a crash, what ended since may be repeated.
	commitInterval = 100 * time.Millisecond

	// window is how many events a destination holds in memory, or twice its
	// concurrency if that is more.
	window = 256

	// windowBytes is how many bytes of them, about.
	windowBytes = 8 << 20

	// downAfter is after how many failures in a row a destination is probed.
	downAfter = 10

	// maxProbeInterval is how long to wait between two probes, at the most.
	maxProbeInterval = time.Minute

	// spillAfter is how long an attempt may keep the later events of its key in
	// memory when there is no room for others.
	spillAfter = time.Second

	// retryDelay is how long to wait after the database failed.
	retryDelay = time.Second

	// maxYield is how long no attempt begins while a destination is to be given up to
	// another gateway, and keepTime is how long it is kept if one takes longer.
	maxYield = 5 * time.Second
	keepTime = time.Minute

	// idleDelay is how long a destination sleeps at the most.
	idleDelay = time.Minute
)

// worker delivers the events of one destination. What it holds is of the one
// goroutine that runs it, but for what mu guards.
type worker struct {
	q    *Queue
	name string

	wake     chan struct{}
	finished chan finished
	quit     chan struct{} // closed when the destination leaves
	done     chan struct{} // closed when the worker has ended

	mu     sync.Mutex
	target target
	status workerStatus

	overdue atomic.Bool // deferred deliveries may be due earlier than nextDue says
	pausing atomic.Bool // whether it is paused may have changed

	surplus atomic.Bool  // the destination is to be given up: another gateway has less to do
	granted atomic.Int64 // the lease of another gateway that has taken over

	keepUntil time.Time // until when it is not given up
	acquireAt time.Time // when to try again to get the lease
	retryAt   time.Time // when to try the database again that failed

	tenure

	limiter *rate.Limiter

	// Of the destination's health, which a lost lease does not change.
	streak    int
	down      bool
	downSince time.Time // when the first failure of the streak began
	downAt    time.Time // when there were enough of them
	probes    int
	probeAt   time.Time
}

// target is what a worker delivers to.
type target struct {
	*Destination
	generation *Generation
}

func newWorker(q *Queue, name string) *worker {
	return &worker{
		q: q, name: name,
		wake:     make(chan struct{}, 1),
		finished: make(chan finished, 64),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
		limiter:  rate.NewLimiter(rate.Inf, 1),
	}
}

// poke makes the worker look around.
func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

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

func (w *worker) current() target {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.target
}

// run works the destination until quit is closed. before is closed when the one
// that had the name before has ended.
func (w *worker) run(before <-chan struct{}) {
	defer close(w.done)
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

func (w *worker) pendingDone() <-chan error {
	if w.pending == nil {
		return nil
	}
	return w.pending.done
}

// step does what can be done now, and returns how long there is nothing to do
// unless something happens.
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
	if w.surplus.Swap(false) && w.lease != 0 && now.After(w.keepUntil) {
		w.yieldBy = now.Add(maxYield)
	}
	switch {
	case w.yieldBy.IsZero():
	case w.running == 0:
		w.handBack()
		return 0
	case now.After(w.yieldBy): // an attempt takes long
		w.yieldBy, w.keepUntil = time.Time{}, now.Add(keepTime)
	}
	if now.Before(w.retryAt) {
		return w.retryAt.Sub(now)
	}
	if w.lease == 0 && (!t.generation.isDeclared() || w.isLeaving() || !w.q.mayAcquire(w.name)) {
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
	w.limit(t.Rate)
	w.capacity = max(window, 2*t.Concurrency)
	if err := w.fill(t, now); err != nil {
		return w.retryLater(err, now)
	}
	w.begin(t, now)
	w.write(t, now)
	w.publish()
	return w.sleep(t, now)
}

func (w *worker) retryLater(err error, now time.Time) time.Duration {
	switch {
	case w.q.ctx.Err() != nil:
		return retryDelay
	case w.era != nil && w.era.Err() != nil:
		return 0
	}
	w.q.logFailure("the queue cannot be read or written; trying again", err, zap.String("destination", w.name))
	w.retryAt = now.Add(retryDelay)
	return retryDelay
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sleep returns how long there is nothing to do unless something happens.
func (w *worker) sleep(t target, now time.Time) time.Duration {
	until := now.Add(idleDelay)
	if !w.yieldBy.IsZero() {
		until = earlier(until, w.yieldBy.Add(time.Millisecond))
	}
	if t.Ordered && w.isFull() {
		until = earlier(until, now.Add(spillAfter))
	}
	if w.pending == nil && !w.dirty.IsZero() {
		until = earlier(until, w.dirty.Add(commitInterval))
	}
	switch {
	case w.paused:
	case w.down && w.running == 0 && w.probeAt.After(now):
		until = earlier(until, w.probeAt)
	case t.Rate.N > 0 && w.running < t.Concurrency && w.limiter.TokensAt(now) < 1:
		missing := 1 - w.limiter.TokensAt(now)
		until = earlier(until, now.Add(time.Duration(missing/float64(w.limiter.Limit())*float64(time.Second))+time.Microsecond))
	case w.want(t, now) > 0 && w.bytes <= windowBytes:
		until = earlier(until, w.nextDue)
	}
	return until.Sub(now)
}
