package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// BenchmarkStore stores events of 1.2 KiB, each answered after its commit, with
// a number of them in flight. Over a link, a round trip to the server takes 2 ms
// longer, and several gateways share it.
func BenchmarkStore(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		for _, flying := range []int{1, 8, 32, 256} {
			b.Run(fmt.Sprintf("%s/flying=%d", engine, flying), func(b *testing.B) {
				s := testSettings(b)
				if engine == PostgreSQL {
					s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
				}
				benchmarkStore(b, s, 1, flying)
			})
		}
	}
	for _, c := range []struct{ gateways, flying int }{{1, 32}, {3, 96}, {3, 288}} {
		b.Run(fmt.Sprintf("%s/link/gateways=%d/flying=%d", PostgreSQL, c.gateways, c.flying), func(b *testing.B) {
			server := pgtest.Start(b)
			link := pgtest.NewProxy(b, server.Address())
			link.Delay(time.Millisecond) // each way
			s := testSettings(b)
			s.Engine, s.DSN = PostgreSQL, link.DSN(server.Database(b))
			benchmarkStore(b, s, c.gateways, c.flying)
		})
	}
}

func benchmarkStore(b *testing.B, s Settings, gateways, flying int) {
	s.Size = 1 << 40
	all := make([]*logGeneration, gateways)
	for i := range all {
		all[i] = openQueue(b, s).serve(Service{Observer: quiet{}, Retention: DefaultRetention, Size: s.Size})
		defer all[i].stop(context.Background())
	}
	body := make([]byte, 1100)
	took := make([]time.Duration, b.N)
	var last atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range flying {
		wg.Go(func() {
			for n := last.Add(1); n <= int64(b.N); n = last.Add(1) {
				e := newEvent(fmt.Sprint(n), "c-1")
				e.Body, e.Received = body, time.Now()
				if _, err := all[i%gateways].store(context.Background(), []*Event{e}); err != nil {
					b.Error(err)
					return
				}
				took[n-1] = time.Since(e.Received)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	slices.Sort(took)
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
}
