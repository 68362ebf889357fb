package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// BenchmarkDeliver stores events of 1.2 KiB, 32 in flight, while a destination that
// answers at once gets them, until all are delivered: by all types, by some, and by two
// conditions on the envelope.
func BenchmarkDeliver(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		for _, c := range []struct {
			name   string
			filter Filter
		}{
			{"all", Filter{}},
			{"types", Filter{Types: types("contact.*", "message.*")}},
			{"when", Filter{When: benchConditions}},
		} {
			b.Run(engine+"/"+c.name, func(b *testing.B) {
				s := testSettings(b)
				s.Size = 1 << 40
				if engine == PostgreSQL {
					s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
				}
				benchmarkDeliver(b, s, c.filter)
			})
		}
	}
}

// benchConditions hold for benchBody.
var benchConditions = []envelope.Condition{
	{Path: "data.message.kind", Is: []string{"text", "image"}},
	{Path: "data.original.repository.full_name", Is: []string{"acme/*"}},
}

// benchBody returns an envelope of 1.1 KiB, with the provider's bytes after a long text.
func benchBody() []byte {
	return fmt.Appendf(nil, `{"id":"1","type":"message.created","data":{"message":{"kind":"text","text":%q},"original":{"text":%q,"repository":{"full_name":"acme/shop"}}}}`,
		strings.Repeat("text ", 80), strings.Repeat("text ", 100))
}

func benchmarkDeliver(b *testing.B, s Settings, f Filter) {
	var delivered atomic.Int64
	d := newDestination("a", func(context.Context, *Delivery) Result {
		delivered.Add(1)
		return Result{Status: 200}
	})
	d.Types, d.When = f.Types, f.When
	g := openQueue(b, s).serve(Service{Destinations: []Destination{d}, Observer: quiet{}, Retention: s.Retention, Size: s.Size})
	defer g.stop(context.Background())
	body := benchBody()
	var last atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for n := last.Add(1); n <= int64(b.N); n = last.Add(1) {
				e := newEvent(fmt.Sprint(n), "c-1")
				e.Body, e.Received = body, time.Now()
				if _, err := g.store(context.Background(), []*Event{e}); err != nil {
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
}

// BenchmarkTakes compares an event of 1.1 KiB with a filter.
func BenchmarkTakes(b *testing.B) {
	e := newEvent("1", "")
	e.Body = benchBody()
	for _, c := range []struct {
		name   string
		filter Filter
	}{
		{"all", Filter{}},
		{"types", Filter{Types: types("contact.*", "message.*")}},
		{"when", Filter{When: benchConditions}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.filter.Takes(e) {
					b.Fatal("it does not take the event")
				}
			}
		})
	}
}

// BenchmarkStatus asks for the progress of a destination with 100,000 events that
// it has not taken yet: for the first time after a start, and again.
func BenchmarkStatus(b *testing.B) {
	for _, c := range []struct {
		name string
		when []envelope.Condition
	}{{"all", nil}, {"when", benchConditions}} {
		b.Run(c.name, func(b *testing.B) {
			const events, batch = 100_000, 500
			s := testSettings(b)
			s.Size = 1 << 40
			d := newDestination("a", answers(200))
			d.When = c.when
			g := start(b, s, d)
			waitDeclared(b, g.g)
			if err := g.q.Pause(b.Context(), "a"); err != nil {
				b.Fatal(err)
			}
			body := benchBody()
			for n := 0; n < events; n += batch {
				group := make([]*Event, batch)
				for i := range group {
					group[i] = newEvent(fmt.Sprint(n+i), "c-1")
					group[i].Body = body
				}
				g.keep(b, group...)
			}
			var first, again time.Duration
			for b.Loop() {
				g.q.verdicts.enter(nil)
				g.q.counting.Lock()
				clear(g.q.counters)
				g.q.counting.Unlock()
				for _, took := range []*time.Duration{&first, &again} {
					begun := time.Now()
					if st := g.status(b, "a"); st.Backlog != events {
						b.Fatalf("%+v", st)
					}
					*took += time.Since(begun)
				}
			}
			b.ReportMetric(first.Seconds()*1000/float64(b.N), "first-ms")
			b.ReportMetric(again.Seconds()*1000/float64(b.N), "again-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
