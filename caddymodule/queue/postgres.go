package queue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

var postgresDialect = dialect{
	shared:     true,
	words:      strings.NewReplacer("{seq}", "BIGINT", "{id}", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "{blob}", "BYTEA", "{without_rowid}", "", "{only_postgres}", ""),
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

// openPostgres prepares the connection pools. It does not connect.
func openPostgres(dsn string, tracer pgx.QueryTracer) (*store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The text of err may hold parts of the DSN.
		return nil, fmt.Errorf("%w: invalid DSN; use a form such as postgres://user@host/database", errSchema)
	}
	var set strings.Builder
	for _, parameter := range session {
		if _, ok := config.RuntimeParams[parameter.name]; !ok && !strings.Contains(config.RuntimeParams["options"], parameter.name) {
			fmt.Fprintf(&set, "SET %s = %s;", parameter.name, parameter.value)
		}
	}
	config.AfterConnect = execAfterConnect(set.String())
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "caddy-webhooks"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	s := &store{dialect: postgresDialect, insertions: make(map[insertion]string)}
	isWanted := config.ValidateConnect
	if isWanted == nil && !namesTarget.MatchString(dsn) {
		isWanted = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	config.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		if isWanted != nil {
			if err := isWanted(ctx, conn); err != nil {
				return err
			}
		}
		return s.checkServer(ctx, conn)
	}
	config.Tracer = tracer
	writing := config.Copy()
	writing.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) {
		s.warned = s.warned || notice.SeverityUnlocalized == "WARNING"
	}
	noteEpoch, checkEpoch := stdlib.OptionBeforeConnect(s.noteEpoch), stdlib.OptionResetSession(s.checkEpoch)
	s.write = stdlib.OpenDB(*writing, noteEpoch, checkEpoch)
	s.write.SetMaxOpenConns(1)
	s.read = stdlib.OpenDB(*config, noteEpoch, checkEpoch)
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	// A lease need not survive a crash, and must not wait for a standby.
	keeping := config.Copy()
	keeping.AfterConnect = execAfterConnect(set.String() + "SET synchronous_commit = off")
	s.keep = stdlib.OpenDB(*keeping, noteEpoch, checkEpoch)
	s.keep.SetMaxOpenConns(1)
	return s, nil
}

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

// noteEpoch attaches the current epoch to a new connection.
func (s *store) noteEpoch(_ context.Context, config *pgx.ConnConfig) error {
	epoch, afterConnect := s.epoch.Load(), config.AfterConnect
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		conn.CustomData()["epoch"] = epoch
		return afterConnect(ctx, conn)
	}
	return nil
}

// checkEpoch refuses a pooled connection of an earlier epoch.
func (s *store) checkEpoch(_ context.Context, conn *pgx.Conn) error {
	if conn.PgConn().CustomData()["epoch"] != s.epoch.Load() {
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
		// Classes: connection exception, insufficient resources, operator
		// intervention ("the database system is starting up" is one).
		switch refused.Code[:2] {
		case "08", "53", "57", "55":
			return true
		}
		return refused.Code == readOnly
	}
	return !errors.Is(err, errSchema)
}
