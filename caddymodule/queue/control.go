package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// stepRows is how many rows one step of a long change takes.
const stepRows = "500"

// inSteps repeats a change until there is nothing left to change: in small
// transactions, so that no answer waits for long.
func (q *Queue) inSteps(ctx context.Context, step func(t *tx) (int64, error)) (total int64, err error) {
	for {
		var n int64
		err := q.doWith(ctx, func(t *tx) (err error) {
			n, err = step(t)
			return err
		})
		if err != nil || n == 0 {
			return total, err
		}
		total += n
	}
}

// doWith is do for somebody who waits no longer than ctx.
func (q *Queue) doWith(ctx context.Context, run func(t *tx) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	return unavailable(ctx, q.writer.do(ctx, &change{run: run}))
}

// query is store.query for somebody who asks.
func (q *Queue) query(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	return unavailable(ctx, q.store.query(ctx, query, args, scan))
}

// unavailable says of an error of the database that it is one.
func unavailable(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrUnknown) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// known returns an error unless there is a destination of that name.
func (q *Queue) known(ctx context.Context, name string) error {
	found := false
	err := q.query(ctx, `SELECT 1 FROM webhooks_destinations WHERE name = $1`, []any{name}, func(*sql.Rows) error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: there is no destination %q", ErrUnknown, name)
	}
	return err
}
