package queue

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

var searchEvents = flag.Int("search-events", 1_000_000, "how many events the queue of BenchmarkSearch has")

// BenchmarkSearch looks for the first page of 100 among events of 1.2 kB.
func BenchmarkSearch(b *testing.B) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		b.Run(engine, func(b *testing.B) {
			s := testSettings(b)
			if engine == PostgreSQL {
				s.Engine, s.DSN = PostgreSQL, pgtest.Start(b).Database(b)
			}
			s.Size = 1 << 40
			benchmarkSearch(b, s, *searchEvents)
		})
	}
}

func benchmarkSearch(b *testing.B, s Settings, n int) {
	q := openQueue(b, s)
	dead := newDestination("dead", answers(410))
	dead.Types = types("rare")
	g := &gateway{s: s, q: q, g: q.Serve(Service{
		Destinations: []Destination{newDestination("a", answers(200)), dead},
		Observer:     quiet{}, Retention: 1e6 * time.Hour, Size: s.Size,
	})}
	defer g.stop(b)
	begin := fillForSearch(b, g, n)
	middle := begin.Add(time.Duration(n/2) * time.Second)
	for _, c := range []struct {
		name   string
		search Search
		found  int
	}{
		{"all", Search{}, 100},
		{"rare partition key", Search{PartitionKey: "c-1000"}, 10},
		{"absent partition key", Search{PartitionKey: "absent"}, 0},
		{"id", Search{ID: "12345"}, 1},
		{"absent subject", Search{Subject: "absent"}, 0},
		{"type", Search{Type: types("message.*")[0]}, 100},
		{"rare type", Search{Type: types("rare")[0]}, 10},
		{"absent type", Search{Type: types("absent.*")[0]}, 0},
		{"absent source", Search{Source: "absent"}, 0},
		{"middle", Search{Until: middle}, 100},
		{"middle, 10 s", Search{Since: middle, Until: middle.Add(10 * time.Second)}, 10},
		{"future", Search{Since: begin.Add(1e6 * time.Hour)}, 0},
		{"waiting", Search{State: StateWaiting}, 0},
		{"retrying", Search{State: StateRetrying}, 0},
		{"delivered", Search{State: StateDelivered}, 100},
		{"dead", Search{State: StateDead}, 10},
		{"dead, of a type", Search{State: StateDead, Type: types("rare")[0]}, 10},
		{"dead, of another type", Search{State: StateDead, Type: types("message.*")[0]}, 0},
		{"unrouted", Search{State: StateUnrouted}, 0},
		{"destination", Search{Destination: "dead"}, 10},
		{"key and state", Search{PartitionKey: "c-1000", State: StateDelivered, Destination: "a"}, 10},
		{"text", Search{Text: `"n":1`}, 100},
		{"absent text", Search{Text: "absent"}, 0},
		{"text and type", Search{Type: types("rare")[0], Text: `"n":`}, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				found, err := g.q.Search(b.Context(), c.search, 0, 100)
				if err != nil || len(found.Events) != c.found && n == 1_000_000 {
					b.Fatal(len(found.Events), err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillForSearch stores events, a second apart, of which every hundred thousandth is of a
// rare type, and every hundred thousandth has the same partition key. It returns when
// the first came in.
func fillForSearch(b testing.TB, g *gateway, n int) (begin time.Time) {
	b.Helper()
	const batch = 500
	begin = time.Now().Add(-time.Duration(n) * time.Second).Truncate(time.Second)
	padding := make([]byte, 1000)
	for i := range padding {
		padding[i] = 'a' + byte(i%26)
	}
	for i := 0; i < n; i += batch {
		group := make([]*Event, min(batch, n-i))
		for j := range group {
			e := newEvent(fmt.Sprint(i+j), fmt.Sprint("c-", (i+j)%100_000))
			e.Type, e.Subject = []string{"message.created", "message.updated", "contact.created"}[j%3], fmt.Sprint("s-", (i+j)%1000)
			if (i+j)%100_000 == 50_000 {
				e.Type = "rare"
			}
			e.Body = fmt.Appendf(nil, `{"n":%d,"padding":"%s"}`, i+j, padding)
			e.Received = begin.Add(time.Duration(i+j) * time.Second)
			group[j] = e
		}
		g.keep(b, group...)
	}
	for deadline := time.Now().Add(20 * time.Minute); g.number(b, `SELECT MIN(position) FROM webhooks_destinations`) < int64(n) ||
		g.number(b, `SELECT count(*) FROM webhooks_index`) < int64(n/blockEvents); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			b.Fatal("the events are not delivered and indexed")
		}
	}
	return begin
}
