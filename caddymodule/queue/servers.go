package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// server is a PostgreSQL server of a queue, as a DSN names it.
type server struct {
	number int // in the configuration, from 0
	config *pgx.ConnConfig
	wanted pgconn.ValidateConnectFunc // of the DSN; nil if any server will do
	setup  string                     // sets the parameters of a new session
}

// newServer parses a DSN. It does not connect.
func newServer(number int, dsn string) (*server, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The text of err may hold parts of the DSN.
		return nil, fmt.Errorf("%w: invalid DSN; use a form such as postgres://user@host/database", errSchema)
	}
	at := &server{number: number, config: config, wanted: config.ValidateConnect}
	var set strings.Builder
	for _, parameter := range session {
		if _, ok := config.RuntimeParams[parameter.name]; !ok && !strings.Contains(config.RuntimeParams["options"], parameter.name) {
			fmt.Fprintf(&set, "SET %s = %s;", parameter.name, parameter.value)
		}
	}
	at.setup = set.String()
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = "caddy-webhooks"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	if at.wanted == nil && !namesTarget.MatchString(dsn) {
		at.wanted = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return at, nil
}

// newServers parses the DSNs of a queue.
func newServers(dsns []string) ([]*server, error) {
	servers := make([]*server, len(dsns))
	for i, dsn := range dsns {
		var err error
		if servers[i], err = newServer(i, dsn); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// schemaOf returns an expression for the schema of a log at a server. Log 0 is in the
// schema that the DSN leads to.
func schemaOf(number int) string {
	if number == 0 {
		return `current_schema()`
	}
	return fmt.Sprintf(`current_schema() || '_webhooks_%d'`, number)
}

// enterSchema returns a script that makes the schema of a log the only one of a session.
// It runs after connecting: a pooler such as PgBouncer refuses the parameter at startup.
// Without the schema, the session finds no table, and cannot create one.
func enterSchema(number int) string {
	if number == 0 {
		return ""
	}
	return `SELECT set_config('search_path', COALESCE(quote_ident(` + schemaOf(number) + `), ''), false);`
}

// connect opens a connection that belongs to no pool, in the schema that the DSN leads to.
func (at *server) connect(ctx context.Context) (*pgx.Conn, error) {
	config := at.config.Copy()
	config.ValidateConnect = at.wanted
	config.AfterConnect = execAfterConnect(at.setup)
	return pgx.ConnectConfig(ctx, config)
}

// maxName is the maximum number of bytes of a name. PostgreSQL cuts longer ones.
const maxName = 63

// createSchema creates the schema of a log, unless it exists.
func (at *server) createSchema(ctx context.Context, number int) error {
	conn, err := at.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var schema string
	if err = conn.QueryRow(ctx, `SELECT `+schemaOf(number)).Scan(&schema); err != nil {
		return err
	}
	if len(schema) > maxName {
		return fmt.Errorf("%w: the name %s for the schema of log %d is too long; let the DSN lead to a schema with a shorter name", errSchema, schema, number)
	}
	_, err = conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{schema}.Sanitize())
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42501" { // insufficient privilege
		return fmt.Errorf("%w: cannot create the schema %s at %s: grant CREATE on its database to the DSN's user, or create the schema for that user: %w", errSchema, schema, at, err)
	}
	return err
}
