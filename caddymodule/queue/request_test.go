package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// requestOf returns a request that takes so many bytes in the database.
func requestOf(size int) *Request {
	r := new(Request)
	r.URI = strings.Repeat("r", size-len(r.encoded()))
	r.stored = nil
	return r
}

// batchOf returns events of one request of so many bytes.
func batchOf(request int, ids ...string) (events []*Event) {
	r := requestOf(request)
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
			delivered[d.ID] = len(d.Request.encoded())
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

// TestRequestIsKept shows that a destination gets the request as it was, whether its
// events are still in memory or come from the database, alone or in a batch.
func TestRequestIsKept(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		request := func() *Request {
			return &Request{
				Method: "PUT", URI: "/hooks?a=b", Host: "hooks.example.com", Proto: "HTTP/2.0", RemoteAddr: "192.0.2.1:1234",
				LocalAddr: "192.0.2.2:443", TLS: true, Header: http.Header{"X-Sent": {"1", "2"}},
				TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "a=1",
			}
		}
		var mu sync.Mutex
		attempts := make(map[string]int)
		g := start(t, s, newDestination("a", func(_ context.Context, d *Delivery) Result {
			mu.Lock()
			defer mu.Unlock()
			attempts[d.ID]++
			got := *d.Request
			if want := *request(); got.err != nil || !reflect.DeepEqual(got, Request{
				want.Method, want.URI, want.Host, want.Proto, want.RemoteAddr, want.LocalAddr, want.TLS, want.Header,
				want.TraceParent, want.TraceState, got.stored, nil,
			}) {
				t.Errorf("%s came with %+v", d.ID, got)
			}
			if attempts[d.ID] == 1 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}))
		single, batch := newEvent("single", ""), batchOf(100, "1", "2")
		single.Request = request()
		batch[0].Request = request()
		batch[1].Request = batch[0].Request
		g.keep(t, single)
		g.keep(t, batch...)
		g.drain(t, "a")
		mu.Lock()
		defer mu.Unlock()
		if want := map[string]int{"single": 2, "1": 2, "2": 2}; !maps.Equal(attempts, want) {
			t.Errorf("attempts: %v", attempts)
		}
	})
}

// TestUnreadableRequest shows that an event whose stored request is broken becomes a
// dead letter that says so, and that nothing else does.
func TestUnreadableRequest(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Attempts = 2
		g := start(t, s, d)
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvent("broken", ""), newEvent("good", ""))
		g.keep(t, batchOf(100, "1", "2")...)
		g.keep(t, newEvent("none", ""))
		for _, statement := range []string{
			`UPDATE webhooks_events SET request = CAST('{"method":' AS {blob}) WHERE event_id = 'broken'`,
			`UPDATE webhooks_events SET request = NULL WHERE event_id = 'none'`,
			`UPDATE webhooks_requests SET request = CAST('[]' AS {blob})`,
		} {
			if err := g.q.do(func(t *tx) error { return t.exec(t.store.words.Replace(statement)) }); err != nil {
				t.Fatal(err)
			}
		}
		g.stop(t)
		g = start(t, s, d)
		waitDeclared(t, g.g)
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "a")
		eventually(t, "dead letters", func() bool { return g.status(t, "a").DeadLetters == 4 })
		r.wants(t, "good")
		dead, err := g.q.DeadLetters(t.Context(), "a", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range dead {
			if !strings.HasPrefix(d.LastError, "cannot read the stored request: ") || d.Attempts != 2 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestRequestCounts shows that the request of a batch takes of the queue's size.
func TestRequestCounts(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 10_000
		g := start(t, s)
		if _, err := g.g.store(t.Context(), batchOf(12_000, "1", "2")); !errors.Is(err, ErrFull) {
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
// time: the last one removes the request.
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
