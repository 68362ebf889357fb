package pgtest_test

import (
	"context"
	"errors"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// query runs a statement on a connection of its own and returns the number it gives.
func query(t *testing.T, dsn, statement string) (n int, err error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.Background())
	return n, conn.QueryRow(t.Context(), statement).Scan(&n)
}

// want fails the test unless a statement gives a number.
func want(t *testing.T, dsn, statement string, wanted int) {
	t.Helper()
	if n, err := query(t, dsn, statement); n != wanted || err != nil {
		t.Fatalf("%s = %d, %v; want %d", statement, n, err, wanted)
	}
}

// run runs a statement that gives nothing.
func run(t *testing.T, dsn, statement string) {
	t.Helper()
	if _, err := query(t, dsn, statement); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", statement, err)
	}
}

// refused fails the test unless a statement, or the connection for it, gives an error
// with a code.
func refused(t *testing.T, dsn, statement, code string) {
	t.Helper()
	var e *pgconn.PgError
	if _, err := query(t, dsn, statement); !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%s gives %v; want an error %s", statement, err, code)
	}
}

// onto returns the DSN of the same database of another server.
func onto(t *testing.T, dsn string, s *pgtest.Server) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = s.Address()
	return u.String()
}

// timed logs how long a call takes.
func timed(t *testing.T, what string, call func()) {
	t.Helper()
	start := time.Now()
	call()
	t.Logf("%s took %v", what, time.Since(start).Round(time.Millisecond))
}

func TestServer(t *testing.T) {
	var s, other *pgtest.Server
	timed(t, "the first Start", func() { s = pgtest.Start(t) })
	timed(t, "the second Start", func() { other = pgtest.Start(t) })

	var dsn string
	timed(t, "Database", func() { dsn = s.Database(t) })
	if dsn == s.Database(t) {
		t.Fatal("two databases are the same")
	}
	want(t, dsn, "SELECT 1", 1)
	want(t, dsn, "SELECT count(*) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'on'", 3)
	run(t, dsn, "CREATE TABLE kept (n int)")

	for rows, end := range []func(testing.TB){s.Stop, s.Kill, nil} {
		want(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", 1)
		if end != nil {
			timed(t, "the end", func() { end(t) })
			if _, err := query(t, dsn, "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatalf("the server is down, and a connection gives %v", err)
			}
		}
		timed(t, "Restart", func() { s.Restart(t) })
		want(t, dsn, "SELECT count(*) FROM kept", rows+1)
	}
	want(t, other.DSN("postgres"), "SELECT 1", 1)
	other.Stop(t)
}

func TestDatabaseIsDropped(t *testing.T) {
	s := pgtest.Start(t)
	t.Run("with a connection left open", func(sub *testing.T) {
		conn, err := pgx.Connect(t.Context(), s.Database(sub))
		if err != nil {
			sub.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
	})
	want(t, s.DSN("postgres"), "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'", 0)
}

func TestConfigure(t *testing.T) {
	s := pgtest.Start(t)
	dsn := s.Database(t)
	run(t, dsn, "CREATE TABLE kept (n int)")
	for range 3 {
		timed(t, "Configure", func() { s.Configure(t, "default_transaction_read_only", "on") })
		refused(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", "25006")
		s.Database(t) // can still be created and dropped
		s.Configure(t, "default_transaction_read_only", "")
		want(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", 1)
	}

	s.Configure(t, "application_name", "it's a test")
	s.Restart(t)
	want(t, dsn, "SELECT (reset_val = 'it''s a test')::int FROM pg_settings WHERE name = 'application_name'", 1)
	s.Configure(t, "default_transaction_read_only", "on") // Database(t) drops it nevertheless
}

// timeline is a statement that gives the timeline of a primary.
const timeline = "SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)::int"

func TestStandby(t *testing.T) {
	primary := pgtest.Start(t)
	dsn := primary.Database(t)
	run(t, dsn, "CREATE TABLE kept (n int)")
	var standby *pgtest.Server
	timed(t, "Standby", func() { standby = primary.Standby(t, "") })
	copied := onto(t, dsn, standby)

	for rows, end := range []func(testing.TB){nil, standby.Stop, standby.Kill} {
		want(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", 1)
		if end != nil {
			end(t)
			standby.Restart(t)
		}
		timed(t, "WaitFor", func() { standby.WaitFor(t, primary) })
		want(t, copied, "SELECT count(*) FROM kept", rows+1)
	}
	refused(t, copied, "INSERT INTO kept VALUES (1) RETURNING n", "25006")

	want(t, dsn, timeline, 1)
	timed(t, "Promote", func() { standby.Promote(t) })
	want(t, copied, timeline, 2)
	want(t, copied, "INSERT INTO kept VALUES (1) RETURNING n", 1)
	want(t, dsn, "SELECT count(*) FROM kept", 3)
	want(t, standby.Database(t), "SELECT 1", 1)
	standby.Restart(t)
	want(t, copied, "SELECT count(*) FROM kept", 4)
}

func TestPromoteLosesTheTail(t *testing.T) {
	primary := pgtest.Start(t)
	dsn := primary.Database(t)
	run(t, dsn, "CREATE TABLE kept (n int)")
	proxy := pgtest.NewProxy(t, primary.Address())
	standby := primary.Standby(t, proxy.Address())
	want(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", 1)
	timed(t, "WaitFor", func() { standby.WaitFor(t, primary) })
	want(t, primary.DSN("postgres"), "SELECT count(*) FROM pg_stat_replication", 1)

	proxy.Stick(true)
	want(t, dsn, "INSERT INTO kept VALUES (2) RETURNING n", 2)
	timed(t, "Kill", func() { primary.Kill(t) })
	timed(t, "Promote", func() { standby.Promote(t) })
	want(t, onto(t, dsn, standby), timeline, 2)
	want(t, onto(t, dsn, standby), "SELECT count(*) FROM kept", 1)

	// Clients follow.
	proxy.Cut()
	proxy.Switch(standby.Address())
	proxy.Stick(false)
	want(t, proxy.DSN(dsn), "INSERT INTO kept VALUES (3) RETURNING n", 3)

	// The old primary still has it.
	timed(t, "Restart", func() { primary.Restart(t) })
	want(t, dsn, "SELECT count(*) FROM kept", 2)
	want(t, dsn, timeline, 1)
}
