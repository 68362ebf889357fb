package queue

import (
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestLargeBacklog delivers 150 MB, three times, over a network of 30 MB/s, which takes
// 5 s each: little more is read than what is delivered.
func TestLargeBacklog(t *testing.T) {
	t.Parallel()
	const n, size = 300, 500_000
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

	store := func(prefix string) {
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
	rounds := 0
	came := func(what string, begun time.Time) {
		t.Helper()
		rounds++
		eventually(t, what, func() bool { return len(r.all()) >= rounds*n && g.status(t, "a").Backlog == 0 })
		t.Logf("%s: %d attempts in %v", what, len(r.all())-(rounds-1)*n, time.Since(begun))
		if got := len(r.all()); got > rounds*n*11/10 {
			t.Errorf("%s: %d attempts, want %d", what, got, rounds*n)
		}
	}

	if err := g.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	store("backlog-")
	begun := time.Now()
	if err := g.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	came("a backlog", begun)
	begun = time.Now()
	g.wantReplayed(t, Selection{Since: begun.Add(-time.Hour)}, n)
	came("deliveries that are due together", begun)
	begun = time.Now()
	store("live-")
	came("live", begun)
	if got := len(r.counts()); got != 2*n {
		t.Errorf("%d of %d came", got, 2*n)
	}
}
