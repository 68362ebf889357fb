package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// sized returns an event with a body of n bytes.
func sized(id string, n int) *Event {
	e := newEvent(id, "")
	e.Body = make([]byte, n)
	return e
}

// TestReadyForTheLastSize shows that the queue is not ready as long as it would
// refuse an event as large as the last one that came in.
func TestReadyForTheLastSize(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 20_000
		g := start(t, s, newDestination("a", answers(500)))
		ready := func(want error) {
			t.Helper()
			if err := g.q.Ready(t.Context()); !errors.Is(err, want) {
				t.Errorf("Ready: %v, want %v", err, want)
			}
		}
		ready(nil)
		g.keep(t, sized("1", 10_000))
		ready(ErrFull) // for another one
		if _, err := g.g.store(t.Context(), []*Event{sized("2", 10_000)}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		ready(ErrFull)
		g.keep(t, sized("3", 5000))
		ready(ErrFull)
		g.keep(t, sized("4", 100))
		ready(nil)
		g.stop(t)

		// One of 4 KiB is expected before any has come in.
		g = start(t, s, newDestination("a", answers(500)))
		ready(ErrFull)
	})
}

// TestReadyOnAFullDisk shows that the disk needs to have room for an event as large
// as the last one that came in, even if that one found some.
func TestReadyOnAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("a", new(receiver).deliver))
		pages := func(n int) {
			t.Helper()
			if err := g.q.do(func(t *tx) error { return t.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)) }); err != nil {
				t.Fatal(err)
			}
		}
		ready := func() error {
			time.Sleep(2 * readyFor)
			return g.q.Ready(t.Context())
		}
		if err := ready(); err != nil {
			t.Fatal(err)
		}
		g.keep(t, sized("large", 200_000))
		pages(1) // that is, no more than there are
		if err := ready(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Ready: %v", err)
		}
		if _, err := g.g.store(t.Context(), []*Event{sized("another", 200_000)}); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if err := g.q.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Ready: %v", err)
		}
		g.keep(t, sized("small", 100))
		if err := ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
		if _, err := g.g.store(t.Context(), []*Event{sized("too large to try often", 5_000_000)}); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if err := ready(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Ready: %v", err)
		}
		pages(1 << 30)
		if err := ready(); err != nil {
			t.Errorf("Ready: %v", err)
		}
		g.keep(t, sized("too large to try often", 5_000_000))
	})
}

// TestReadyCost shows that asking costs a commit a second, and none while events are
// stored.
func TestReadyCost(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		waitDeclared(t, g.g)
		time.Sleep(3 * soon) // the queue is looked after
		ask := func() {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if err := g.q.Ready(context.Background()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		begun := g.q.Commits()
		for range 50 { // 5 s
			ask()
			time.Sleep(100 * time.Millisecond)
		}
		if n := g.q.Commits() - begun; n > 6 {
			t.Errorf("%d commits", n)
		}
		time.Sleep(2 * readyFor)
		begun = g.q.Commits()
		for i := range 50 {
			g.keep(t, newEvent(fmt.Sprint(i), ""))
			ask()
			time.Sleep(100 * time.Millisecond)
		}
		if n := g.q.Commits() - begun; n > 50 {
			t.Errorf("%d commits for 50 events", n)
		}
	})
}

// TestReadyIsAskedBriefly shows that a client that does not wait for the answer says nothing
// about the queue to others.
func TestReadyIsAskedBriefly(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		waitDeclared(t, g.g)
		time.Sleep(3 * soon)
		release := g.hold(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := g.q.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		release()
		if err := g.q.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
