package queue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

var postgresDialect = dialect{
	shared:     true,
	words:      strings.NewReplacer("{seq}", "BIGINT", "{blob}", "BYTEA", "{without_rowid}", ""),
	lockSchema: `SELECT pg_advisory_xact_lock(7310018)`,
	clock:      `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT`,

	placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
}

// sessionParameters are what a session sets, unless the DSN does. The timeouts, in
// milliseconds, end what a gateway that is cut off has left open at the server, so
// that it holds up the others for seconds only.
var sessionParameters = map[string]string{
	"application_name":                    "caddy-webhooks",
	"synchronous_commit":                  "on", // an answer promises it
	"lock_timeout":                        "5000",
	"statement_timeout":                   "30000",
	"idle_in_transaction_session_timeout": "5000",
	"tcp_user_timeout":                    "5000",
}

// openPostgres prepares the connections; none is made yet.
func openPostgres(dsn string) (*store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// Its text may hold parts of the DSN.
		return nil, fmt.Errorf("%w: that is not a DSN, such as postgres://user@host/database", errSchema)
	}
	for name, value := range sessionParameters {
		if _, ok := config.RuntimeParams[name]; !ok {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	s := &store{dialect: postgresDialect, insertions: make(map[insertion]string)}
	s.write = stdlib.OpenDB(*config)
	s.write.SetMaxOpenConns(1)
	s.read = stdlib.OpenDB(*config)
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return s, nil
}

// isTemporary reports whether an error while opening may go away by itself, as
// that of a server that is not there yet.
func isTemporary(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		// Classes: connection exception, insufficient resources, operator
		// intervention ("the database system is starting up" is one).
		switch refused.Code[:2] {
		case "08", "53", "57", "55":
			return true
		}
		return false
	}
	return !errors.Is(err, errSchema)
}

