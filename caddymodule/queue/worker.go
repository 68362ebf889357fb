package queue

import (
	"context"
	"database/sql"
	"errors"
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

// target is what a worker delivers to.
type target struct {
	*Destination
	generation *Generation
}

// workerStatus is what others may know of a worker.
type workerStatus struct {
	here, down bool
	paused     bool
	lease      int64
	pos        int64
	open       int64
	oldest     time.Time
}

// note notes an event that the database does not have as a deferred delivery.
func (s *workerStatus) note(d *delivery) {
	s.open++
	if s.oldest.IsZero() || d.Received.Before(s.oldest) {
		s.oldest = d.Received
	}
}

// noteUnwritten notes a deferred delivery that is still to be written, but for what is
// not to be delivered any more.
func (s *workerStatus) noteUnwritten(d deferred) {
	if !d.rowWritten && d.state != stateDead {
		s.note(d.delivery)
	}
}

// delivery is an event in memory.
type delivery struct {
	Delivery
	attempts   int  // that were begun and written
	hasRow     bool // there is, or will be, a deferred delivery
	rowWritten bool // it is written
	running    bool
	since      time.Time // it is in memory
	begun      time.Time // its attempt
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

// isPaused reports whether it knows that the destination is paused.
func (w *worker) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status.paused
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

// readPaused reads whether it is paused, if that may have changed: the database
// knows what was said last.
func (w *worker) readPaused() error {
	if !w.pausing.Swap(false) {
		return nil
	}
	err := w.q.read(w.era, `SELECT paused FROM webhooks_destinations WHERE name = $1 AND `+w.q.store.isPrimary, []any{w.name},
		func(rows *sql.Rows) error { return rows.Scan(&w.paused) })
	if err != nil {
		w.pausing.Store(true)
		return err
	}
	if w.paused {
		w.unready()
	}
	return nil
}

// limit follows the configured rate. A burst is what is due within 10 ms, so
// that timers need not be exact.
func (w *worker) limit(r Rate) {
	limit, burst := rate.Inf, 1
	if r.N > 0 {
		limit = rate.Limit(float64(r.N) / r.Per.Seconds())
		burst = max(1, int(float64(limit)/100))
	}
	if w.limiter.Limit() != limit {
		now := w.q.now()
		w.limiter.SetLimitAt(now, limit)
		w.limiter.SetBurstAt(now, burst)
	}
}

// room returns how many deliveries more may have their attempt written now: as
// many as can begin at once, and for events with many attempts some more, so
// that they need not wait for a commit each. A crash takes an attempt from those
// that did not begin.
func (w *worker) room(t target, now time.Time) int {
	written := len(w.ready) + len(w.writing.begin)
	switch {
	case w.paused, !w.yieldBy.IsZero():
		return 0
	case w.down:
		if w.running+written > 0 || now.Before(w.probeAt) {
			return 0
		}
		return 1
	}
	n := t.Concurrency - w.running
	if t.Rate.N > 0 {
		n = min(n, int(w.limiter.TokensAt(now)))
	} else {
		n += min(window, t.Concurrency*(t.Attempts-1))
	}
	return max(0, min(n, w.capacity)-written)
}

// want returns how many deliveries are to be read for that.
func (w *worker) want(t target, now time.Time) int { return w.room(t, now) - len(w.fresh) }

// fill reads what may be tried.
func (w *worker) fill(t target, now time.Time) error {
	want := w.want(t, now)
	if want <= 0 {
		return nil
	}
	if err := w.releaseParked(); err != nil {
		return err
	}
	// While the destination is down, an event that was not tried yet goes before
	// those that have spent attempts.
	steps := []func(target, time.Time) error{w.readDue, w.readLog}
	if w.down {
		steps = []func(target, time.Time) error{w.readLog, w.readDue}
	}
	for _, step := range steps {
		if w.want(t, now) <= 0 {
			return nil
		}
		if err := step(t, now); err != nil {
			return err
		}
	}
	return nil
}

// readDue reads deferred deliveries that are due. They take half of the room at the most
// while there are new events, so that neither waits for the other.
func (w *worker) readDue(t target, now time.Time) error {
	if now.Before(w.nextDue) || w.bytes > windowBytes {
		return nil
	}
	want := w.want(t, now)
	if w.pos < w.q.head() && !w.down {
		want = max(1, want/2)
	}
	order := "d.due"
	if w.down {
		order = "d.attempts, d.due"
	}
	// Those in memory are due too, until it is written that they are under way.
	due := make(map[int64]*delivery)
	var seqs []int64
	bytes := windowBytes - w.bytes
	err := w.q.read(w.era, `SELECT d.seq, d.size, d.attempts, d.replay FROM webhooks_deliveries d
		WHERE d.name = $1 AND d.state = 'retry' AND d.due <= $2 AND `+w.q.store.isPrimary+` ORDER BY `+order+` LIMIT $3`,
		[]any{w.name, w.q.store.micros(now), want + len(w.open) + w.next.size() + w.writing.size()},
		func(rows *sql.Rows) error {
			d := &delivery{hasRow: true, rowWritten: true, since: now}
			var seq, size int64
			if err := rows.Scan(&seq, &size, &d.attempts, &d.Replay); err != nil {
				return err
			}
			if w.open[seq] != nil || w.isChanging(seq) {
				return nil
			}
			due[seq] = d
			seqs = append(seqs, seq)
			if bytes -= size; len(seqs) == want || bytes <= 0 {
				return errEnough
			}
			return nil
		})
	if err != nil {
		return err
	}
	events, err := w.q.load(w.era, seqs)
	if err != nil {
		return err
	}
	for _, e := range events {
		due[e.Seq].Event = e
	}
	for _, seq := range seqs {
		d := due[seq]
		if d.attempts < t.Attempts {
			w.take(d)
			w.fresh = append(w.fresh, d)
		} else {
			w.die(d, Result{Err: errUsedUp})
			w.nextInLane(t, d)
		}
	}
	if len(seqs) == want || bytes <= 0 {
		return nil
	}
	return w.readNextDue(now)
}

// isChanging reports whether something else than what the database says is to
// be written, or being written, about a deferred delivery.
func (w *worker) isChanging(seq int64) bool {
	for _, p := range []*progress{&w.next, w.writing} {
		if _, ok := p.put[seq]; ok || p.remove[seq] {
			return true
		}
	}
	return false
}

// readNextDue finds out when the next deferred delivery is due.
func (w *worker) readNextDue(now time.Time) error {
	w.nextDue = now.Add(idleDelay)
	if w.q.shared() { // another gateway may have events delivered again
		w.nextDue = now.Add(leaseRenewal)
	}
	for _, p := range []*progress{&w.next, w.writing} {
		for _, d := range p.put {
			if d.state == stateRetry {
				// Not before it is written.
				w.nextDue = earlier(w.nextDue, later(d.due, now.Add(commitInterval/10)))
			}
		}
	}
	from := w.q.store.micros(now)
	return w.q.read(w.era, `SELECT due FROM webhooks_deliveries WHERE name = $1 AND state = 'retry' AND due > $2 AND `+w.q.store.isPrimary+` ORDER BY due LIMIT 1`,
		[]any{w.name, from}, func(rows *sql.Rows) error {
			var due int64
			err := rows.Scan(&due)
			// By the clock that only goes on: the other one may be set meanwhile.
			w.nextDue = earlier(w.nextDue, now.Add(time.Duration(due-from)*time.Microsecond))
			return err
		})
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

// readLog reads new events.
func (w *worker) readLog(t target, now time.Time) error {
	for range 16 { // then look around: there may be many that the destination does not take
		if w.isFull() {
			w.spill(now)
		}
		if w.want(t, now) <= 0 || w.isFull() || w.next.size()+w.writing.size() >= w.capacity {
			return nil
		}
		more, err := w.readLogOnce(t, now)
		if err != nil || !more {
			return err
		}
	}
	w.poke()
	return nil
}

// isFull reports whether memory has no room for more of the log.
func (w *worker) isFull() bool { return len(w.open) >= w.capacity || w.bytes > windowBytes }

func (w *worker) readLogOnce(t target, now time.Time) (more bool, err error) {
	head, source := w.q.head(), t.Source
	for len(w.gaps) > 0 && w.gaps[0].From <= w.pos {
		g := w.gaps[0]
		if g.To == 0 {
			return false, nil // it has left the configuration
		}
		if g.Source != "" && w.pos < g.To {
			head, source = min(head, g.To), g.Source
			break
		}
		w.pos = max(w.pos, g.To)
		w.gaps = w.gaps[1:]
	}
	if len(w.gaps) > 0 && w.gaps[0].From > w.pos {
		head = min(head, w.gaps[0].From)
	}
	if w.pos >= head {
		return false, nil
	}
	limit := min(w.want(t, now), w.capacity-len(w.open))
	if t.Ordered {
		limit = w.capacity - len(w.open) // many may have to wait for each other
	}
	events, pos, err := w.q.after(w.era, w.pos, head, source, limit, windowBytes-w.bytes)
	if err != nil {
		return false, err
	}
	w.pos = pos
	for _, e := range events {
		if w.known[e.Seq] {
			delete(w.known, e.Seq)
		} else if t.TakesType(e.Type) {
			w.arrive(t, &delivery{Delivery: Delivery{Event: e}, since: now})
		}
	}
	w.touch(now)
	return w.pos < w.q.head(), nil
}

// arrive takes an event of the log.
func (w *worker) arrive(t target, d *delivery) {
	attempts, isKnown := w.resumed[d.Seq]
	delete(w.resumed, d.Seq)
	if !isKnown && d.Seq <= w.maybeBegun {
		attempts = 1 // it may have been tried before a crash
	}
	if d.attempts = attempts; attempts > 0 {
		w.put(d, stateRetry, d.since, Result{}) // so that the next crash does not forget it
	}
	if d.attempts >= t.Attempts {
		w.die(d, Result{Err: errUsedUp})
		return
	}
	if !t.Ordered || d.PartitionKey == "" {
		w.take(d)
		w.fresh = append(w.fresh, d)
		return
	}
	l := w.lanes[d.PartitionKey]
	switch {
	case l == nil:
		w.lanes[d.PartitionKey] = new(lane)
		w.take(d)
		w.fresh = append(w.fresh, d)
	case l.failed:
		l.parked++
		d.Event = d.withoutBytes()
		w.put(d, stateParked, d.since, Result{})
	default:
		w.take(d)
		l.waiting = append(l.waiting, d)
	}
}

// take holds a delivery in memory.
func (w *worker) take(d *delivery) {
	w.open[d.Seq] = d
	w.bytes += d.weight()
}

// drop lets go of it.
func (w *worker) drop(d *delivery) {
	w.settled = max(w.settled, d.Seq)
	if w.open[d.Seq] == d {
		delete(w.open, d.Seq)
		w.bytes -= d.weight()
		d.Event = d.withoutBytes() // which may stay until it is written what became of it
	}
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

// publish lets others know how far the worker is.
func (w *worker) publish() {
	s := workerStatus{here: true, down: w.down, paused: w.paused, lease: w.lease, pos: w.pos}
	for _, d := range w.open {
		if !d.hasRow {
			s.note(d)
		}
	}
	for seq, d := range w.writing.put {
		if _, ok := w.next.put[seq]; !ok && !w.next.remove[seq] {
			s.noteUnwritten(d)
		}
	}
	for _, d := range w.next.put {
		s.noteUnwritten(d)
	}
	w.setStatus(s)
}

func (w *worker) setStatus(s workerStatus) {
	w.mu.Lock()
	w.status = s
	w.mu.Unlock()
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
