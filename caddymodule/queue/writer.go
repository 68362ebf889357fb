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
	// maxGroup is how many events are committed together, about: more would only
	// make all of them wait for each other.
	maxGroup = 256

	// maxGroupBytes is how many bytes of them, about: they have to reach a server
	// while its other gateways wait.
	maxGroupBytes = 8 << 20

	// commitTimeout ends a commit that does not end by itself.
	commitTimeout = 10 * time.Second
)

// change is something to be written: events, what a worker has done, or anything
// else.
type change struct {
	events   []*Event // of one request
	progress *progress
	run      func(t *tx) error

	ctx      context.Context // of whoever waits; nil if that is for as long as it takes
	accepted []bool          // of events
	done     chan error      // gets one value
}

// shared returns the request that the events have in common, nil if there is none
// or only one event.
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

// size returns how many bytes the change adds to the queue.
func (c *change) size() (size int64) {
	for _, e := range c.events {
		size += e.size()
	}
	if request := c.shared(); request != nil {
		size += request.size()
	}
	return size
}

// writer is the one goroutine that writes. It takes whatever is waiting, never
// waits for more, and commits that at once: a group commit.
type writer struct {
	store   *store
	now     func() time.Time
	changes chan *change
	stop    chan struct{}
	stopped chan struct{}

	limit   atomic.Int64 // of bytes
	commits atomic.Int64 // how many there were

	noting sync.Mutex   // guards that what follows belongs together
	era    *era         // in which it was found out
	bytes  atomic.Int64 // that the events take, as is known
	head   atomic.Int64 // the last seq that is committed, as is known

	recent recent
	health health

	// check returns the era that a commit belongs to, before which the log was known
	// to reach up to head, or an error if its server is not the one that events are
	// stored at.
	check func(s stored, head int64) (*era, error)

	// stored is called after events were committed, before their senders know.
	stored func(events []*Event)
}

func newWriter(s *store, now func() time.Time, check func(s stored, head int64) (*era, error), stored func(events []*Event)) *writer {
	return &writer{
		store: s, now: now, check: check, stored: stored,
		changes: make(chan *change, maxGroup),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
		health:  health{probing: make(chan struct{}, 1)},
	}
}

// submit hands a change over, or gives up when ctx ends; its done gets the error.
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

// do waits for a change to be committed, or for ctx. In the second case it may
// still be.
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

// run writes until stop is closed, and then what is still waiting.
func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case c := <-w.changes:
			w.write(w.group(c))
		case <-w.stop:
			if len(w.changes) == 0 {
				return
			}
		}
	}
}

// group returns what is waiting, beginning with c. Those who are about to hand
// something over come first, as long as there are any: it costs nothing when there
// is nobody, and makes one commit of several when the machine is busy.
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

// write commits a group and answers those who wait.
func (w *writer) write(group []*change) {
	for _, part := range w.parts(w.refuse(group)) {
		w.writePart(part)
	}
}

// parts returns what of a group is committed together: all of it, except that a
// shared database is not locked for longer than one round trip takes.
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

// writePart commits changes. One that cannot be written must not fail the others,
// so if they fail together each is tried alone, as long as there is a database to
// try it with.
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

func answer(group []*change, err error) {
	for _, c := range group {
		c.done <- err
	}
}

// refuse answers those whose events find no room, and those that nobody waits for any
// more, and returns the others.
func (w *writer) refuse(group []*change) []*change {
	bytes, limit := w.bytes.Load(), w.limit.Load()
	kept := group[:0]
	for _, c := range group {
		if c.ctx != nil && c.ctx.Err() != nil {
			c.done <- context.Cause(c.ctx)
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

func (w *writer) reachable() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return w.store.connect(ctx) == nil && w.store.conn.PingContext(ctx) == nil
}

// commit writes a group in one transaction.
func (w *writer) commit(group []*change) error {
	ctx := context.Background()
	if w.store.shared { // a file answers by itself, and the driver's watch for the end of ctx costs
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
	w.noteStored(era, c.events, result)
	w.stored(c.events)
	return nil
}

// restart begins an era, in which the log is as a server says it is: it may have
// lost what was there.
func (w *writer) restart(e *era, s logState) {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.era = e
	w.head.Store(s.last)
	w.bytes.Store(s.bytes)
	w.recent.forget(s.last)
}

// note notes how far the log is in an era, unless more is known already: not only
// the writer reads that.
func (w *writer) note(e *era, s logState) {
	w.noting.Lock()
	defer w.noting.Unlock()
	w.noteLocked(e, s)
}

func (w *writer) noteLocked(e *era, s logState) {
	if e != w.era || s.last < w.head.Load() {
		return
	}
	w.head.Store(s.last)
	w.bytes.Store(s.bytes)
}

// noteStored notes what was committed in an era.
func (w *writer) noteStored(e *era, events []*Event, s stored) {
	w.noting.Lock()
	defer w.noting.Unlock()
	if e != w.era {
		return
	}
	w.recent.add(events, s.accepted, s.last)
	w.noteLocked(e, s.logState)
}
