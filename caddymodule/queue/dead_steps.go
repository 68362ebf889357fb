package queue

import (
	"context"
	"database/sql"
	"math"
)

const (
	// deadBelow selects the dead letters of a selection, whose Destination is $1 and whose
	// Cause is $2, before one with the number $3 and the destination $4.
	deadBelow = ` WHERE state = 'dead' AND (name = $1 OR $1 = '') AND (error = $2 OR $2 = '')
		AND seq <= $3 AND (seq < $3 OR name < $4)`

	// andFrom adds a lower limit.
	andFrom = ` AND seq >= $5 AND (seq > $5 OR name >= $6)`
)

// changeDead changes the dead letters that a selection with Dead is for, in steps, the
// newest events first, or only counts them. Those that are dead again meanwhile are not
// changed twice. change is a statement without its WHERE, whose parameters begin with $7.
func (q *Queue) changeDead(ctx context.Context, s Selection, change string, more ...any) (total int64, err error) {
	cause := storable(s.Cause)
	seq, name := int64(math.MaxInt64), ""
	if s.DryRun {
		err = q.query(ctx, `SELECT count(*) FROM webhooks_deliveries`+deadBelow, []any{s.Destination, cause, seq, name},
			func(rows *sql.Rows) error { return rows.Scan(&total) })
		return total, err
	}
	for {
		var n, lastSeq int64
		var lastName string
		err = q.doWith(ctx, func(t *tx) (err error) {
			lastSeq = 0
			if err = t.rows(`SELECT seq, name FROM webhooks_deliveries`+deadBelow+` ORDER BY seq DESC, name DESC LIMIT `+stepRows,
				[]any{s.Destination, cause, seq, name}, func(rows *sql.Rows) error { return rows.Scan(&lastSeq, &lastName) }); err != nil || lastSeq == 0 {
				return err
			}
			n, err = t.changed(change+deadBelow+andFrom, append([]any{s.Destination, cause, seq, name, lastSeq, lastName}, more...)...)
			return err
		})
		if err != nil || lastSeq == 0 {
			return total, err
		}
		total += n
		s.report(total)
		seq, name = lastSeq, lastName
	}
}
