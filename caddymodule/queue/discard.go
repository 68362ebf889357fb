package queue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Discard removes dead letters and returns their number. Those that are selected by
// key are removed together, or none of them.
func (q *eventLog) Discard(ctx context.Context, s Selection) (total int64, err error) {
	if s.Dead {
		return q.changeDead(ctx, s, `DELETE FROM webhooks_deliveries`)
	}
	keys := s.uniqueKeys()
	if s.DryRun {
		for _, key := range keys {
			var n int64
			if n, err = q.countDead(ctx, key, s.Destination); err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	}
	err = q.doWith(ctx, func(t *tx) error { // all of them or none
		total = 0
		for _, key := range keys {
			n, failed := t.discard(key, s.Destination)
			if failed != nil {
				return failed
			}
			total += n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.report(total)
	return total, nil
}

// uniqueKeys returns Keys, each once and sorted, so that changes lock in the same order.
func (s *Selection) uniqueKeys() []envelope.Key {
	keys := slices.Clone(s.Keys)
	slices.SortFunc(keys, func(a, b envelope.Key) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(keys)
}

// errNotDead returns the error for an event without a dead letter.
func errNotDead(key envelope.Key) error {
	return fmt.Errorf("%w: %s is not a dead letter", ErrUnknown, key)
}

// deadOf selects the dead letters of events whose numbers a subquery returns; $2 is a
// destination, empty for all.
const deadOf = ` FROM webhooks_deliveries WHERE state = 'dead' AND (name = $2 OR $2 = '') AND seq IN `

// discard removes the dead letters of an event.
func (t *tx) discard(key envelope.Key, destination string) (int64, error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		n, err := t.changed(`DELETE`+deadOf+ofKey, key[:], destination)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, errNotDead(key)
}

// countDead counts the dead letters of an event.
func (q *eventLog) countDead(ctx context.Context, key envelope.Key, destination string) (n int64, err error) {
	for _, ofKey := range []string{lastOfKey, deadOfKey} {
		err := q.query(ctx, `SELECT count(*)`+deadOf+ofKey, []any{key[:], destination}, func(rows *sql.Rows) error { return rows.Scan(&n) })
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, errNotDead(key)
}
