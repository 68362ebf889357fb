package journal

import (
	"context"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// lookAgain is how long after the queue did not answer it is asked again.
const lookAgain = time.Second

// Recall finds out when the blocks with destinations last accepted an event, if that was
// before this process started. The queue may not be open yet: Recall tries again until
// ctx ends.
func (j *Journal) Recall(ctx context.Context) {
	var blocks []*BlockMemory
	for _, config := range j.blocks {
		b := j.memory.block(blockKey{config.Provider, config.Source})
		if len(config.Destinations) > 0 && b != nil && b.lastAcceptedAt().IsZero() {
			blocks = append(blocks, b)
		}
	}
	for {
		blocks = slices.DeleteFunc(blocks, func(b *BlockMemory) bool { return j.recall(ctx, b) })
		if len(blocks) == 0 {
			return
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return
		}
	}
}

// recall looks for the latest event of a block in each log of the queue. It returns false
// if one does not answer.
func (j *Journal) recall(ctx context.Context, b *BlockMemory) bool {
	answered := true
	for _, log := range j.stored.LogNumbers() {
		answered = j.recallFrom(ctx, log, b) && answered
	}
	return answered
}

// recallFrom looks for the latest event of a block in a log. It returns false if the log
// does not answer.
func (j *Journal) recallFrom(ctx context.Context, log int, b *BlockMemory) bool {
	for before := int64(0); ; {
		found, err := j.stored.Search(ctx, log, queue.Search{Provider: b.provider, Source: b.source}, before, 1)
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
