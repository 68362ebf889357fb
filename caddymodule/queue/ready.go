package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// readyFor is how long the result of the last write counts as that of the next.
	readyFor = time.Second

	// usualSize is the expected size of an event before one has come in.
	usualSize = 4 << 10

	// maxFiller is the maximum number of bytes that a probe writes to find out whether
	// there is room, unless the last event found none. A shared server has a disk of its
	// own, and keeps everything that is written in its WAL for a while.
	maxFiller       = 1 << 20
	maxSharedFiller = 16 << 10

	// probeTimeout cancels a probe that hangs.
	probeTimeout = 10 * time.Second
)

// health is the result of the last write of events, or of a probe of the same size.
type health struct {
	mu   sync.Mutex
	at   time.Time
	err  error
	last int64 // size of the events that came in last; 0 before any

	probing chan struct{} // holds one value while a probe is written
}

// noteSize notes the size of events that noteSize in.
func (h *health) noteSize(size int64) {
	h.mu.Lock()
	h.last = size
	h.mu.Unlock()
}

// note notes the result of a write.
func (h *health) note(at time.Time, err error) {
	h.mu.Lock()
	h.at, h.err = at, err
	h.mu.Unlock()
}

// expected returns the expected size of the next events, and how many bytes to write
// to find out whether there is room for them: at most as many as most, unless the last
// write failed.
func (h *health) expected(most int64) (size, filler int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	size = h.last
	if size == 0 {
		size = overhead + usualSize
	}
	if h.err != nil {
		return size, size
	}
	return size, min(size, most)
}

// known returns the result of the last write, if it is not older than readyFor.
func (h *health) known(now time.Time) (err error, isKnown bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err, !h.at.IsZero() && now.Sub(h.at) < readyFor
}

// Ready returns nil if the queue accepts events as large as the last ones. To find
// out, it writes as many bytes, at most once a second.
func (q *eventLog) Ready(ctx context.Context) error {
	if !q.isOpen() {
		return errNotOpen
	}
	h := &q.writer.health
	most := int64(maxFiller)
	if q.shared() {
		most = maxSharedFiller
	}
	size, filler := h.expected(most)
	if q.budget.bytes.Load()+size > q.budget.limit.Load() {
		return ErrFull
	}
	select {
	case h.probing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err, isKnown := h.known(q.now())
	if isKnown {
		<-h.probing
	} else {
		probed := make(chan error, 1)
		go func() { // goes on when ctx ends: others wait for the result, too
			defer func() { <-h.probing }()
			probed <- q.probe(filler)
		}()
		select {
		case err = <-probed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// probe writes size bytes.
func (q *eventLog) probe(size int64) error {
	filler := make([]byte, size)
	_, _ = rand.Read(filler) // cannot be compressed, and never fails
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	err := q.writer.do(ctx, &change{run: func(t *tx) error {
		return t.exec(`UPDATE webhooks_probe SET filler = $1 WHERE id = (SELECT id FROM webhooks_probe WHERE id = 1`+t.store.skipLocked+`)`, filler)
	}})
	q.writer.health.note(q.now(), err)
	return err
}
