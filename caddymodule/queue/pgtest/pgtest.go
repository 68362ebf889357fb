// Package pgtest runs a real PostgreSQL server for tests, from the programs
// initdb and postgres as they are installed. It is for tests only.
package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
	databases      atomic.Int64
}

// Start starts a server with no data, which ends with the test. It skips the test
// where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	in, err := find()
	if err != nil {
		t.Skipf("pgtest: %v", err)
	}
	files, err := template()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s := new(Server)
	if s.dir, err = in.mkdir(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		s.end(t, syscall.SIGINT)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	s.data, s.log = filepath.Join(s.dir, "data"), filepath.Join(s.dir, "log")
	if err := in.unpack(files, s.data); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	for range 3 { // another process may be quicker to take the port
		if s.port, err = freePort(); err == nil {
			err = s.start(in)
		}
		if err == nil {
			return s
		}
	}
	fatal(t, s.log, err)
	return nil
}

// DSN returns the address of a database of the server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Database creates a database and returns its DSN. The database is dropped at the
// end of the test, unless the server is down by then.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
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

// Stop ends the server in order: it breaks the connections, rolls back what is not
// committed and writes a checkpoint.
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
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "log_min_messages=warning"), s.log)
	if err != nil {
		return err
	}
	s.process = p
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		<-p.done
		cancel()
	}()
	for {
		// Whoever answers at the port must be this server.
		err := s.exec(ctx, "SELECT 1 / (current_setting('data_directory') = $1)::int", s.data)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			if !p.running() {
				return fmt.Errorf("postgres ended: %v", p.err)
			}
			p.end(syscall.SIGQUIT)
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// exec runs one statement in the database postgres.
func (s *Server) exec(ctx context.Context, statement string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement, args...)
	return err
}

// end ends the server with a signal, if it runs.
func (s *Server) end(t testing.TB, signal os.Signal) {
	t.Helper()
	if s.process != nil && !s.process.end(signal) {
		fatal(t, s.log, fmt.Errorf("postgres does not end on %v", signal))
	}
}
