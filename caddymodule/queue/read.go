package queue

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// query calls scan for every row of a query on a connection that reads.
func (s *store) query(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if s.shared {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	statement, err := s.prepareRead(ctx, query) //nolint:sqlclosecheck // kept for the next query
	if err != nil {
		return s.dropStaleReaders(err)
	}
	rows, err := statement.QueryContext(ctx, args...)
	return s.dropStaleReaders(eachRow(rows, err, scan))
}

// limitTo ends a query that returns at most as many rows as a parameter says. A parameter
// alone would have SQLite prepare the statement again each time: it plans by the number.
func limitTo(parameter string) string { return ` LIMIT CAST(` + parameter + ` AS BIGINT)` }

// dropStaleReaders has no connection of before used again if an error means that the server
// is gone or is not the one to read from. It returns the error.
func (s *store) dropStaleReaders(err error) error {
	var refused *pgconn.PgError
	var broken net.Error
	if errors.Is(err, errStale) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) && !broken.Timeout() ||
		errors.As(err, &refused) && isStale(err) {
		s.replaced.Add(1)
	}
	return err
}

// checkTimeline returns errStale for a timeline that is older than one seen before.
func (s *store) checkTimeline(timeline string) error {
	if newest, _ := s.newest.Load().(string); timeline < newest {
		return errStale
	}
	return nil
}

// keepQuery is like query, on the connection that renews the lease.
func (s *store) keepQuery(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	rows, err := s.keep.QueryContext(ctx, query, args...)
	return s.dropStaleReaders(eachRow(rows, err, scan))
}

// prepareRead prepares a statement once. The pool prepares it on each connection.
func (s *store) prepareRead(ctx context.Context, query string) (*sql.Stmt, error) {
	if statement, ok := s.reads.Load(query); ok {
		return statement.(*sql.Stmt), nil
	}
	statement, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if earlier, ok := s.reads.LoadOrStore(query, statement); ok {
		_ = statement.Close() //nolint:sqlclosecheck // the other one is kept
		return earlier.(*sql.Stmt), nil
	}
	return statement, nil
}

// errEnough ends a query without an error if a function that scans rows returns it.
var errEnough = errors.New("enough")

// eachRow calls scan for every row and closes rows.
func eachRow(rows *sql.Rows, err error, scan func(rows *sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}
