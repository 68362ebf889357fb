package queue

import (
	"context"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Discard removes dead letters and returns their number. Those that are selected by
// key are removed together, or none of them.
func (q *Queue) Discard(ctx context.Context, s Selection) (int64, error) {
	if s.Dead {
		return q.inSteps(ctx, func(t *tx) (int64, error) {
			return t.changed(`DELETE FROM webhooks_deliveries WHERE (seq, name) IN (SELECT seq, name FROM webhooks_deliveries
				WHERE state = 'dead' AND (name = $1 OR $1 = '') LIMIT `+stepRows+`)`, s.Destination)
		})
	}
	var total int64
	err := q.doWith(ctx, func(t *tx) error { // all of them or none
		total = 0
		for _, key := range s.Keys {
			n, err := t.discard(key, s.Destination)
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return total, nil
}

// discard removes the dead letters of an event.
func (t *tx) discard(key envelope.Key, destination string) (int64, error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		n, err := t.changed(`DELETE FROM webhooks_deliveries WHERE state = 'dead' AND seq IN `+ofKey+` AND (name = $2 OR $2 = '')`, key[:], destination)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, fmt.Errorf("%w: %s is not a dead letter", ErrUnknown, key)
}
