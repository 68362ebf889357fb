package journal

import (
	"context"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// TestRecall shows what is known of blocks after a restart.
func TestRecall(t *testing.T) {
	configs := []BlockConfig{
		{Provider: "notifly", Source: "/stored", Destinations: []string{"app"}},
		{Provider: "notifly", Source: "/busy", Destinations: []string{"app"}},
		{Provider: "wotnot", Source: "/direct"},
	}
	m, _ := newTestMemory()
	for _, c := range configs {
		m.OpenBlock(c.Provider, c.Source)
	}
	later := noon.Add(time.Hour)
	m.block(blockKey{"notifly", "/busy"}).Served(Exchange{Time: later, Accepted: 1})
	j := New(nil, m, configs)
	q := &fakeQueue{err: queue.ErrUnavailable}
	j.stored = q
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.Recall(ctx) // returns, although the queue does not answer
	if last := m.LastAccepted(); len(last) != 1 || !last["notifly"].Equal(later) {
		t.Errorf("%v", last)
	}
	q.err = nil
	q.add(1, noon)
	q.add(2, noon.Add(time.Minute))
	j.Recall(t.Context())
	blocks, err := j.Blocks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"/stored": noon.Add(time.Minute), "/busy": later, "/direct": {}}
	for _, b := range blocks.Blocks {
		if !b.LastAccepted.Equal(want[b.Source]) {
			t.Errorf("%s: %s, want %s", b.Source, b.LastAccepted, want[b.Source])
		}
	}
}
