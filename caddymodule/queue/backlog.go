package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// partSize is the number of numbers in one part of the log, whose events are counted
// together.
const partSize = 1000

// counter holds the number of events that a destination takes in each part of the log
// that it has not read yet. Each event is counted once when it comes, and those of one
// part again while that part is being read.
type counter struct {
	era      *era   // in which it was counted
	takes    string // filter and gaps, in JSON
	from, to int64
	parts    map[int64]int64
}

// countAhead counts the events that a destination takes after a position. The first of
// them is within partSize after first.
func (q *eventLog) countAhead(ctx context.Context, r *destinationRow, position int64) (n, first int64, err error) {
	takes, err := json.Marshal(struct {
		Filter Filter
		Gaps   []gap
	}{r.filter, r.gaps})
	if err != nil {
		return 0, 0, err
	}
	q.counting.Lock()
	defer q.counting.Unlock()
	c := q.counters[r.name]
	e := q.lastEra()
	if c == nil || c.era != e || c.takes != string(takes) || position < c.from || position >= c.to {
		c = &counter{era: e, takes: string(takes), from: position, to: position, parts: make(map[int64]int64)}
		q.counters[r.name] = c
	}
	head := q.head()
	added, err := q.count(ctx, r, c.to, head)
	if err != nil {
		return 0, 0, err
	}
	for part, n := range added {
		c.parts[part] += n
	}
	c.from, c.to = position, max(c.to, head)
	now := position / partSize
	maps.DeleteFunc(c.parts, func(part, n int64) bool { return part < now || n == 0 })

	left, err := q.count(ctx, r, position, min(c.to, (now+1)*partSize-1))
	if err != nil {
		return 0, 0, err
	}
	n, first = left[now], position
	next := int64(-1)
	for part, count := range c.parts {
		if part == now {
			continue
		}
		n += count
		if next < 0 || part < next {
			next = part
		}
	}
	if left[now] == 0 && next >= 0 {
		first = next*partSize - 1
	}
	return n, first, nil
}

// ranges splits a range of the log at the gaps, and calls f for each part with the
// source of which the destination takes events there. Ranges exclude from and include
// to.
func (r *destinationRow) ranges(from, to int64, f func(from, to int64, source string) error) error {
	each := func(to int64, source string) error {
		begin := from
		from = max(from, to)
		if source == "" || begin >= to {
			return nil
		}
		return f(begin, to, source)
	}
	for _, g := range r.gaps {
		if err := each(min(to, g.From), r.filter.Source); err != nil {
			return err
		}
		if g.To == 0 {
			return nil
		}
		if err := each(min(to, g.To), g.Source); err != nil {
			return err
		}
	}
	return each(to, r.filter.Source)
}

// count counts the events in a range of the log that a destination takes, by part.
func (q *eventLog) count(ctx context.Context, r *destinationRow, from, to int64) (map[int64]int64, error) {
	counts := make(map[int64]int64)
	err := r.ranges(from, to, func(from, to int64, source string) error {
		if r.hasConditions() {
			return q.countHolding(ctx, r, from, to, source, counts)
		}
		return q.store.query(ctx, `SELECT seq / $1, type, count(*) FROM webhooks_events
			WHERE seq > $2 AND seq <= $3 AND source = $4 GROUP BY 1, 2`,
			[]any{int64(partSize), from, to, source}, func(rows *sql.Rows) error {
				var part, n int64
				var eventType string
				err := rows.Scan(&part, &eventType, &n)
				if r.filter.takesType(eventType) {
					counts[part] += n
				}
				return err
			})
	})
	return counts, err
}

// countHolding adds the events of a source in a range of the log for which the
// conditions of a destination hold.
func (q *eventLog) countHolding(ctx context.Context, r *destinationRow, from, to int64, source string, counts map[int64]int64) error {
	for n := partSize; n == partSize; {
		n = 0
		var seqs []int64
		err := q.store.query(ctx, `SELECT seq, type FROM webhooks_events WHERE seq > $1 AND seq <= $2 AND source = $3 ORDER BY seq`+limitTo("$4"),
			[]any{from, to, source, partSize}, func(rows *sql.Rows) error {
				var eventType string
				err := rows.Scan(&from, &eventType)
				if n++; r.filter.takesType(eventType) {
					seqs = append(seqs, from)
				}
				return err
			})
		if err != nil {
			return err
		}
		held, err := q.holding(ctx, r.filter.When, seqs)
		if err != nil {
			return err
		}
		for seq, holds := range held {
			if holds {
				counts[seq/partSize]++
			}
		}
	}
	return nil
}

// oldest returns when the first event came in that a destination takes, of the partSize
// numbers after one; zero if there is none.
func (q *eventLog) oldest(ctx context.Context, r *destinationRow, after int64) (oldest time.Time, err error) {
	var seqs []int64
	times := make(map[int64]int64)
	err = q.store.query(ctx, `SELECT seq, source, type, received FROM webhooks_events WHERE seq > $1 AND seq <= $2 ORDER BY seq`,
		[]any{after, after + partSize}, func(rows *sql.Rows) error {
			var seq, received int64
			var source, eventType string
			if err = rows.Scan(&seq, &source, &eventType, &received); err != nil {
				return err
			}
			if !r.mayAwait(seq, source, eventType) {
				return nil
			}
			seqs, times[seq] = append(seqs, seq), received
			if r.hasConditions() {
				return nil
			}
			return errEnough
		})
	if err == nil && r.hasConditions() {
		var held map[int64]bool
		held, err = q.holding(ctx, r.filter.When, seqs)
		seqs = slices.DeleteFunc(seqs, func(seq int64) bool { return !held[seq] })
	}
	if err != nil || len(seqs) == 0 {
		return oldest, err
	}
	return q.store.time(times[seqs[0]]), nil
}
