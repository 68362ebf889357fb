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
	// readyFor is how long it is taken for granted that what was written last can be
	// written again.
	readyFor = time.Second

	// usualSize is how large an event is expected to be before one has come in.
	usualSize = 4 << 10

	// maxFiller is how much is written to find out whether there is room, unless the
	// last event found none. A shared server has a disk of its own, and keeps all that
	// is written in its log for a while.
	maxFiller       = 1 << 20
	maxSharedFiller = 16 << 10

	// probeTimeout ends a probe that does not end by itself.
	probeTimeout = 10 * time.Second
)

// health knows how the last write of events ended, or of as many bytes.
type health struct {
	mu   sync.Mutex
	at   time.Time
	err  error
	last int64 // how large the events were that came in last; 0 before any

	probing chan struct{} // holds one value while a probe is written
}

// noteSize notes the size of events that noteSize in.
func (h *health) noteSize(size int64) {
	h.mu.Lock()
	h.last = size
	h.mu.Unlock()
}

// note notes how a write ended.
func (h *health) note(at time.Time, err error) {
	h.mu.Lock()
	h.at, h.err = at, err
	h.mu.Unlock()
}

// expected returns how large the next events are expected to be, and how much to
// write, usually at most so many bytes, to find out whether they find room.
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

// known returns how the last write ended if that was just now.
func (h *health) known(now time.Time) (err error, isKnown bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err, !h.at.IsZero() && now.Sub(h.at) < readyFor
}

// Ready returns nil if the queue takes events as large as the last ones that came
// in. It writes as many bytes to find out, at most once a second.
func (q *Queue) Ready(ctx context.Context) error {
	if !q.isOpen() {
		return errNotOpen
	}
	h := &q.writer.health
	most := int64(maxFiller)
	if q.shared() {
		most = maxSharedFiller
	}
	size, filler := h.expected(most)
	if q.writer.bytes.Load()+size > q.writer.limit.Load() {
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
		go func() { // which goes on if ctx ends: others ask, too
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

// probe writes as many bytes as the next events may take.
func (q *Queue) probe(size int64) error {
	filler := make([]byte, size)
	_, _ = rand.Read(filler) // which no database can make smaller; it never fails
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	err := q.writer.do(ctx, &change{run: func(t *tx) error {
		return t.exec(`UPDATE webhooks_probe SET filler = $1 WHERE id = (SELECT id FROM webhooks_probe WHERE id = 1`+t.store.skipLocked+`)`, filler)
	}})
	q.writer.health.note(q.now(), err)
	return err
}
