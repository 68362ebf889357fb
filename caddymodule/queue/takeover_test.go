package queue

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// dial returns a connection to a database that the test changes as another gateway
// would.
func dial(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

const (
	// joining makes "other" a gateway whose lease lasts for an hour.
	joining = `INSERT INTO webhooks_gateways (holder, until, names) VALUES ('other', ` + pgClock + ` + 3600000000, '["a"]')`

	// taking makes it work the destination a.
	taking = `UPDATE webhooks_destinations SET holder = 'other', lease = lease + 1 WHERE name = 'a'`
)

// TestPausedLosesLease has another gateway take over a paused destination, of which
// the worker that had it writes nothing: it must not report for ever that it works it.
func TestPausedLosesLease(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	g := start(t, quietly(postgresSettings(t, dsn)), newDestination("a", new(receiver).deliver))
	whoWorks(t, []*gateway{g}, "a")
	if err := g.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that it is paused", func() bool { return g.q.names()["a"].isPaused() })
	conn := dial(t, dsn)
	for _, query := range []string{joining, taking} {
		if _, err := conn.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "that the lease is found to be lost", func() bool { return !g.status(t, "a").Here })
	if s := g.status(t, "a"); s.Gateway != "other" {
		t.Errorf("%+v", s)
	}
}

// TestOneOfTwoAcquires has a gateway try to acquire a destination at the moment when
// another one, which has joined since, does.
func TestOneOfTwoAcquires(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	g := start(t, quietly(postgresSettings(t, dsn)), newDestination("a", new(receiver).deliver))
	whoWorks(t, []*gateway{g}, "a")
	conn, second := dial(t, dsn), dial(t, dsn)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g.q.lapse() // it has to acquire it again, and waits for the row
	if _, err := tx.Exec(t.Context(), taking); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that it waits for the row", func() bool {
		var waiting int
		err := second.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN
			(SELECT pid FROM pg_stat_activity WHERE datname = current_database())`).Scan(&waiting)
		return err == nil && waiting > 0
	})
	if _, err := second.Exec(t.Context(), joining); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var holder string // read when the one that waited for the row is done with it
	if err := second.QueryRow(t.Context(), `SELECT holder FROM webhooks_destinations WHERE name = 'a' FOR UPDATE`).Scan(&holder); err != nil {
		t.Fatal(err)
	}
	if holder != "other" {
		t.Error("the gateway that was late has acquired it all the same")
	}
}
