package queue

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

const (
	// maxGroup is how many events are committed together, about: more would only
	// make all of them wait for each other.
	maxGroup = 256

	// commitTimeout ends a commit that does not end by itself.
	commitTimeout = 10 * time.Second
)

// change is something to be written: events, or anything else.
type change struct {
	events []*Event
	run    func(t *tx) error

	accepted []bool     // of events
	done     chan error // gets one value
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

	noting sync.Mutex   // guards that these two belong together
	bytes  atomic.Int64 // that the events take, as far as is known
	head   atomic.Int64 // the last seq that is committed, as far as is known

	recent recent

	// stored is called after events were committed, before their senders know.
	stored func(events []*Event)
}

func newWriter(s *store, now func() time.Time, stored func(events []*Event)) *writer {
	return &writer{
		store: s, now: now, stored: stored,
		changes: make(chan *change, maxGroup),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
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

// handOver is submit for one who cannot wait for his turn.
func (w *writer) handOver(c *change) {
	c.done = make(chan error, 1)
	select {
	case w.changes <- c:
	default:
		go func() { c.done <- w.do(context.Background(), &change{run: c.run}) }()
	}
}

// do waits for a change to be committed, or for ctx. In the second case it may
// still be.
func (w *writer) do(ctx context.Context, c *change) error {
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
	n := len(c.events)
	for before := 0; before < len(group) && n < maxGroup; {
		before = len(group)
		runtime.Gosched()
		group, n = w.waiting(group, n)
	}
	return group
}

// waiting adds what is waiting to a group of n events.
func (w *writer) waiting(group []*change, n int) ([]*change, int) {
	for n < maxGroup {
		select {
		case c := <-w.changes:
			group = append(group, c)
			n += len(c.events)
		default:
			return group, n
		}
	}
	return group, n
}

// write commits a group and answers those who wait. One that cannot be written
// must not fail the others, so if they fail together each is tried alone, as
// long as there is a database to try it with.
func (w *writer) write(group []*change) {
	group = w.refuseWhenFull(group)
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

// refuseWhenFull answers those whose events find no room, and returns the others.
func (w *writer) refuseWhenFull(group []*change) []*change {
	bytes, limit := w.bytes.Load(), w.limit.Load()
	kept := group[:0]
	for _, c := range group {
		var size int64
		for _, e := range c.events {
			size += e.size()
		}
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
	var events []*Event
	var ends []int // of each change's events
	for _, c := range group {
		events = append(events, c.events...)
		ends = append(ends, len(events))
	}
	var state storedEvents
	err := w.store.transact(ctx, func(t *tx) (err error) {
		if len(events) > 0 {
			if state, err = t.storeEvents(events, w.now()); err != nil {
				return err
			}
		}
		for _, c := range group {
			if c.run == nil {
				continue
			}
			if err := c.run(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		w.commits.Add(1)
	}
	if err != nil || len(events) == 0 {
		return err
	}
	begin := 0
	for i, c := range group {
		c.accepted = state.accepted[begin:ends[i]]
		begin = ends[i]
	}
	w.recent.add(events, state.accepted, state.last)
	w.note(state.last, state.bytes)
	w.stored(events)
	return nil
}

// note notes how far the log is and what it takes, unless more is known already:
// not only the writer reads that.
func (w *writer) note(last, bytes int64) {
	w.noting.Lock()
	defer w.noting.Unlock()
	if last < w.head.Load() {
		return
	}
	w.head.Store(last)
	w.bytes.Store(bytes)
}

// storedEvents is what became of events.
type storedEvents struct {
	accepted    []bool
	last, bytes int64
}

// storeEvents stores the events whose keys are new.
func (t *tx) storeEvents(events []*Event, now time.Time) (storedEvents, error) {
	var size int64
	for _, e := range events {
		size += e.size()
	}
	state := storedEvents{accepted: make([]bool, len(events))}
	// First, because it makes other gateways wait their turn.
	if err := t.row(`UPDATE webhooks_queue SET last = last + $1, bytes = bytes + $2 WHERE id = 1 RETURNING last, bytes`,
		[]any{len(events), size}, &state.last, &state.bytes); err != nil {
		return state, err
	}
	for i, e := range events {
		e.Seq = state.last - int64(len(events)-1-i)
	}
	isNew, err := t.storeKeys(events, now)
	if err != nil {
		return state, err
	}
	rows := make([]any, 0, len(events)*eventColumns)
	var refused int64
	for i, e := range events {
		if state.accepted[i] = isNew[e.Seq]; !isNew[e.Seq] {
			refused += e.size()
			continue
		}
		rows = append(rows, e.Seq, e.Key[:], e.Source, e.Provider, e.Type, e.PartitionKey, e.ID,
			e.Received.UnixMicro(), e.Received.Add(e.Window).UnixMicro(), e.size(), e.Original, e.Request, e.Body)
	}
	if refused > 0 {
		if err := t.row(`UPDATE webhooks_queue SET bytes = bytes - $1 WHERE id = 1 RETURNING bytes`, []any{refused}, &state.bytes); err != nil {
			return state, err
		}
	}
	return state, t.insert(`INSERT INTO webhooks_events (seq, key, source, provider, type, partition_key, event_id,
		received, expires, size, original, request, body)`, eventColumns, "", rows, nil)
}

const (
	eventColumns = 13
	keyColumns   = 3
)

// storeKeys stores the keys of events and returns the numbers of those that are
// no duplicates.
func (t *tx) storeKeys(events []*Event, now time.Time) (map[int64]bool, error) {
	isNew := make(map[int64]bool, len(events))
	first := make(map[envelope.Key]bool, len(events))
	rows := make([]any, 0, len(events)*keyColumns)
	for _, e := range events {
		if e.Window == 0 {
			isNew[e.Seq] = true
		}
		if first[e.Key] {
			continue // a duplicate of the one before it, whatever that is
		}
		first[e.Key] = true
		rows = append(rows, e.Key[:], e.Received.Add(e.Window).UnixMicro(), e.Seq)
	}
	err := t.insert(`INSERT INTO webhooks_keys (key, expires, seq)`, keyColumns,
		` ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, seq = excluded.seq
		WHERE webhooks_keys.expires <= $extra RETURNING seq`, rows,
		func(seq int64) { isNew[seq] = true }, now.UnixMicro())
	return isNew, err
}
