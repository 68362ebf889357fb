package queue

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// BenchmarkDrain delivers a backlog of events of 1.2 KiB to a destination that answers
// at once.
func BenchmarkDrain(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		b.Run(engine, func(b *testing.B) {
			s := testSettings(b)
			s.Size = 1 << 40
			if engine == PostgreSQL {
				s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
			}
			var delivered atomic.Int64
			d := newDestination("a", func(context.Context, *Delivery) Result {
				delivered.Add(1)
				return Result{Status: 200}
			})
			q := openQueue(b, s)
			g := q.serve(Service{Destinations: []Destination{d}, Observer: quiet{}, Retention: s.Retention, Size: s.Size})
			defer g.stop(context.Background())
			if err := q.Pause(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
			all := newEvents(b.N)
			for i := range all {
				all[i].Body = make([]byte, 1100)
			}
			for i := 0; i < b.N; i += 500 {
				if _, err := g.store(b.Context(), all[i:min(i+500, b.N)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			if err := q.Resume(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
			eventually(b, "delivery", func() bool { return delivered.Load() >= int64(b.N) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
		})
	}
}
