package pgtest_test

import (
	"context"
	"errors"
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
	if _, err := query(t, dsn, "CREATE TABLE kept (n int)"); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}

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
	if _, err := query(t, dsn, "CREATE TABLE kept (n int)"); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	for range 3 {
		timed(t, "Configure", func() { s.Configure(t, "default_transaction_read_only", "on") })
		var refused *pgconn.PgError
		if _, err := query(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n"); !errors.As(err, &refused) || refused.Code != "25006" {
			t.Fatalf("a write to a read-only server gives %v", err)
		}
		s.Database(t) // can still be created and dropped
		s.Configure(t, "default_transaction_read_only", "")
		want(t, dsn, "INSERT INTO kept VALUES (1) RETURNING n", 1)
	}

	s.Configure(t, "application_name", "it's a test")
	s.Restart(t)
	want(t, dsn, "SELECT (reset_val = 'it''s a test')::int FROM pg_settings WHERE name = 'application_name'", 1)
	s.Configure(t, "default_transaction_read_only", "on") // Database(t) drops it nevertheless
}
