package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// tripCounter is a tracer of pgx that counts round trips to the server.
type tripCounter struct {
	mu    sync.Mutex
	trips []string // what each was for
}

func (c *tripCounter) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips = append(c.trips, strings.Join(strings.Fields(what), " "))
}

// take returns what was noted since it was called last.
func (c *tripCounter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	trips := c.trips
	c.trips = nil
	return trips
}

func (c *tripCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.note(data.SQL)
	return ctx
}
func (c *tripCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *tripCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	c.note(fmt.Sprintf("a batch of %d", data.Batch.Len()))
	return ctx
}
func (c *tripCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *tripCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (c *tripCounter) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	c.note("prepare " + data.SQL)
	return ctx
}
func (c *tripCounter) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

// TestRoundTrips counts the round trips of commits of many sizes: of events, of what
// workers have done, and of both.
func TestRoundTrips(t *testing.T) {
	ctx := context.Background()
	dsn := sharedServer.database(t)
	g := start(t, postgresSettings(t, dsn), newDestination("a", new(receiver).deliver), newDestination("b", new(receiver).deliver))
	g.keep(t, newEvents(1000)...)
	g.drain(t, "a")
	g.drain(t, "b")
	for _, name := range []string{"a", "b"} {
		if err := g.q.Pause(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	leases := make(map[string]int64)
	for name, w := range g.q.names() {
		leases[name] = w.lease
	}

	counter := new(tripCounter)
	s, err := openPostgres(dsn, counter)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.migrate(ctx); err != nil { // which recognizes the engine
		t.Fatal(err)
	}
	next := 1000
	events := func(n int) (all []*Event) {
		for range n {
			all = append(all, newEvent(fmt.Sprint(next), ""))
			next++
		}
		return all
	}
	progressOf := func(name string, n int) *progress {
		p := &progress{
			name: name, lease: leases[name], timeline: g.q.currentEra().timeline, position: 1000, begun: 1000,
			put: make(map[int64]deferred), remove: make(map[int64]bool), recovered: time.Now(),
		}
		for seq := int64(1); seq <= int64(n); seq++ {
			p.put[seq] = deferred{delivery: &delivery{Delivery: Delivery{Event: &Event{Seq: seq}}}, state: stateDead, result: Result{Status: 500}}
			p.remove[500+seq] = true
		}
		return p
	}
	write := func(c *commit) stored {
		t.Helper()
		result, err := s.commit(ctx, c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	write(&commit{events: events(1), progress: []*progress{progressOf("a", 1)}}) // connects and prepares
	for _, n := range []int{1, 2, 17, 100, 256, 1000} {
		batch := events(n + 1)
		for _, e := range batch {
			e.Request, e.shared = batch[0].Request, inCommon
		}
		for what, c := range map[string]*commit{
			"events":              {events: events(n)},
			"a batch":             newCommit([]*change{{events: batch}}),
			"duplicates":          {events: newEvents(min(n, 1000))},
			"progress":            {progress: []*progress{progressOf("a", min(n, 400)), progressOf("b", min(n, 400))}},
			"events and progress": {events: events(n), progress: []*progress{progressOf("a", min(n, 400)), progressOf("b", min(n, 400))}},
		} {
			counter.trips = nil
			result := write(c)
			if got := len(counter.trips); got == 0 || got > 4 {
				t.Errorf("%s of %d: %d round trips: %q", what, n, got, counter.trips)
			}
			for i := range result.accepted {
				if result.accepted[i] == (what == "duplicates") {
					t.Errorf("%s of %d: %v", what, n, result.accepted)
					break
				}
			}
			for _, p := range c.progress {
				if p.lost || !p.isPaused {
					t.Errorf("%s of %d: %+v", what, n, p)
				}
			}
		}
	}
	g.wantBytes(t)
}

// TestReadsOfABacklog counts the reads of the log by a destination that is behind: each
// brings many events, although attempts end one after the other.
func TestReadsOfABacklog(t *testing.T) {
	t.Parallel()
	counter := new(tripCounter)
	s := postgresSettings(t, sharedServer.database(t))
	s.tracer = counter
	r := &receiver{answer: slow(time.Millisecond)}
	g := start(t, s, newDestination("a", r.deliver))
	waitDeclared(t, g.g)
	if err := g.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	const behind = 2000 // and what is in memory
	for part := range slices.Chunk(newEvents(behind+recentEvents), 500) {
		g.keep(t, part...)
	}
	counter.take()
	if err := g.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	g.drain(t, "a")
	r.wantEachOnce(t, behind+recentEvents)
	reads := 0
	for _, trip := range counter.take() {
		if strings.Contains(trip, "e.source = $3") && !strings.HasPrefix(trip, "prepare") {
			reads++
		}
	}
	if most := behind/refill + 10; reads == 0 || reads > most {
		t.Errorf("%d reads, want at most %d", reads, most)
	}
}
