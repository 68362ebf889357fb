package queue

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestLargeBacklog delivers 150 MB over a network of 30 MB/s, which takes 5 s, and then
// less that is due together, and that comes meanwhile: little more is read than what
// is delivered.
func TestLargeBacklog(t *testing.T) {
	t.Parallel()
	const n, few, size = 300, 60, 500_000
	server := pgtest.Start(t)
	dsn := server.Database(t)
	line := pgtest.NewProxy(t, server.Address())
	line.Narrow(30_000_000)
	body := make([]byte, size)
	_, _ = rand.Read(body) // which the server cannot compress
	r := new(receiver)
	d := newDestination("a", r.deliver)
	d.Concurrency = 32
	s := quietly(postgresSettings(t, line.DSN(dsn)))
	g := start(t, s, d)

	store := func(prefix string, n int) {
		var wg sync.WaitGroup
		for part := range 8 {
			wg.Go(func() {
				for i := part; i < n; i += 8 {
					e := newEvent(fmt.Sprint(prefix, i), "")
					e.Body = body
					g.keep(t, e)
				}
			})
		}
		wg.Wait()
	}
	came := func(what string, begun time.Time, before, n int) {
		t.Helper()
		eventually(t, what, func() bool { return len(r.all()) >= before+n && g.status(t, "a").Backlog == 0 })
		got := len(r.all()) - before
		t.Logf("%s: %d attempts in %v", what, got, time.Since(begun))
		if got > n*11/10 {
			t.Errorf("%s: %d attempts, want %d", what, got, n)
		}
	}

	if err := g.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	store("backlog-", n)
	begun := time.Now()
	if err := g.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	came("a backlog", begun, 0, n)
	var again Selection
	for i := range few {
		again.Keys = append(again.Keys, newEvent(fmt.Sprint("backlog-", i), "").Key)
	}
	begun, before := time.Now(), len(r.all())
	g.wantReplayed(t, again, few)
	came("deliveries that are due together", begun, before, few)
	begun, before = time.Now(), len(r.all())
	store("live-", few)
	came("live", begun, before, few)
	if got := len(r.counts()); got != n+few {
		t.Errorf("%d of %d came", got, n+few)
	}
}
