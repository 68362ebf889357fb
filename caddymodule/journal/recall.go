package journal

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// lookAgain is how long after the queue did not answer it is asked again.
const lookAgain = time.Second

// Recall finds out when the blocks with destinations last accepted an event, if that was
// before this process started. The queue may not be open yet: Recall tries again until
// ctx ends.
func (j *Journal) Recall(ctx context.Context) {
	for _, config := range j.blocks {
		b := j.memory.block(blockKey{config.Provider, config.Source})
		if len(config.Destinations) == 0 || b == nil || !b.lastAcceptedAt().IsZero() {
			continue
		}
		for !j.recall(ctx, b) {
			select {
			case <-time.After(lookAgain):
			case <-ctx.Done():
				return
			}
		}
	}
}

// recall looks for the latest event of a block. It returns false if the queue does not
// answer.
func (j *Journal) recall(ctx context.Context, b *BlockMemory) bool {
	for before := int64(0); ; {
		found, err := j.stored.Search(ctx, queue.Search{Provider: b.provider, Source: b.source}, before, 1)
		switch {
		case err != nil:
			return false
		case len(found.Events) > 0:
			b.acceptedBefore(found.Events[0].Received)
			return true
		case found.Before == 0:
			return true
		}
		before = found.Before // the search ended early
	}
}

// acceptedBefore notes when an event was accepted before this process started.
func (b *BlockMemory) acceptedBefore(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at.After(b.lastAccepted) {
		b.lastAccepted = at
	}
}
