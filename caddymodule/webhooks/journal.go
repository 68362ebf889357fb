package webhooks

import (
	"context"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// journals holds the journal's memory, across reloads.
var journals = caddy.NewUsagePool()

// journalKey is the only key in journals.
type journalKey struct{}

// pooledJournal makes the journal's memory a caddy.Destructor.
type pooledJournal struct{ *journal.Memory }

// Destruct ends the subscriptions to the live feed.
func (p pooledJournal) Destruct() error {
	p.Close()
	return nil
}

// openJournal returns the journal's memory; closeJournal must follow.
func openJournal() (*journal.Memory, error) {
	memory, _, err := journals.LoadOrNew(journalKey{}, func() (caddy.Destructor, error) {
		return pooledJournal{journal.NewMemory(time.Now)}, nil
	})
	if err != nil {
		return nil, err
	}
	return memory.(pooledJournal).Memory, nil
}

func closeJournal() error {
	_, err := journals.Delete(journalKey{})
	return err
}

// addBlock adds the block of a handler to the journal, once for each source.
func (a *App) addBlock(h *Handler) {
	if !a.claims.isFirst(h) {
		return
	}
	block := journal.BlockConfig{Provider: h.Provider, Source: h.Source, Note: h.provider.Spec().Note, Unverified: h.Unverified}
	for _, d := range h.Destinations {
		block.Destinations = append(block.Destinations, d.Name)
	}
	a.blocks = append(a.blocks, block)
}

// recall lets the journal find out when blocks last accepted an event, in the background:
// the queue may not be open yet.
type recall struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (r *recall) start(j *journal.Journal) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() { j.Recall(ctx) })
}

// stop ends it. It may be called before start, and twice.
func (r *recall) stop() {
	if r.cancel != nil {
		r.cancel()
	}
	r.done.Wait()
}
