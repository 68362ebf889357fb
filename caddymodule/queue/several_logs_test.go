package queue

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// eachEngineWithLogs runs a test with four logs: in SQLite in a bubble, and in PostgreSQL
// in real time. Only tests have several in SQLite.
func eachEngineWithLogs(t *testing.T, test func(t *testing.T, open func(destinations ...Destination) *several)) {
	const n = 4
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, func(destinations ...Destination) *several {
				return startDeclared(t, testSettings(t), n, destinations...)
			})
		})
	})
	t.Run(PostgreSQL, func(t *testing.T) {
		test(t, func(destinations ...Destination) *several {
			return startDeclared(t, postgresSettings(t, sharedServer.database(t)), n, destinations...)
		})
	})
}

// startDeclared is startSeveral, and waits until all logs have the destinations.
func startDeclared(t *testing.T, s Settings, n int, destinations ...Destination) *several {
	t.Helper()
	g := startSeveral(t, s, n, destinations...)
	for _, use := range g.g.uses() {
		waitDeclared(t, use)
	}
	return g
}

// keepInTurn stores each event in a log, one after the other.
func (g *several) keepInTurn(t *testing.T, events ...*Event) {
	t.Helper()
	for i, e := range events {
		uses := g.g.uses()
		if _, err := uses[i%len(uses)].store(context.Background(), []*Event{e}); err != nil {
			t.Fatal(err)
		}
	}
}

// status returns that of a destination.
func (g *several) status(t *testing.T, name string) DestinationStatus {
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

func (g *several) wait(t *testing.T, name string, is func(s DestinationStatus) bool) {
	t.Helper()
	eventually(t, "the wanted status of "+name, func() bool { return is(g.status(t, name)) })
}
