package queue

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

var postgresDialect = dialect{
	shared:     true,
	words:      strings.NewReplacer("{seq}", "BIGINT", "{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "{blob}", "BYTEA", "{without_rowid}", "", "{only_postgres}", "", "{only_plain}", ""),
	lockSchema: `SELECT pg_advisory_xact_lock(7310018)`,
	serverTime: pgClock,
	timeline:   pgTimeline,
	skipLocked: ` FOR UPDATE SKIP LOCKED`,
	isPrimary:  `(SELECT ` + pgTimeline + `) IS NOT NULL`, // as a subquery it does not depend on rows

	placeholder: func(n int) string { return "$" + strconv.Itoa(n) },

	holds: func(column string, n int) string { return fmt.Sprintf("position($%d::bytea IN %s) > 0", n, column) },

	isListed: func(n int) string { return fmt.Sprintf("= ANY($%d)", n) },
	list:     func(numbers []int64) any { return numbers },

	isListedKey: func(n int) string { return fmt.Sprintf("= ANY($%d::bytea[])", n) },
	keyList:     func(keys [][]byte) any { return keys },
}

// session holds the parameters that each session sets, unless the DSN does. The
// timeouts, in milliseconds, end what a disconnected gateway has left open at the
// server, so that it holds up the others for seconds only. Every statement can use an
// index; a plan that was made while a table was empty must not scan it later, nor read
// and sort all of the log that is ahead of a destination to get the next events.
//
// They are set after connecting: a pooler such as PgBouncer refuses most parameters in
// the startup message.
var session = []struct{ name, value string }{
	{"synchronous_commit", "on"}, // an answer promises that
	{"lock_timeout", "5000"},
	{"statement_timeout", "30000"},
	{"idle_in_transaction_session_timeout", "5000"},
	{"tcp_user_timeout", "5000"},
	{"enable_seqscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_bitmapscan", "off"},
	{"jit", "off"}, // compiling would take longer than the statements
}

// newPostgres prepares the connection pools of a log, by its number. They connect to the
// server in s.server, once it is known.
func newPostgres(number int, tracer pgx.QueryTracer) *store {
	s := &store{dialect: postgresDialect, insertions: make(map[insertion]string), number: number, tracer: tracer}
	s.write = s.pool(1, "", func(_ *pgconn.PgConn, notice *pgconn.Notice) {
		s.warned = s.warned || notice.SeverityUnlocalized == "WARNING"
	})
	s.read = s.pool(readers, "", nil)
	// A lease need not survive a crash, and must not wait for a standby.
	s.keep = s.pool(1, "SET synchronous_commit = off", nil)
	return s
}

// pool returns a pool of connections, each of which runs a script at first.
func (s *store) pool(size int, script string, notice pgconn.NoticeHandler) *sql.DB {
	pool := stdlib.OpenDB(pgx.ConnConfig{}, stdlib.OptionBeforeConnect(func(_ context.Context, config *pgx.ConnConfig) error {
		at := s.server.Load()
		if at == nil {
			return errNoServer
		}
		*config = *at.config.Copy()
		config.Tracer, config.OnNotice = s.tracer, notice
		config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
			if at.wanted != nil {
				if err := at.wanted(ctx, conn); err != nil {
					return err
				}
			}
			return s.checkServer(ctx, conn)
		}
		s.afterConnect(config, at.setup+enterSchema(s.number)+script)
		return nil
	}), stdlib.OptionResetSession(s.checkReplaced))
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	return pool
}

// errNoServer means that no server has been found that has the log. One that does not
// answer may have it.
var errNoServer = errors.New("no server that answers has this log")

// execAfterConnect returns a function that runs a script on a new connection.
func execAfterConnect(script string) func(context.Context, *pgconn.PgConn) error {
	return func(ctx context.Context, conn *pgconn.PgConn) error {
		return conn.Exec(ctx, script).Close()
	}
}

// checkServer returns errStale for a server whose timeline is older than one seen
// before. pgx then tries the next host of the DSN.
func (s *store) checkServer(ctx context.Context, conn *pgconn.PgConn) error {
	results, err := conn.Exec(ctx, `SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE `+pgTimeline+` END`).ReadAll()
	if err != nil {
		return err
	}
	if len(results) == 1 && len(results[0].Rows) == 1 {
		if timeline := string(results[0].Rows[0][0]); timeline != "" {
			return s.checkTimeline(timeline)
		}
	}
	return nil
}

// afterConnect has a new connection run a script, and notes how often the server
// had been replaced by then.
func (s *store) afterConnect(config *pgx.ConnConfig, script string) {
	replaced, run := s.replaced.Load(), execAfterConnect(script)
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		conn.CustomData()["replaced"] = replaced
		return run(ctx, conn)
	}
}

// checkReplaced refuses a pooled connection to a server that may have been replaced since.
func (s *store) checkReplaced(_ context.Context, conn *pgx.Conn) error {
	if conn.PgConn().CustomData()["replaced"] != s.replaced.Load() {
		return driver.ErrBadConn
	}
	return nil
}

// namesTarget matches a DSN that selects servers by itself.
var namesTarget = regexp.MustCompile(`(^|[\s?&])target_session_attrs\s*=`)

// isTemporary reports whether an error of Open may go away by itself, such as that of a
// server that is still starting.
func isTemporary(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		// Classes: connection exception, transaction rollback (a deadlock is one),
		// insufficient resources, operator intervention ("the database system is starting
		// up" is one).
		switch refused.Code[:2] {
		case "08", "40", "53", "57", "55":
			return true
		}
		return refused.Code == readOnly
	}
	return !errors.Is(err, errSchema)
}
