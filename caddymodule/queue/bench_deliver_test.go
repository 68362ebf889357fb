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

// BenchmarkDeliver stores events of 1.2 KiB, 32 in flight, while a destination that
// answers at once gets them, until all are delivered.
func BenchmarkDeliver(b *testing.B) {
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
			g := openQueue(b, s).Serve(Service{Destinations: []Destination{d}, Observer: quiet{}, Retention: s.Retention, Size: s.Size})
			defer g.Stop(context.Background())
			body := make([]byte, 1100)
			var last atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range 32 {
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
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stored/s")
			eventually(b, "delivery", func() bool { return delivered.Load() >= int64(b.N) })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "delivered/s")
		})
	}
}
