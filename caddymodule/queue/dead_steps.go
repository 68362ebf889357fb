package queue

import (
	"context"
	"database/sql"
	"math"
	"slices"
)

const (
	// deadOfSelection selects the dead letters of a selection, whose Destination is $1 and
	// whose Cause is $2.
	deadOfSelection = ` WHERE state = 'dead' AND (name = $1 OR $1 = '') AND (error = $2 OR $2 = '')`

	// andBelow limits them to those before one with the number $3 and the destination $4.
	andBelow = ` AND seq <= $3 AND (seq < $3 OR name < $4)`

	// andListed limits them to those of some events, which follow, before that one and
	// from one with the number $5 and the destination $6 on. There is no range in it that
	// an engine might rather go through.
	andListed = ` AND (seq <> $3 OR name < $4) AND (seq <> $5 OR name >= $6) AND seq `
)

// changeDead changes the dead letters that a selection with Dead is for, in steps, the
// newest events first, or only counts them. Those that are dead again meanwhile are not
// changed twice. change is a statement without its WHERE, whose parameters begin with $7.
func (q *eventLog) changeDead(ctx context.Context, s Selection, change string, more ...any) (total int64, err error) {
	cause := storable(s.Cause)
	seq, name := int64(math.MaxInt64), ""
	if s.DryRun {
		err = q.query(ctx, `SELECT count(*) FROM webhooks_deliveries`+deadOfSelection, []any{s.Destination, cause},
			func(rows *sql.Rows) error { return rows.Scan(&total) })
		return total, err
	}
	for {
		// The dead letters are looked for beforehand, so that the transaction is short
		// although few of many may have the cause.
		var seqs []int64
		var lastSeq, n int64
		var lastName string
		if err = q.query(ctx, `SELECT seq, name FROM webhooks_deliveries`+deadOfSelection+andBelow+` ORDER BY seq DESC, name DESC LIMIT `+stepRows,
			[]any{s.Destination, cause, seq, name}, func(rows *sql.Rows) error {
				err = rows.Scan(&lastSeq, &lastName)
				seqs = append(seqs, lastSeq)
				return err
			}); err != nil || len(seqs) == 0 {
			return total, err
		}
		args := append([]any{s.Destination, cause, seq, name, lastSeq, lastName}, more...)
		if err = q.doWith(ctx, func(t *tx) (err error) {
			n, err = t.changed(change+deadOfSelection+andListed+q.store.isListed(len(args)+1), append(args, q.store.list(slices.Compact(seqs)))...)
			return err
		}); err != nil {
			return total, err
		}
		total += n
		s.report(total)
		seq, name = lastSeq, lastName
	}
}
