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
		b := j.memory.block(config.Source)
		if len(config.Destinations) == 0 || b == nil || !b.lastAcceptedAt().IsZero() {
			continue
		}
		for {
			found, err := j.stored.Search(ctx, queue.Search{Source: config.Source}, 0, 1)
			if err == nil && len(found.Events) > 0 {
				b.acceptedBefore(found.Events[0].Received)
			}
			if err == nil {
				break
			}
			select {
			case <-time.After(lookAgain):
			case <-ctx.Done():
				return
			}
		}
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
