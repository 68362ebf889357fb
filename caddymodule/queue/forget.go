package queue

import (
	"context"
	"fmt"

	"go.uber.org/zap"
)

// Forget discards a destination that has left the configuration, and returns the number
// of deliveries that are lost with it, dead letters included. It returns ErrConfigured
// while a configuration has the name.
func (q *eventLog) Forget(ctx context.Context, name string) (int64, error) {
	status, err := q.Status(ctx)
	if err != nil {
		return 0, err
	}
	found := false
	var discarded int64
	for _, s := range status {
		if s.Destination == name {
			if found = true; s.Configured {
				return 0, errConfigured(name)
			}
			discarded = s.Backlog + s.DeadLetters
		}
	}
	if !found {
		return 0, fmt.Errorf("%w: no destination %q", ErrUnknown, name)
	}
	if _, err = q.inSteps(ctx, func(t *tx) (int64, error) {
		return t.changed(`DELETE FROM webhooks_deliveries WHERE (seq, name) IN (SELECT seq, name FROM webhooks_deliveries WHERE name = $1 LIMIT `+stepRows+`)`, name)
	}); err != nil {
		return 0, err
	}
	err = q.doWith(ctx, func(t *tx) error {
		return t.exec(`DELETE FROM webhooks_destinations WHERE name = $1`, name)
	})
	if err == nil {
		q.log().Info("forgot destination", zap.String("destination", name), zap.Int64("discarded", discarded))
	}
	return discarded, err
}

// errConfigured returns the error for a destination that a configuration has.
func errConfigured(name string) error {
	return fmt.Errorf("destination %q: %w", name, ErrConfigured)
}
