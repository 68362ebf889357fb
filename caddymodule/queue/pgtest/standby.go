package pgtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Standby starts a hot standby of the server: an asynchronous copy that answers
// read-only queries and ends with the test. It streams from the address through, such
// as that of a Proxy; an empty one is the server's own. The first copy of the data
// comes from the server itself. Standby skips the test where pg_basebackup is not
// installed.
func (s *Server) Standby(t testing.TB, through string) *Server {
	t.Helper()
	s.own(t)
	if through == "" {
		through = s.Address()
	}
	host, port, err := net.SplitHostPort(through)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	in, err := find()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if !in.has("pg_basebackup") {
		t.Skipf("pgtest: pg_basebackup is not in %s: install the client programs of PostgreSQL", in.bin)
	}
	s.Configure(t, "wal_keep_size", "1GB") // a standby that lags must be able to catch up
	return in.server(t, func(data string) error {
		err := run(in.command(filepath.Dir(data), "pg_basebackup", "-D", data, "-d", s.DSN("postgres"), "--checkpoint=fast", "--no-sync"))
		if err != nil {
			return err
		}
		signal := filepath.Join(data, "standby.signal")
		if err = write(signal, strings.NewReader("")); err != nil {
			return err
		}
		if err = in.own(signal); err != nil {
			return err
		}
		settings, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer settings.Close()
		_, err = fmt.Fprintf(settings, "primary_conninfo = 'host=%s port=%s user=postgres sslmode=disable gssencmode=disable'\n", host, port)
		return err
	})
}

// Promote makes a standby a primary and waits until it takes writes. The server it was
// a standby of is not asked, and may be down.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.exec(ctx, "SELECT pg_promote()")
	if err == nil {
		err = until(ctx, s.admin(), "NOT pg_is_in_recovery()")
	}
	if err != nil {
		fatal(t, s.log, err)
	}
}

// WaitFor waits until a standby has replayed everything that is committed in its
// primary now.
func (s *Server) WaitFor(t testing.TB, primary *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// The message follows everything that is committed, and its own commit flushes it.
	// The current position is not such a target: it may be that of a page header, which
	// no record reaches.
	var position string
	err := query(ctx, primary.admin(), &position, "SELECT pg_logical_emit_message(true, 'pgtest', '')::text")
	if err == nil {
		err = until(ctx, s.admin(), "pg_last_wal_replay_lsn() >= $1::text::pg_lsn", position)
	}
	if err != nil {
		fatal(t, s.log, err)
	}
}
