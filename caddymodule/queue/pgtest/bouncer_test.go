package pgtest_test

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

func TestBouncer(t *testing.T) {
	s := pgtest.Start(t)
	dsn := s.Database(t)
	var b *pgtest.Bouncer
	timed(t, "Bouncer", func() { b = s.Bouncer(t) })
	pooled := b.DSN(dsn)
	want(t, pooled, "SELECT 1", 1)
	run(t, pooled, "CREATE TABLE kept (n int)")
	want(t, dsn, "SELECT count(*) FROM kept", 0)

	// It has its default settings: sessions are pooled, and a parameter that it does
	// not know is refused.
	first, err := query(t, pooled, "SELECT pg_backend_pid()")
	if err != nil {
		t.Fatal(err)
	}
	want(t, pooled, "SELECT pg_backend_pid()", first)
	want(t, dsn+"&statement_timeout=1000", "SELECT 1", 1)
	refused(t, pooled+"&statement_timeout=1000", "SELECT 1", "08P01")

	s.Restart(t)
	want(t, b.DSN(s.Database(t)), "SELECT 1", 1)
}
