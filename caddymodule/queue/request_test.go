package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// batchOf returns events of one request of so many bytes.
func batchOf(request int, ids ...string) (events []*Event) {
	r := &Request{Bytes: bytes.Repeat([]byte("r"), request)}
	for _, id := range ids {
		e := newEvent(id, "")
		e.Request = r
		events = append(events, e)
	}
	return events
}

// requestBytes returns how many bytes of requests the database holds.
func (g *gateway) requestBytes(t testing.TB) int64 {
	t.Helper()
	return g.number(t, `SELECT CAST(COALESCE((SELECT SUM(length(request)) FROM webhooks_events), 0) + COALESCE((SELECT SUM(length(request)) FROM webhooks_requests), 0) AS BIGINT)`)
}

// TestRequestIsStoredOnce shows that the events of a batch share what is kept of its
// request, on disk and in the size, as long as one of them is kept.
func TestRequestIsStoredOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		const size = 20_000
		var mu sync.Mutex
		delivered := make(map[string]int)
		deliver := func(_ context.Context, d *Delivery) Result {
			mu.Lock()
			defer mu.Unlock()
			delivered[d.ID] = len(d.Request.Bytes)
			if d.ID == "7" && d.Attempt == 1 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}
		g := start(t, s, newDestination("a", deliver))
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for i := range 1000 {
			ids = append(ids, fmt.Sprint(i))
		}
		g.keep(t, batchOf(size, ids...)...)
		wantAccepted(t, g.keep(t, batchOf(size, "0", "1")...), false, false)
		wantAccepted(t, g.keep(t, batchOf(size, "0", "alone")...), false, true)
		g.keep(t, batchOf(size, "single")...)
		if n := g.requestBytes(t); n != 3*size {
			t.Errorf("%d bytes of requests", n)
		}
		g.wantBytes(t)
		if n := g.number(t, `SELECT bytes FROM webhooks_queue`); n > 600_000 {
			t.Errorf("%d bytes in all", n)
		}

		// From the database, and from memory.
		g.stop(t)
		g = start(t, s, newDestination("a", deliver))
		waitDeclared(t, g.g)
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, batchOf(size, "new", "newer")...)
		g.drain(t, "a")
		mu.Lock()
		for id, n := range delivered {
			if n != size {
				t.Errorf("event %s came with %d bytes of its request", id, n)
			}
		}
		if len(delivered) != 1004 {
			t.Errorf("%d events came", len(delivered))
		}
		mu.Unlock()

		// It goes with the last event.
		events := g.number(t, `SELECT count(*) FROM webhooks_events`)
		if err := g.q.do(func(t *tx) error {
			_, _, err := t.removeEvents([]int64{1, 2, 3}, time.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != events-3 || g.requestBytes(t) != 4*size {
			t.Errorf("%d events and %d bytes of requests are left", n, g.requestBytes(t))
		}
		var all []int64
		for seq := range g.q.head() {
			all = append(all, seq+1)
		}
		if err := g.q.do(func(t *tx) error {
			_, _, err := t.removeEvents(all, time.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n := g.requestBytes(t); n != 0 {
			t.Errorf("%d bytes of requests are left", n)
		}
	})
}

// TestRequestCounts shows that the request of a batch takes of the queue's size.
func TestRequestCounts(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 10_000
		g := start(t, s)
		if _, err := g.g.Store(t.Context(), batchOf(12_000, "1", "2")); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		g.keep(t, batchOf(6000, "1", "2")...)
		if err := g.q.Ready(t.Context()); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		g.wantBytes(t)
	})
}

// TestRequestGoesOnce has two gateways remove the events of one request at the same
// time: whoever is last removes the request.
func TestRequestGoesOnce(t *testing.T) {
	t.Parallel()
	gateways := share(t, sharedServer.database(t), 2)
	for round := range 10 {
		events := batchOf(100, fmt.Sprint(round, "-1"), fmt.Sprint(round, "-2"))
		gateways[0].keep(t, events...)
		var wg sync.WaitGroup
		for i, g := range gateways {
			wg.Go(func() {
				if err := g.q.do(func(t *tx) error {
					_, _, err := t.removeEvents([]int64{events[i].Seq}, time.Now())
					return err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := gateways[0].number(t, `SELECT count(*) FROM webhooks_requests`); n != 0 {
		t.Errorf("%d requests are left", n)
	}
}
