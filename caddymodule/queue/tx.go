package queue

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// tx is a transaction on the connection that writes.
type tx struct {
	store *store
	ctx   context.Context
}

// prepare prepares a statement, once per connection.
func (t *tx) prepare(query string) (*sql.Stmt, error) {
	if statement := t.store.prepared[query]; statement != nil {
		return statement, nil
	}
	statement, err := t.store.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.store.prepared[query] = statement
	}
	return statement, err
}

// exec runs a statement.
func (t *tx) exec(query string, args ...any) error {
	_, err := t.changed(query, args...)
	return err
}

// changed runs a statement and returns the number of rows that it changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	statement, err := t.prepare(query) //nolint:sqlclosecheck // kept for the next use
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// execScript runs several statements.
func (t *tx) execScript(script string) error {
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := t.store.conn.ExecContext(t.ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// row scans the only row of a query.
func (t *tx) row(query string, args []any, to ...any) error {
	statement, err := t.prepare(query) //nolint:sqlclosecheck // kept for the next use
	if err != nil {
		return err
	}
	return statement.QueryRowContext(t.ctx, args...).Scan(to...)
}

// rows calls scan for every row of a query.
func (t *tx) rows(query string, args []any, scan func(rows *sql.Rows) error) error {
	statement, err := t.prepare(query) //nolint:sqlclosecheck // kept for the next use
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(t.ctx, args...)
	return eachRow(rows, err, scan)
}

// micros returns a time as the database has it.
func (t *tx) micros(own time.Time) int64 { return t.store.micros(own) }
