package queue

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
)

// severalLogs is a queue of several logs, and the configuration that uses it.
type severalLogs struct {
	q *Queue
	g *Generation
	o *watcher
}

// eachEngineWithLogs runs a test with four logs: in SQLite in a bubble, and in PostgreSQL
// in real time. Only tests have several in SQLite.
func eachEngineWithLogs(t *testing.T, test func(t *testing.T, open func(destinations ...Destination) *severalLogs)) {
	const n = 4
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, func(destinations ...Destination) *severalLogs {
				return startLogs(t, openSQLiteLogs(t, n), destinations...)
			})
		})
	})
	t.Run(PostgreSQL, func(t *testing.T) {
		test(t, func(destinations ...Destination) *severalLogs {
			s := postgresSettings(t, sharedServer.database(t))
			s.Logs = n
			q, err := Open(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			return startLogs(t, q, destinations...)
		})
	})
}

// openSQLiteLogs opens a queue with a file for each log.
func openSQLiteLogs(t *testing.T, n int) *Queue {
	t.Helper()
	s := testSettings(t)
	q := newQueue(s, n)
	var logs []*eventLog
	for i := range n {
		s.File = filepath.Join(t.TempDir(), "queue.db")
		l, err := newLog(t.Context(), s, i, nil, q.common)
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	q.common.logs.Store(&logs)
	q.common.layout.Store(&layout{logs: n, total: n})
	return q
}

// startLogs serves destinations, until the test ends.
func startLogs(t *testing.T, q *Queue, destinations ...Destination) *severalLogs {
	t.Helper()
	g := &severalLogs{q: q, o: new(watcher)}
	g.g = q.Serve(Service{Destinations: destinations, Observer: g.o, Retention: DefaultRetention, Size: DefaultSize})
	t.Cleanup(func() {
		g.g.Stop(context.Background())
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, use := range g.g.uses() {
		waitDeclared(t, use)
	}
	return g
}

// keep stores each event in a log, one after the other.
func (g *severalLogs) keep(t *testing.T, events ...*Event) {
	t.Helper()
	for i, e := range events {
		uses := g.g.uses()
		if _, err := uses[i%len(uses)].store(context.Background(), []*Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

// status returns that of a destination.
func (g *severalLogs) status(t *testing.T, name string) DestinationStatus {
	t.Helper()
	all, err := g.q.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s DestinationStatus) bool { return s.Destination == name })
	if i < 0 {
		t.Fatalf("no status of %s in %v", name, all)
	}
	return all[i]
}

func (g *severalLogs) wait(t *testing.T, name string, is func(s DestinationStatus) bool) {
	t.Helper()
	eventually(t, "the wanted status of "+name, func() bool { return is(g.status(t, name)) })
}
