package queue

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
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
const maxCauses = 1000

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
		WHERE state = 'dead' AND (name = $1 OR $1 = '') GROUP BY name, error ORDER BY 3 DESC, name, error`+limitTo("$2"), []any{destination, maxCauses},
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

// mergedCauses returns the causes of all logs as Causes does those of one.
func mergedCauses(parts [][]Cause) []Cause {
	type group struct{ destination, cause string }
	groups := make(map[group]Cause)
	for _, c := range slices.Concat(parts...) {
		of := group{c.Destination, c.Cause}
		if other, ok := groups[of]; ok {
			c.DeadLetters += other.DeadLetters
			c.Oldest, c.Newest = earliest(c.Oldest, other.Oldest), later(c.Newest, other.Newest)
		}
		groups[of] = c
	}
	all := slices.SortedFunc(maps.Values(groups), func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.DeadLetters, a.DeadLetters), cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Cause, b.Cause))
	})
	return all[:min(maxCauses, len(all))]
}
