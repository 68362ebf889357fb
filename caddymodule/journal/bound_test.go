package journal

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// wantLittle calls fill, and fails if what it leaves in memory is not little.
func wantLittle(t *testing.T, most int64, fill func()) {
	t.Helper()
	inUse := func() int64 {
		runtime.GC()
		runtime.GC() // what sync.Pool keeps takes two
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	fill()
	if grown := inUse() - before; grown > most {
		t.Errorf("it takes %d bytes, want at most %d", grown, most)
	}
}

// TestRefusalsAreBounded refuses requests with very many headers.
func TestRefusalsAreBounded(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	wantLittle(t, 1<<20, func() {
		for range 20 {
			names := make([]string, 10_000)
			for i := range names {
				names[i] = fmt.Sprint("X-", i)
			}
			b.Refused(Exchange{Time: noon}, Refusal{Reason: "method", Headers: names})
		}
	})
	runtime.KeepAlive(m)
}

// TestFeedIsBounded publishes events that are a small part of a large body each, as
// duplicates in a batch are, to a follower with a text filter.
func TestFeedIsBounded(t *testing.T) {
	m, _ := newTestMemory()
	b := m.OpenBlock("notifly", "/a")
	f := follow1(t, m, queue.Search{Text: "no such text"}, "")
	wantLittle(t, 2<<20, func() {
		for i := range 100 {
			batch := make([]byte, 1<<20)
			b.PublishEvent(envelope.NewKey("/a", fmt.Sprint(i)), &envelope.Event{}, noon, "duplicate", batch[:100])
		}
	})
	runtime.KeepAlive(f)
}
