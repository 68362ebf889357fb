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
