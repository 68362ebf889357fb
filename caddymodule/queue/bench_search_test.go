package queue

import (
	"flag"
	"fmt"
	"slices"
	"strings"
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
	dead := newDestination("dead", answers(410))
	dead.Types = types("rare")
	q := openQueue(b, s)
	g := &gateway{s: s, q: q, g: q.serve(Service{
		Destinations: []Destination{newDestination("a", answers(200)), dead},
		Observer:     quiet{}, Retention: 1e6 * time.Hour, Size: s.Size,
	})}
	defer g.stop(b)
	for _, name := range []string{"a", "dead"} {
		if err := q.Pause(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
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
		{"text", Search{Text: `"n":99`}, 100},
		{"absent text", Search{Text: "absent"}, 0},
		{"text and type", Search{Type: types("rare")[0], Text: `"n":`}, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				found, err := g.q.Search(b.Context(), c.search, 0, 100)
				if err != nil || len(found.Events) != c.found && n == 1_000_000 {
					b.Fatal(len(found.Events), err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(took[0].Seconds()*1e3, "best-ms")
			b.ReportMetric(took[len(took)/2].Seconds()*1e3, "median-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// fillForSearch writes events, a second apart, as if they had been delivered. One in a
// hundred thousand is of a rare type, whose destination is dead, and one in a hundred
// thousand has the same partition key. It returns when the first came in.
func fillForSearch(b testing.TB, g *gateway, n int) (begin time.Time) {
	b.Helper()
	begin = time.Now().Add(-time.Duration(n) * time.Second).Truncate(time.Second)
	bytes, key, padding := `CAST(%s AS BLOB)`, `randomblob(20)`, strings.Repeat("abcdefghij", 100)
	if g.s.Engine == PostgreSQL {
		bytes, key = `convert_to(%s, 'UTF8')`, `substring(sha256(convert_to(CAST(i AS TEXT), 'UTF8')) FOR 20)`
	}
	const step = 20_000
	for from := 0; from < n; from += step {
		if err := g.q.do(func(t *tx) error {
			err := t.exec(`INSERT INTO webhooks_events (seq, key, source, provider, type, subject, partition_key, event_id, received, expires, size, original, shared, request, body)
				WITH RECURSIVE s (i) AS (SELECT `+fmt.Sprint(from)+` UNION ALL SELECT i + 1 FROM s WHERE i + 1 < `+fmt.Sprint(min(from+step, n))+`)
				SELECT i + 1, `+key+`, '`+testSource+`', 'test',
					CASE WHEN i % 100000 = 50000 THEN 'rare' WHEN i % 3 = 0 THEN 'message.created' WHEN i % 3 = 1 THEN 'message.updated' ELSE 'contact.created' END,
					'', 'c-' || (i % 100000), CAST(i AS TEXT), $1 + i * CAST(1000000 AS BIGINT), $1 + i * CAST(1000000 AS BIGINT), 1200, 0, 0, `+
				fmt.Sprintf(bytes, `'{}'`)+`, `+fmt.Sprintf(bytes, `'{"n":' || i || ',"padding":"`+padding+`"}'`)+` FROM s`, begin.UnixMicro())
			if err == nil {
				err = t.exec(`INSERT INTO webhooks_keys (key, expires, seq) SELECT key, expires, seq FROM webhooks_events WHERE seq > $1`, from)
			}
			if err == nil {
				err = t.exec(`UPDATE webhooks_queue SET last = $1`, min(from+step, n))
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	for _, statement := range []string{
		`UPDATE webhooks_destinations SET position = (SELECT last FROM webhooks_queue)`,
		`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
			SELECT seq, 'dead', 'dead', 0, 1, 0, received, 410, 'answered 410', partition_key, received, size FROM webhooks_events WHERE type = 'rare'`,
	} {
		g.exec(b, statement)
	}
	if err := g.q.do(func(t *tx) error {
		for block := range int64(n / blockEvents) {
			row := attemptsRow{block: block, ended: begin.UnixMicro()}
			for place := range blockEvents {
				row.add(endedAttempt{place: place, number: 1, began: begin.UnixMicro(), took: 1000, status: 200, outcome: OutcomeDelivered})
			}
			if err := t.insertAttempts("a", []*attemptsRow{&row}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	if err := g.q.enter(b.Context()); err != nil { // which reads the end of the log
		b.Fatal(err)
	}
	e := g.q.currentEra()
	begun := time.Now()
	for block := range int64(n / blockEvents) {
		if err := g.q.indexBlocks(e, []int64{block}); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("indexed %d events in %s", n, time.Since(begun))
	return begin
}
