package queue

import (
	"context"
	"database/sql"
	"time"
)

// Cause is why events became dead letters, with their number.
type Cause struct {
	Destination string    `json:"destination"`
	Cause       string    `json:"cause"` // the last error, such as "answered 500"
	DeadLetters int64     `json:"dead_letters"`
	Oldest      time.Time `json:"oldest"` // when the first of them died
	Newest      time.Time `json:"newest"` // when the last of them died
}

// maxCauses is the maximum number of groups that Causes returns.
const maxCauses = "1000"

// Causes groups the dead letters of a destination, or of all, by destination and
// cause, the most frequent first, at most 1,000 of them.
func (q *eventLog) Causes(ctx context.Context, destination string) ([]Cause, error) {
	if destination != "" {
		if err := q.known(ctx, destination); err != nil {
			return nil, err
		}
	}
	all := []Cause{}
	err := q.query(ctx, `SELECT name, error, count(*), MIN(tried), MAX(tried) FROM webhooks_deliveries
		WHERE state = 'dead' AND (name = $1 OR $1 = '') GROUP BY name, error ORDER BY 3 DESC, name, error LIMIT `+maxCauses, []any{destination},
		func(rows *sql.Rows) error {
			var c Cause
			var oldest, newest int64
			err := rows.Scan(&c.Destination, &c.Cause, &c.DeadLetters, &oldest, &newest)
			c.Oldest, c.Newest = q.store.time(oldest).UTC(), q.store.time(newest).UTC()
			all = append(all, c)
			return err
		})
	return all, err
}
