package console

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// reader is the journal, as the pages see it.
type reader interface {
	Events(ctx context.Context, s queue.Search, p journal.Page) (journal.Events, error)
	Event(ctx context.Context, key envelope.Key) (*journal.History, error)
	Refusals(f journal.RefusalFilter, p journal.Page) (journal.Refusals, error)
	Blocks(ctx context.Context) (journal.Blocks, error)
	Destinations(ctx context.Context) ([]journal.Destination, error)
	Follow(s queue.Search, after string) (*journal.Feed, error)
	Since() time.Time
	control() (controller, error)
}

// controller is the queue, as the pages see it.
type controller interface {
	Ready(ctx context.Context) error
	Size() (bytes, limit int64)
	DownLogs() []int
	Causes(ctx context.Context, destination string) ([]queue.Cause, error)
	DeadLetters(ctx context.Context, destination string, limit int) ([]queue.DeadLetter, error)
	Replay(ctx context.Context, s queue.Selection) (int64, error)
	Discard(ctx context.Context, s queue.Selection) (int64, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
}

// running is the journal of the running configuration, which may be a newer one than
// that of the handler: its queue is the one that is open.
type running struct{ *journal.Journal }

func runningSource() (reader, error) {
	j, err := webhooks.RunningJournal()
	if err != nil {
		return nil, err
	}
	return running{j}, nil
}

func (r running) control() (controller, error) {
	q, err := r.Queue()
	if err != nil {
		return nil, err
	}
	return q, nil
}
