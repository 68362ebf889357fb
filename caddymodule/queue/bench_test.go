package queue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// BenchmarkStore stores events of 1.2 KiB, each answered after its commit, with
// a number of them in flight.
func BenchmarkStore(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		for _, flying := range []int{1, 8, 32, 256} {
			b.Run(fmt.Sprintf("%s/flying=%d", engine, flying), func(b *testing.B) { benchmarkStore(b, engine, flying) })
		}
	}
}

func benchmarkStore(b *testing.B, engine string, flying int) {
	s := testSettings(b)
	s.Size = 1 << 40
	if engine == PostgreSQL {
		s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
	}
	q := openQueue(b, s)
	g := q.Serve(Service{Observer: quiet{}, Retention: DefaultRetention, Size: s.Size})
	defer g.Stop(context.Background())
	body := make([]byte, 1100)
	var last atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range flying {
		wg.Go(func() {
			for n := last.Add(1); n <= int64(b.N); n = last.Add(1) {
				e := newEvent(fmt.Sprint(n), "c-1")
				e.Body, e.Received = body, time.Now()
				if _, err := g.Store(context.Background(), []*Event{e}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
