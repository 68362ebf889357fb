package queue

import (
	"context"
	"flag"
	"fmt"
	"testing"
)

var openMB = flag.Int("open-mb", 100, "how many MB of events the queue of BenchmarkOpen and BenchmarkCheck has")

// fill stores events of 1.2 kB in a queue, some MB of them, and closes it.
func fill(b *testing.B, s Settings, mb int) {
	b.Helper()
	const batch = 500
	q := openQueue(b, s)
	g := q.serve(Service{Observer: quiet{}, Retention: s.Retention, Size: s.Size})
	body := make([]byte, 850)
	for n := 0; n < mb*1e6/1200; n += batch {
		group := make([]*Event, batch)
		for i := range group {
			group[i] = newEvent(fmt.Sprint(n+i), "c-1")
			group[i].Body = body
		}
		if _, err := g.store(context.Background(), group); err != nil {
			b.Fatal(err)
		}
	}
	g.stop(context.Background())
	if err := q.close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen opens a queue of -open-mb.
func BenchmarkOpen(b *testing.B) {
	s := testSettings(b)
	s.Size = 1 << 40
	fill(b, s, *openMB)
	for b.Loop() {
		q, err := openLog(b.Context(), s)
		if err != nil {
			b.Fatal(err)
		}
		if err := q.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := q.close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	reportMilliseconds(b, s.File)
}

// BenchmarkCheck checks it.
func BenchmarkCheck(b *testing.B) {
	s := testSettings(b)
	s.Size = 1 << 40
	fill(b, s, *openMB)
	for b.Loop() {
		if r, err := Check(b.Context(), s); err != nil || len(r.Problems) > 0 {
			b.Fatal(r, err)
		}
	}
	reportMilliseconds(b, s.File)
}

// reportMilliseconds reports how long a round takes, and how large the file is.
func reportMilliseconds(b *testing.B, file string) {
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms")
	b.ReportMetric(float64(sizeOf(b, file))/1e6, "file-MB")
	b.ReportMetric(0, "ns/op")
}
