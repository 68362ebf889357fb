package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// found is a log as a server has it.
type found struct {
	server   *server
	schema   string
	hasQueue bool   // the tables exist, perhaps those of an older program
	queue    string // the id of the queue; empty while it has never had several logs
	number   int    // of the log, where queue is not empty
	epoch    int64
	rows     []layoutRow // by epoch
	empty    bool        // it has no event, and no key or place whose window has not ended
	gateways []int       // of the living ones but this one, the numbers of logs that they are configured with
}

// site is what a server has of a queue.
type site struct {
	server *server
	err    error  // it did not answer
	at     string // equal if two DSNs lead to the same schema
	logs   [MaxLogs]*found
}

// survey is what all servers have of a queue.
type survey struct {
	sites []*site
	logs  [MaxLogs]*found // nil where no server that answered has it
	err   error           // of the servers that did not answer; nil if all did
}

// survey asks all servers for the logs of the queue. An error that is not temporary means
// that the servers cannot be those of one queue.
func (q *Queue) survey(ctx context.Context) (*survey, error) {
	s := &survey{sites: make([]*site, len(q.servers))}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	each(q.servers, func(i int, at *server) { s.sites[i] = at.look(ctx, q.holder) })
	for _, site := range s.sites {
		if site.err == nil {
			continue
		}
		err := fmt.Errorf("%s: %w", site.server, site.err)
		if !isTemporary(site.err) {
			return nil, err
		}
		s.err = errors.Join(s.err, err)
	}
	return s, s.check()
}

// String names a server without its DSN, which may hold a password.
func (at *server) String() string { return fmt.Sprintf("server %d of `queue postgres`", at.number+1) }

// look asks a server which logs it has.
func (at *server) look(ctx context.Context, holder string) *site {
	s := &site{server: at}
	conn, err := at.connect(ctx)
	if err != nil {
		s.err = err
		return s
	}
	defer closeConn(conn)
	var schema *string
	s.err = conn.QueryRow(ctx, `SELECT current_schema(), concat_ws(' ', pg_postmaster_start_time(), current_database(), current_schema())`).Scan(&schema, &s.at)
	if s.err == nil && schema == nil {
		s.err = fmt.Errorf("%w: no schema of the search_path exists", errSchema)
	}
	for number := 0; number < MaxLogs && s.err == nil; number++ {
		s.logs[number], s.err = at.lookFor(ctx, conn, number, holder)
	}
	return s
}

// lookFor returns what a server has of a log, nil if it does not have it.
func (at *server) lookFor(ctx context.Context, conn *pgx.Conn, number int, holder string) (*found, error) {
	f := &found{server: at}
	var exists, hasLayouts bool
	err := conn.QueryRow(ctx, `SELECT schema, EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = schema),
			to_regclass(quote_ident(schema) || '.webhooks_queue') IS NOT NULL, to_regclass(quote_ident(schema) || '.webhooks_layouts') IS NOT NULL
		FROM (SELECT `+schemaOf(number)+` AS schema) AS s`).Scan(&f.schema, &exists, &f.hasQueue, &hasLayouts)
	if err != nil || !exists || number == 0 && !f.hasQueue {
		return nil, err
	}
	if !hasLayouts {
		return f, nil
	}
	in := strings.NewReplacer("{in}", pgx.Identifier{f.schema}.Sanitize()+".")
	err = conn.QueryRow(ctx, in.Replace(`SELECT COALESCE((SELECT epoch FROM {in}webhooks_queue WHERE id = 1), 0),
		COALESCE((SELECT queue FROM {in}webhooks_identity WHERE id = 1), ''), COALESCE((SELECT log FROM {in}webhooks_identity WHERE id = 1), 0),
		NOT EXISTS (SELECT 1 FROM {in}webhooks_events) AND NOT EXISTS (SELECT 1 FROM {in}webhooks_keys WHERE expires > `+pgClock+`)
			AND NOT EXISTS (SELECT 1 FROM {in}webhooks_places WHERE expires > `+pgClock+`),
		ARRAY(SELECT logs FROM {in}webhooks_gateways WHERE until > `+pgClock+` AND holder <> $1)`), holder).
		Scan(&f.epoch, &f.queue, &f.number, &f.empty, &f.gateways)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, in.Replace(`SELECT epoch, logs, existing, servers, last, until, complete, ended FROM {in}webhooks_layouts ORDER BY epoch`))
	if err != nil {
		return nil, err
	}
	f.rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r layoutRow, err error) {
		return r, row.Scan(&r.epoch, &r.logs, &r.existing, &r.servers, &r.last, &r.until, &r.complete, &r.ended)
	})
	return f, err
}

// check finds out where each log is, and returns an error if the servers cannot be those
// of one queue.
func (s *survey) check() error {
	for i, one := range s.sites {
		for _, other := range s.sites[:i] {
			if one.err == nil && other.err == nil && one.at == other.at {
				return fmt.Errorf("%w: %s leads to the same schema as server %d; remove one of the DSNs", errSchema, one.server, other.server.number+1)
			}
		}
	}
	s.logs[0] = s.sites[0].logs[0]
	if err := s.checkFirst(); err != nil {
		return err
	}
	queue := ""
	if s.logs[0] != nil {
		queue = s.logs[0].queue
	}
	for number := 1; number < MaxLogs; number++ {
		for _, site := range s.sites {
			f := site.logs[number]
			if f == nil {
				continue
			}
			if s.logs[number] != nil {
				return fmt.Errorf("%w: log %d is at server %d, and at server %d as well; drop the schema %s of the one that is not in use", errSchema,
					number, s.logs[number].server.number+1, site.server.number+1, f.schema)
			}
			s.logs[number] = f
			if f.queue == "" {
				continue // it is being created
			}
			if queue == "" && s.sites[0].err != nil {
				queue = f.queue
			}
			if f.queue != queue || f.number != number {
				return s.foreign(f)
			}
		}
	}
	return nil
}

// checkFirst returns an error if the first server does not have log 0 although it answers,
// and another one may have it: an empty queue must not begin instead.
func (s *survey) checkFirst() error {
	first := s.sites[0]
	if first.err != nil {
		return nil
	}
	if f := first.logs[0]; f != nil {
		if f.number != 0 {
			return fmt.Errorf("%w: the schema %s at %s has log %d; let the DSN lead to the schema of log 0", errSchema, f.schema, first.server, f.number)
		}
		return nil
	}
	for _, site := range s.sites[1:] {
		if f := site.logs[0]; f != nil {
			return fmt.Errorf("%w: %s has no queue, but server %d has one in the schema %s; put the DSN first that has log 0, or let that of server %d lead to another schema",
				errSchema, first.server, site.server.number+1, f.schema, site.server.number+1)
		}
	}
	if s.err != nil {
		return fmt.Errorf("a new queue begins when all servers answer: %w", s.err)
	}
	return nil
}

// foreign returns the error for a log that is not that of the queue.
func (s *survey) foreign(f *found) error {
	for _, site := range s.sites[1:] {
		if zero := site.logs[0]; zero != nil && zero.queue == f.queue {
			return fmt.Errorf("%w: log 0 is at server %d; put its DSN first", errSchema, site.server.number+1)
		}
	}
	return fmt.Errorf("%w: the schema %s at %s has log %d of another queue; let the DSN lead to another schema, or put the DSN first that has log 0 of that queue",
		errSchema, f.schema, f.server, f.number)
}

// serverForNew returns the server for a new log: the one with the fewest logs, the first of
// equals.
func (s *survey) serverForNew() *server {
	var best *site
	least := 0
	for _, site := range s.sites {
		n := 0
		for _, f := range s.logs {
			if f != nil && f.server == site.server {
				n++
			}
		}
		if best == nil || n < least {
			best, least = site, n
		}
	}
	return best.server
}
