package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// stepRows is the number of rows that one step of a long change takes, and stepEvents
// the number of events.
const (
	stepRows   = "500"
	stepEvents = 500
)

// inSteps repeats a change until it changes nothing. Small transactions keep answers
// from waiting long.
func (q *eventLog) inSteps(ctx context.Context, step func(t *tx) (int64, error)) (total int64, err error) {
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

// doWith is like do but gives up when ctx ends. It runs the function again if the server
// has ended its transaction because of a conflict: two people may change the same
// deliveries at two gateways.
func (q *eventLog) doWith(ctx context.Context, run func(t *tx) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	for {
		err := q.writer.do(ctx, &change{run: run})
		if refused := (*pgconn.PgError)(nil); !errors.As(err, &refused) || !isConflict(refused.Code) {
			return unavailable(ctx, err)
		}
	}
}

// isConflict reports whether a SQLSTATE is that of a transaction that the server has ended
// because of a deadlock, or because it cannot be serialized.
func isConflict(code string) bool { return code == "40P01" || code == "40001" }

// query is store.query with the errors of the package.
func (q *eventLog) query(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if !q.isOpen() {
		return errNotOpen
	}
	return unavailable(ctx, q.store.query(ctx, query, args, scan))
}

// unavailable wraps an error of the database in ErrUnavailable.
func unavailable(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrUnknown) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// known returns ErrUnknown unless there is a destination of that name.
func (q *eventLog) known(ctx context.Context, name string) error {
	found := false
	err := q.query(ctx, `SELECT 1 FROM webhooks_destinations WHERE name = $1`, []any{name}, func(*sql.Rows) error {
		found = true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: no destination %q", ErrUnknown, name)
	}
	return err
}
