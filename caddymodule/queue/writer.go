package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxGroup is about the maximum number of events in one commit. With more, all of
	// them would only wait longer for each other.
	maxGroup = 256

	// maxGroupBytes is about the maximum number of their bytes, which have to reach a
	// server while its other gateways wait.
	maxGroupBytes = 8 << 20

	// commitTimeout cancels a commit that hangs.
	commitTimeout = 10 * time.Second
)

// change is what the writer commits: events, the progress of a worker, counts of
// duplicates, or any function.
type change struct {
	events     []*Event // of one request
	epoch      int64    // of the layout by which they were routed to this log
	progress   *progress
	places     []*keyPlace
	duplicates []duplicate
	repeats    []duplicate // to be counted, some time
	run        func(t *tx) error

	ctx      context.Context // of the caller that waits; nil to commit in any case
	accepted []bool          // which events were not duplicates
	moved    bool            // the log has another epoch
	done     chan error      // gets one value
}

// isRouted reports whether the change is good for one epoch only.
func (c *change) isRouted() bool { return len(c.events) > 0 || len(c.places) > 0 }

// shared returns the request that several events have in common, or nil.
func (c *change) shared() *Request {
	if len(c.events) < 2 || c.events[0].Request == nil {
		return nil
	}
	for _, e := range c.events[1:] {
		if e.Request != c.events[0].Request {
			return nil
		}
	}
	return c.events[0].Request
}

// size returns the number of bytes that the change adds to the queue.
func (c *change) size() (size int64) {
	for _, e := range c.events {
		size += e.size()
	}
	if request := c.shared(); request != nil {
		size += request.size()
	}
	return size
}

// writer is the one goroutine that writes to the database. It commits whatever is
// waiting in one transaction and never waits for more: a group commit.
type writer struct {
	store   *store
	now     func() time.Time
	changes chan *change
	stop    chan struct{}
	stopped chan struct{}

	budget  *budget      // of all logs of the queue
	commits atomic.Int64 // counts them

	noting sync.Mutex   // held to change the following together
	era    *era         // in which bytes and head were read
	bytes  atomic.Int64 // that the events of this log take, as far as this gateway has read
	head   atomic.Int64 // the last committed seq that this gateway has read
	epoch  atomic.Int64 // of the layout when head was read, or of a later one

	recent recent
	health health

	duplicates duplicates // belongs to the goroutine that runs the writer

	// check returns the era that a commit belongs to; see checkCommit.
	check func(s stored, head int64) (*era, error)

	// stored is called after events were committed, and before their senders are
	// answered.
	stored func(events []*Event)
}

func newWriter(s *store, b *budget, now func() time.Time, check func(s stored, head int64) (*era, error), stored func(events []*Event)) *writer {
	return &writer{
		store: s, budget: b, now: now, check: check, stored: stored,
		changes: make(chan *change, maxGroup),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
		health:  health{probing: make(chan struct{}, 1)},
	}
}

// submit queues a change, and blocks while too many are queued. If ctx ends first,
// done gets its error.
func (w *writer) submit(ctx context.Context, c *change) {
	c.done = make(chan error, 1)
	select {
	case w.changes <- c:
	case <-w.stopped:
		c.done <- ErrClosed
	case <-ctx.Done():
		c.done <- context.Cause(ctx)
	}
}

// handOver is like submit but never blocks.
func (w *writer) handOver(c *change) {
	c.done = make(chan error, 1)
	select {
	case w.changes <- c:
	default:
		go func() {
			select {
			case w.changes <- c:
			case <-w.stopped:
				c.done <- ErrClosed
			}
		}()
	}
}

// do commits a change and waits for that, or until ctx ends. In the second case the
// change may still be committed.
func (w *writer) do(ctx context.Context, c *change) error {
	c.ctx = ctx
	w.submit(ctx, c)
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.stopped:
		select {
		case err := <-c.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// run writes until stop is closed, and then commits what is still waiting.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case c := <-w.changes:
			w.write(w.group(c))
		case <-w.duplicates.due:
			_ = w.writeDuplicates() // which tries again later
		case <-w.stop:
			if len(w.changes) == 0 {
				w.flushDuplicates()
				return
			}
		}
		w.store.checkpoints.finish()
	}
}

// group returns the changes that are waiting, beginning with c. It lets goroutines run
// that are about to submit one: that costs nothing when there are none, and merges
// commits when the machine is busy.
func (w *writer) group(c *change) []*change {
	group := []*change{c}
	n, bytes := len(c.events), c.size()
	for before := 0; before < len(group); {
		before = len(group)
		runtime.Gosched()
		for more := true; more && n < maxGroup && bytes < maxGroupBytes; {
			select {
			case c := <-w.changes:
				group = append(group, c)
				n += len(c.events)
				bytes += c.size()
			default:
				more = false
			}
		}
	}
	return group
}

// write commits a group and reports the results.
func (w *writer) write(group []*change) {
	for _, part := range w.parts(w.refuse(group)) {
		w.writePart(part)
	}
}

// parts splits a group into transactions. SQLite needs one. A shared database must not
// be locked for longer than one round trip, so each function gets its own.
func (w *writer) parts(group []*change) [][]*change {
	if !w.store.shared {
		return [][]*change{group}
	}
	var data []*change
	parts := make([][]*change, 1)
	for i, c := range group {
		if c.run == nil {
			data = append(data, c)
		} else {
			parts = append(parts, group[i:i+1])
		}
	}
	parts[0] = data
	return parts
}

// writePart commits changes. A change that cannot be written must not fail the others:
// if they fail together, each is tried alone, while the database answers.
func (w *writer) writePart(group []*change) {
	if len(group) == 0 {
		return
	}
	begun := w.now()
	err := w.commit(group)
	if err == nil || len(group) == 1 || errors.Is(err, errCommit) {
		answer(group, err)
		return
	}
	for i := range group {
		if !w.reachable() || w.now().Sub(begun) > commitTimeout {
			answer(group[i:], err)
			return
		}
		answer(group[i:i+1], w.commit(group[i:i+1]))
	}
}

// answer reports one result to a group.
func answer(group []*change, err error) {
	for _, c := range group {
		if c.moved {
			c.done <- errMoved
		} else {
			c.done <- err
		}
	}
}

// errMoved means that events were routed by a layout that is not that of the log. They
// must be routed again.
var errMoved = fmt.Errorf("%w: the queue has another number of logs now", ErrUnavailable)

// refuse answers changes whose events find no room or were routed before others, and
// those whose caller has given up, and returns the others.
func (w *writer) refuse(group []*change) []*change {
	bytes, limit := w.budget.bytes.Load(), w.budget.limit.Load()
	var epoch int64
	for _, c := range group {
		epoch = max(epoch, c.epoch)
	}
	kept := group[:0]
	for _, c := range group {
		if c.ctx != nil && c.ctx.Err() != nil {
			c.done <- context.Cause(c.ctx)
			continue
		}
		if c.isRouted() && c.epoch < epoch {
			c.done <- errMoved
			continue
		}
		if c.repeats != nil {
			w.duplicates.addAll(c.repeats)
			c.done <- nil
			continue
		}
		size := c.size()
		if size > 0 && bytes+size > limit {
			c.done <- ErrFull
			continue
		}
		bytes += size
		kept = append(kept, c)
	}
	return kept
}

// reachable reports whether the database answers.
func (w *writer) reachable() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.store.connect(ctx) == nil && w.store.conn.PingContext(ctx) == nil
}

// commit writes a group in one transaction.
func (w *writer) commit(group []*change) error {
	ctx := context.Background()
	if w.store.shared { // a file cannot hang, and a deadline costs SQLite's driver a goroutine
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitTimeout)
		defer cancel()
	}
	c := newCommit(group)
	head := w.head.Load()
	result, err := w.store.commit(ctx, c, w.now())
	if err == nil {
		w.commits.Add(1)
	}
	if err == nil && result.moved {
		for _, change := range group {
			change.moved = change.isRouted()
		}
		return nil
	}
	if len(c.events) == 0 {
		return err
	}
	var era *era
	if err == nil {
		if era, err = w.check(result, head); err != nil {
			w.store.drop()
			err = fmt.Errorf("%w: %w", errCommit, err)
		}
	}
	w.health.note(w.now(), err)
	if err != nil {
		return err
	}
	begin := 0
	for _, change := range group {
		end := begin + len(change.events)
		change.accepted = result.accepted[begin:end]
		begin = end
	}
	w.duplicates.note(c.events, result.accepted)
	w.noteStored(era, c.events, result)
	w.stored(c.events)
	return nil
}

// restart begins an era with the log as the server has it, which may have lost events.
func (w *writer) restart(e *era, s logState) {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.era = e
	w.epoch.Store(s.epoch)
	w.head.Store(s.last)
	w.setBytes(s.bytes)
	w.recent.forget(s.last)
}

// setBytes sets the size of the log, and that of the queue with it. noting must be held.
func (w *writer) setBytes(bytes int64) {
	w.budget.bytes.Add(bytes - w.bytes.Swap(bytes))
}

// note notes the end of the log in an era, unless it is older than what is known: other
// goroutines read it, too.
func (w *writer) note(e *era, s logState) {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.noteLocked(e, s)
}

// noteLocked is note with noting held.
func (w *writer) noteLocked(e *era, s logState) {
	if e != w.era || s.last < w.head.Load() {
		return
	}
	w.epoch.Store(s.epoch)
	w.head.Store(s.last)
	w.setBytes(s.bytes)
}

// noteStored notes events that were committed in an era.
func (w *writer) noteStored(e *era, events []*Event, s stored) {
	w.noting.Lock()
	defer w.noting.Unlock()
	if e != w.era {
		return
	}
	w.recent.add(events, s.accepted, s.last)
	w.noteLocked(e, s.logState)
}
