package queue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkBacklog stores a million events for a destination that is paused, then
// lets it drain, and reports how much memory that takes: of the heap after a
// collection, with no backlog, with all of it, and the most while it drains; and
// what the process holds.
func BenchmarkBacklog(b *testing.B) {
	const events, batch = 1_000_000, 500
	for b.Loop() {
		s := testSettings(b)
		s.Size = 1 << 40
		q := openQueue(b, s)
		var delivered atomic.Int64
		d := newDestination("a", func(context.Context, *Delivery) Result {
			delivered.Add(1)
			return Result{Status: 200}
		})
		g := q.serve(Service{Destinations: []Destination{d}, Observer: quiet{}, Retention: s.Retention, Size: s.Size})
		if err := q.Pause(context.Background(), "a"); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(heapMB(), "empty-MB")
		body := make([]byte, 1100)
		begin := time.Now()
		for n := 0; n < events; n += batch {
			group := make([]*Event, batch)
			for i := range group {
				group[i] = newEvent(fmt.Sprint(n+i), "c-1")
				group[i].Body = body
			}
			if _, err := g.store(context.Background(), group); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(events/time.Since(begin).Seconds(), "stored/s")
		b.ReportMetric(heapMB(), "full-MB")
		b.ReportMetric(residentMB(), "full-resident-MB")
		file, err := os.Stat(filepath.Clean(s.File))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(file.Size())/1e6, "file-MB")

		begin = time.Now()
		if err := q.Resume(context.Background(), "a"); err != nil {
			b.Fatal(err)
		}
		most := 0.0
		for delivered.Load() < events {
			time.Sleep(time.Second)
			most = max(most, heapMB())
		}
		b.ReportMetric(events/time.Since(begin).Seconds(), "drained/s")
		b.ReportMetric(most, "draining-MB")
		b.ReportMetric(residentMB(), "drained-resident-MB")
		g.stop(context.Background())
		if err := q.close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// heapMB returns what is in use after a collection.
func heapMB() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// residentMB returns what the process holds, SQLite's pages among it; 0 where the
// system does not report it.
func residentMB() float64 {
	var size, resident float64
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return resident * float64(os.Getpagesize()) / 1e6
}

// quiet is an Observer that does nothing.
type quiet struct{}

func (quiet) Attempted(Attempt)        {}
func (quiet) Down(string, int, Result) {}
func (quiet) Up(string)                {}
func (quiet) Discarded(string, int)    {}
