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

// BenchmarkDuplicates has events come again, 32 in flight: of one key, and of many.
func BenchmarkDuplicates(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		for _, keys := range []int64{1, 20_000} {
			b.Run(fmt.Sprintf("%s/keys=%d", engine, keys), func(b *testing.B) {
				s := testSettings(b)
				s.Size = 1 << 40
				if engine == PostgreSQL {
					s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
				}
				g := openQueue(b, s).serve(Service{Observer: quiet{}, Retention: s.Retention, Size: s.Size})
				defer g.stop(context.Background())
				store := func(n int64) {
					e := newEvent(fmt.Sprint(n%keys), "c-1")
					e.Body, e.Received = make([]byte, 1100), time.Now()
					if _, err := g.store(context.Background(), []*Event{e}); err != nil {
						b.Error(err)
					}
				}
				var last atomic.Int64
				var wg sync.WaitGroup
				inFlight := func(n int64) {
					for range 32 {
						wg.Go(func() {
							for i := last.Add(1); i <= n && !b.Failed(); i = last.Add(1) {
								store(i)
							}
						})
					}
					wg.Wait()
				}
				inFlight(keys)
				last.Store(0)
				b.ResetTimer()
				inFlight(int64(b.N))
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
