package queue

import (
	"context"
	"database/sql"
	"fmt"
)

// attemptsShare is the part of the queue's size that attempts may take in addition: a
// tenth.
const attemptsShare = 10

// sweepAttempts removes attempts at events that are gone, those that are too old and,
// while they take more than their share, the oldest.
func (q *eventLog) sweepAttempts(ctx context.Context) error {
	cutoff := q.cutoff()
	if _, err := q.inSteps(ctx, func(t *tx) (int64, error) {
		return t.changed(`DELETE FROM webhooks_attempts WHERE id IN (SELECT id FROM webhooks_attempts
			WHERE block < (SELECT (COALESCE((SELECT MIN(seq) FROM webhooks_events), last + 1) - 1) / ` + fmt.Sprint(blockEvents) + ` FROM webhooks_queue WHERE id = 1)
			LIMIT ` + stepRows + t.store.skipLocked + `)`)
	}); err != nil {
		return err
	}
	var bytes int64
	if err := q.store.query(ctx, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM webhooks_attempts`, nil,
		func(rows *sql.Rows) error { return rows.Scan(&bytes) }); err != nil {
		return err
	}
	excess := q.budget.attempts.excess(q.number, bytes, q.budget.limit.Load()/attemptsShare)
	for removed := int64(0); ; {
		last := removed
		if err := q.store.query(ctx, `SELECT id, ended, size FROM webhooks_attempts WHERE id > $1 ORDER BY id LIMIT `+stepRows, []any{removed},
			func(rows *sql.Rows) error {
				var id, ended, size int64
				if err := rows.Scan(&id, &ended, &size); err != nil {
					return err
				}
				if ended >= cutoff && excess <= 0 {
					return errEnough
				}
				excess -= size
				last = id
				return nil
			}); err != nil {
			return err
		}
		if last == removed {
			return nil
		}
		if err := q.doWith(ctx, func(t *tx) error {
			return t.exec(`DELETE FROM webhooks_attempts WHERE id <= $1`, last)
		}); err != nil {
			return err
		}
		removed = last
	}
}
