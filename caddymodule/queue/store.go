package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/jackc/pgx/v5"
)

// Engines.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgres"
)

// store is a database: one connection that writes, and several that read.
type store struct {
	write, read *sql.DB
	keep        *sql.DB // renews the lease; nil if the database is not shared
	dialect
	clock
	number int                    // of the log
	server atomic.Pointer[server] // PostgreSQL's; nil while it is not known
	tracer pgx.QueryTracer        // of PostgreSQL, for tests

	lock *flock.Flock // of SQLite's file
	file *openFile    // SQLite's

	checkpoints *checkpointer // of SQLite's file, nil for PostgreSQL

	// replaced counts how often the server may have been replaced. A connection of before
	// is not used again.
	replaced atomic.Int64

	// eras counts eras. Each has its own connection that writes.
	eras atomic.Int64

	// newest is the newest timeline that was seen, a string. A server with an older one
	// is not the current one.
	newest atomic.Value

	// These belong to the writer's goroutine.
	conn     *sql.Conn
	prepared map[string]*sql.Stmt // on conn
	used     time.Time            // when conn was used last
	connEra  int64                // eras, when conn was opened
	warned   bool                 // the server has sent a warning since this was cleared

	insertions map[insertion]string

	reads sync.Map // of *sql.Stmt, by query
}

// dialect is what the two engines do differently.
type dialect struct {
	shared        bool              // other gateways may use the database at the same time
	isDistributed bool              // the tables are those of a distributed schema
	words         *strings.Replacer // for the words in braces in the migrations
	lockSchema    string            // a statement that serializes migrations
	serverTime    string            // an expression for the time that all gateways use
	timeline      string            // an expression that names the history of the server
	skipLocked    string            // ends a SELECT for an update that must not wait for other gateways
	isPrimary     string            // a condition that fails at a standby, even without rows

	// placeholder returns the nth placeholder of a long statement. SQLite takes numbered
	// ones everywhere, but searches all of them for each.
	placeholder func(n int) string

	// holds returns the condition that bytes in a column hold those of a parameter.
	holds func(column string, parameter int) string

	// isListed returns the condition that a number is in a list, which is a parameter,
	// and list returns that parameter. isListedKey and keyList do the same for keys.
	isListed    func(parameter int) string
	list        func(numbers []int64) any
	isListedKey func(parameter int) string
	keyList     func(keys [][]byte) any
}

// readers is the number of connections that read.
const readers = 4

// close closes all connections, and then the file.
func (s *store) close() error {
	if !s.checkpoints.close() {
		return errors.New("the queue file was not synced; the next start reads its WAL")
	}
	s.disconnect()
	var errs []error
	for _, db := range []*sql.DB{s.keep, s.read, s.checkpoints.connections(), s.write} {
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

// connect opens the connection that writes, unless it is open.
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

// begin begins a transaction, on a new connection if the present one is broken.
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
	if err = s.file.recheck(); err != nil {
		return err
	}
	if s.shared {
		defer func() { s.dropStale(err) }()
	}
	t, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.warned = false // connecting may have set it
	// It has no effect after a commit, and otherwise there is another error.
	defer func() { _ = t.Rollback() }()
	if err := f(&tx{store: s, ctx: ctx}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	s.checkpoints.note(s.conn)
	if s.warned {
		return errUnconfirmed
	}
	return s.file.check()
}

// errUnconfirmed means that the server sent a warning with a commit. It does so when
// the wait for a standby is cancelled, and then reports success.
var errUnconfirmed = fmt.Errorf("%w: the server warned that a standby may lack it", errCommit)

// commit writes a commit in one transaction.
func (s *store) commit(ctx context.Context, c *commit, now time.Time) (result stored, err error) {
	if s.shared && len(c.runs) == 0 {
		return s.writePipelined(ctx, c, now)
	}
	return result, s.transact(ctx, func(t *tx) (err error) {
		result, err = t.write(c, now)
		return err
	})
}

// errCommit means that a transaction failed at its very end. If the connection broke
// before the server answered, it may be committed all the same. A second try would
// store events without a window twice.
var errCommit = errors.New("the commit failed")
