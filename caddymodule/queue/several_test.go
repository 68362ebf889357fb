package queue

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// several is a gateway whose queue has several logs.
type several struct {
	s Settings
	q *Queue
	g *Generation
	o *watcher
}

// openSeveral opens a queue of n logs: of PostgreSQL, or of SQLite files, which only
// tests have. It is closed with the test.
func openSeveral(t testing.TB, s Settings, n int) *Queue {
	t.Helper()
	var q *Queue
	if s.Engine == SQLite {
		q = openFiles(t, s, n)
	} else {
		var err error
		s.Logs = n
		if q, err = Open(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// openFiles opens a queue of n logs, each in a file: FILE, FILE-1 and so on.
func openFiles(t testing.TB, s Settings, n int) *Queue {
	t.Helper()
	q := newQueue(s, n)
	var logs []*eventLog
	for i := range n {
		of := s
		if i > 0 {
			of.File = fmt.Sprint(s.File, "-", i)
		}
		log, err := newLog(context.Background(), of, i, nil, q.common)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, log)
	}
	q.common.logs.Store(&logs)
	q.common.layout.Store(&layout{logs: n, total: n})
	return q
}

// startSeveral opens a queue of n logs and serves destinations. Both end with the test.
func startSeveral(t testing.TB, s Settings, n int, destinations ...Destination) *several {
	t.Helper()
	g := &several{s: s, q: openSeveral(t, s, n), o: new(watcher)}
	g.serve(destinations...)
	t.Cleanup(func() { g.stop(t) })
	return g
}

func (g *several) serve(destinations ...Destination) {
	g.g = g.q.Serve(Service{Destinations: destinations, Observer: g.o, Retention: g.s.Retention, Size: g.s.Size})
}

// stop ends a gateway in order, unless it has ended.
func (g *several) stop(t testing.TB) {
	t.Helper()
	if g.g == nil {
		return
	}
	g.g.Stop(context.Background())
	g.g = nil
	if err := g.q.Close(); err != nil {
		t.Error(err)
	}
}

// keep stores events, which none may prevent.
func (g *several) keep(t testing.TB, events ...*Event) []bool {
	t.Helper()
	accepted, err := g.g.Store(context.Background(), events)
	if err != nil {
		t.Fatal(err)
	}
	return accepted
}

// in returns the use of one log, for what concerns that log alone.
func (g *several) in(number int) *gateway {
	return &gateway{s: g.s, q: g.q.logs()[number], g: g.g.uses()[number], o: g.o}
}

// drain waits until a destination has nothing left to deliver in any log.
func (g *several) drain(t testing.TB, name string) {
	t.Helper()
	eventually(t, "an empty backlog in all logs", func() bool {
		for _, l := range g.q.logs() {
			all, err := l.Status(context.Background())
			i := slices.IndexFunc(all, func(s DestinationStatus) bool { return s.Destination == name })
			if err != nil || i < 0 || all[i].Backlog > 0 {
				return false
			}
		}
		return true
	})
}

// TestSeveralLogs has each log of a queue store and deliver.
func TestSeveralLogs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := startSeveral(t, s, 4, newDestination("a", r.deliver))
		for i := range g.q.logs() {
			g.in(i).keep(t, newEvent(fmt.Sprint(i), ""))
		}
		g.drain(t, "a")
		r.wantEachOnce(t, 4)
		for i, l := range g.q.logs() {
			if l.head() != 1 {
				t.Errorf("log %d ends at %d", i, l.head())
			}
		}
	})
}
