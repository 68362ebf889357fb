package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5/pgconn"
)

// Engines.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgres"
)

// store is a database: one connection that writes, some that read.
type store struct {
	write, read *sql.DB
	keep        *sql.DB // keeps the lease; nil if the database is not shared
	dialect
	clock
	lock *flock.Flock // of SQLite's file
	file *openFile    // SQLite's

	// epoch counts how often the server may have been replaced: a connection that is
	// older is not used again.
	epoch atomic.Int64

	// eras counts those that have begun: each has a connection of its own that writes.
	eras atomic.Int64

	// newest is the newest timeline that was seen, a string: a server with an older one
	// is not the current one.
	newest atomic.Value

	// Of the one goroutine that writes.
	conn     *sql.Conn
	prepared map[string]*sql.Stmt // on conn
	used     time.Time            // when conn was used last
	connEra  int64                // the number of eras when conn was begun
	warned   bool                 // by the server, since that was cleared

	insertions map[insertion]string

	reads sync.Map // of *sql.Stmt, by query
}

// dialect is what the engines do not have in common.
type dialect struct {
	shared     bool              // other gateways may use it at the same time
	words      *strings.Replacer // of the schema
	lockSchema string            // serializes migrations
	serverTime string            // an expression for the time that all gateways go by
	timeline   string            // an expression that names the history of the server
	skipLocked string            // ends a SELECT for an update that must not wait for other gateways
	isPrimary  string            // a condition that fails at a standby, also if there are no rows

	// placeholder is that of many parameters: SQLite takes names everywhere, but
	// looks for each of them among all.
	placeholder func(n int) string

	// isListed is the condition that a number is in a list, which is a parameter, and
	// list makes that parameter; isListedKey and keyList do the same for keys.
	isListed    func(parameter int) string
	list        func(numbers []int64) any
	isListedKey func(parameter int) string
	keyList     func(keys [][]byte) any
}

// readers is how many connections read.
const readers = 4

func (s *store) close() error {
	s.disconnect()
	var errs []error
	for _, db := range []*sql.DB{s.keep, s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	errs = append(errs, s.file.close()) // after SQLite has closed its connections
	if s.lock != nil {
		// The lock's file stays: removing it would let two processes lock two files.
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// connect makes sure that there is a connection that writes.
func (s *store) connect(ctx context.Context) (err error) {
	if s.conn != nil && s.connEra != s.eras.Load() {
		s.drop()
	}
	if s.conn != nil {
		return nil
	}
	s.connEra = s.eras.Load()
	s.conn, err = s.write.Conn(ctx)
	s.prepared = make(map[string]*sql.Stmt)
	return err
}

// disconnect gives the connection back, which closes it if it is broken.
func (s *store) disconnect() {
	if s.conn == nil {
		return
	}
	for _, statement := range s.prepared {
		_ = statement.Close()
	}
	_ = s.conn.Close()
	s.conn = nil
}

// begin begins a transaction, on a new connection if the one that is there is
// broken.
func (s *store) begin(ctx context.Context) (*sql.Tx, error) {
	if s.conn != nil && s.connEra == s.eras.Load() {
		if t, err := s.conn.BeginTx(ctx, nil); err == nil {
			return t, nil
		}
		s.disconnect()
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	return s.conn.BeginTx(ctx, nil)
}

// transact runs f in one transaction.
func (s *store) transact(ctx context.Context, f func(t *tx) error) (err error) {
	if err := s.file.recheck(); err != nil {
		return err
	}
	if s.shared {
		defer func() { s.dropStale(err) }()
	}
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.warned = false // which it may have been while connecting
	// After a commit it does nothing; what it rolls back has its own error.
	defer func() { _ = t.Rollback() }()
	if err := f(&tx{store: s, ctx: ctx}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	if s.warned {
		return errUnconfirmed
	}
	return s.file.check()
}

// errUnconfirmed says that the server warned, as it does when the wait for a
// standby is cancelled: it then reports success.
var errUnconfirmed = fmt.Errorf("%w: the server warned that no standby may have it", errCommit)

// commit writes what belongs together in one transaction.
func (s *store) commit(ctx context.Context, c *commit, now time.Time) (result stored, err error) {
	if s.shared && len(c.runs) == 0 {
		return s.writePipelined(ctx, c, now)
	}
	return result, s.transact(ctx, func(t *tx) (err error) {
		result, err = t.write(c, now)
		return err
	})
}

// errCommit says that a transaction failed at its very end. It may have been
// committed all the same, when the connection broke before the server could say
// so; to try again would store what has no key twice.
var errCommit = errors.New("the commit failed")

// tx is a transaction on the connection that writes.
type tx struct {
	store *store
	ctx   context.Context
}

// prepare prepares a statement, once for a connection.
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

func (t *tx) exec(query string, args ...any) error {
	_, err := t.changed(query, args...)
	return err
}

// changed runs a statement and returns how many rows it changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	statement, err := t.prepare(query)
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
	statement, err := t.prepare(query)
	if err != nil {
		return err
	}
	return statement.QueryRowContext(t.ctx, args...).Scan(to...)
}

// rows calls scan for every row of a query.
func (t *tx) rows(query string, args []any, scan func(rows *sql.Rows) error) error {
	statement, err := t.prepare(query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(t.ctx, args...)
	return eachRow(rows, err, scan)
}

// query calls scan for every row of a query on a connection that reads.
func (s *store) query(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	if s.shared {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	statement, err := s.prepareRead(ctx, query)
	if err != nil {
		return s.dropStaleReaders(err)
	}
	rows, err := statement.QueryContext(ctx, args...)
	return s.dropStaleReaders(eachRow(rows, err, scan))
}

// dropStaleReaders begins an epoch if an error says that the server is not the one
// to read from, or that it is gone, and returns the error.
func (s *store) dropStaleReaders(err error) error {
	var refused *pgconn.PgError
	var broken net.Error
	if errors.Is(err, errStale) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) && !broken.Timeout() ||
		errors.As(err, &refused) && isStale(err) {
		s.epoch.Add(1)
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

// keepQuery is like query, on the connection that keeps the lease.
func (s *store) keepQuery(ctx context.Context, query string, args []any, scan func(rows *sql.Rows) error) error {
	rows, err := s.keep.QueryContext(ctx, query, args...)
	return s.dropStaleReaders(eachRow(rows, err, scan))
}

// prepareRead prepares a statement once; on each connection, the pool does it.
func (s *store) prepareRead(ctx context.Context, query string) (*sql.Stmt, error) {
	if statement, ok := s.reads.Load(query); ok {
		return statement.(*sql.Stmt), nil
	}
	statement, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if earlier, ok := s.reads.LoadOrStore(query, statement); ok {
		_ = statement.Close()
		return earlier.(*sql.Stmt), nil
	}
	return statement, nil
}

// errEnough, returned by what scans a row, ends the query without an error.
var errEnough = errors.New("enough")

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

// micros returns a time by the clock that all gateways go by.
func (t *tx) micros(own time.Time) int64 { return t.store.micros(own) }

// atOnce returns how many of n rows, of which there are some, one statement takes:
// the powers of two up to 64 only, so that few statements are prepared.
func atOnce(n int) int { return min(64, 1<<(bits.Len(uint(n))-1)) }

// insert inserts rows of a number of columns each, given one after the other.
// Each $extra in the suffix is one of the extra parameters. If the suffix ends in
// RETURNING seq, the numbers go to returned.
func (t *tx) insert(prefix string, columns int, suffix string, args []any, returned func(seq int64), extra ...any) error {
	for len(args) > 0 {
		n := atOnce(len(args) / columns)
		rows := args[: n*columns : n*columns]
		args = args[n*columns:]
		if err := t.insertOnce(t.store.insertQuery(prefix, columns, n, suffix), append(rows, extra...), returned); err != nil {
			return err
		}
	}
	return nil
}

// insertion names one INSERT among all.
type insertion struct {
	prefix string
	rows   int
}

// insertQuery returns the statement that inserts a number of rows.
func (s *store) insertQuery(prefix string, columns, rows int, suffix string) string {
	query, ok := s.insertions[insertion{prefix, rows}]
	if !ok {
		query = prefix + valuesOf(rows, columns, s.placeholder)
		for i, part := range strings.Split(suffix, "$extra") {
			if i > 0 {
				query += s.placeholder(rows*columns + i)
			}
			query += part
		}
		s.insertions[insertion{prefix, rows}] = query
	}
	return query
}

func (t *tx) insertOnce(query string, args []any, returned func(seq int64)) error {
	if returned == nil {
		return t.exec(query, args...)
	}
	return t.rows(query, args, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		returned(seq)
		return err
	})
}

// valuesOf returns `VALUES ($1, $2), ($3, $4)`.
func valuesOf(rows, columns int, placeholder func(n int) string) string {
	var b strings.Builder
	b.WriteString(" VALUES ")
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString(placeholder(i + 1))
	}
	b.WriteString(") ")
	return b.String()
}
