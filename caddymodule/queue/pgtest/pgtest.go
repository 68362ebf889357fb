// Package pgtest runs real PostgreSQL servers for tests, from the programs as they are
// installed: a primary, its standbys, and a PgBouncer in front of them. A proxy is the
// network between them. It is for tests only.
package pgtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start, to stop or to answer.
const patience = 30 * time.Second

// Server is a PostgreSQL server, 13 or newer, that listens on 127.0.0.1 only. It
// keeps its port and its data when it is stopped and started again. Stop, Kill and
// Restart must not be called at the same time.
type Server struct {
	dir, data, log string
	port           int
	process        *process // the one started last; it may have ended
	given          *url.URL // of a server that was running already; nil for one of its own
}

// databases is the number of databases created. It counts those of all servers, since
// a standby has the databases of its primary.
var databases atomic.Int64

// Start starts a server with no data, which ends with the test, unless the environment
// names one that is running. It skips the test where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	if s := given(t); s != nil {
		return s
	}
	in, err := find()
	if err != nil {
		t.Skipf("pgtest: %v", err)
	}
	files, err := template()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return in.server(t, func(data string) error { return in.unpack(files, data) })
}

// server starts a server that ends with the test. The function makes its data
// directory.
func (in *installation) server(t testing.TB, fill func(data string) error) *Server {
	t.Helper()
	s := new(Server)
	var err error
	if s.dir, err = in.mkdir(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		s.end(t, syscall.SIGINT)
		if err = os.RemoveAll(s.dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	s.data, s.log = filepath.Join(s.dir, "data"), filepath.Join(s.dir, "log")
	if err = fill(s.data); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	err = onFreePort(func(port int) error {
		s.port = port
		return s.start(in)
	})
	if err != nil {
		fatal(t, s.log, err)
	}
	return s
}

// Address returns the host and the port of the server.
func (s *Server) Address() string {
	if s.IsGiven() {
		return s.given.Host
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// DSN returns the address of a database of the server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", s.Address(), database)
}

// Database creates a database and returns its DSN. The database is dropped at the
// end of the test, unless the server is down by then.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	if s.IsGiven() {
		return s.schema(t)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.exec(context.Background(), "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		fatal(t, s.log, err)
	}
	t.Cleanup(func() {
		if !s.process.running() {
			return
		}
		if err := s.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return s.DSN(name)
}

// Configure changes a setting with ALTER SYSTEM and waits until new sessions have it;
// those that are open get it soon after. An empty value resets the setting. One that
// needs a restart takes effect at the next Restart.
func (s *Server) Configure(t testing.TB, setting, value string) {
	t.Helper()
	s.own(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.configure(ctx, setting, value); err != nil {
		fatal(t, s.log, err)
	}
}

func (s *Server) configure(ctx context.Context, setting, value string) error {
	statement := "RESET " + setting
	if value != "" {
		statement = "SET " + setting + " = '" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	if err := s.exec(ctx, "ALTER SYSTEM "+statement); err != nil {
		return err
	}
	var before time.Time
	if err := query(ctx, s.admin(), &before, "SELECT clock_timestamp()"); err != nil {
		return err
	}
	if err := s.exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	// A new session has the settings of the postmaster, and the time it loaded them.
	return until(ctx, s.admin(), "pg_conf_load_time() >= $1", before)
}

// Stop ends the server in order: it breaks the connections, rolls back what is not
// committed and writes a checkpoint. It waits until standbys have received everything;
// where they cannot, use Kill.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGINT)
}

// Kill ends the server at once, as if it crashed: it has to recover at the next
// start.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGQUIT)
}

// Restart starts the server again with its port and data. It stops it first if it
// runs.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGINT)
	in, err := find()
	if err == nil {
		err = s.start(in)
	}
	if err != nil {
		fatal(t, s.log, err)
	}
}

// start runs the server and waits until it answers.
func (s *Server) start(in *installation) error {
	p, err := launchLogged(in.command(s.dir, "postgres", "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "unix_socket_directories=", "-c", "log_min_messages=warning"), s.log)
	if err != nil {
		return err
	}
	s.process = p
	return p.answers(s.admin(), s.data)
}

// admin returns the DSN that the package itself uses. It takes writes where
// sessions are read-only by default, and does not wait for a standby.
func (s *Server) admin() string {
	return s.DSN("postgres") + "&default_transaction_read_only=off&synchronous_commit=local"
}

// exec runs one statement in the database postgres.
func (s *Server) exec(ctx context.Context, statement string) error {
	return query(ctx, s.admin(), nil, statement)
}

// end ends the server with a signal, if it runs.
func (s *Server) end(t testing.TB, signal os.Signal) {
	t.Helper()
	s.own(t)
	if s.process != nil && !s.process.end(signal) {
		fatal(t, s.log, fmt.Errorf("postgres does not end on %v", signal))
	}
}
