// Package pgtest runs a real PostgreSQL server for tests, from the programs
// initdb and postgres as they are installed. It is for tests only.
package pgtest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
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
	s.fatal(t, err)
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
		s.fatal(t, err)
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
		s.fatal(t, err)
	}
}

// start runs the server and waits until it answers.
func (s *Server) start(in *installation) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := in.command(s.dir, "postgres", "-D", s.data, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "log_min_messages=warning")
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(cmd)
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
		s.fatal(t, fmt.Errorf("postgres does not end on %v", signal))
	}
}

// fatal ends the test and shows the log of the server.
func (s *Server) fatal(t testing.TB, err error) {
	t.Helper()
	log, _ := os.ReadFile(s.log)
	t.Logf("pgtest: the log of the server:\n%s", log)
	t.Fatalf("pgtest: %v", err)
}

// process is a child of this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; valid after done
}

// launch starts a process. What ends it together with this process is bound to the
// thread that starts it, so that thread stays until the process has ended.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end ends the process with a signal and reports whether it heeded it. If it did
// not, it is killed.
func (p *process) end(signal os.Signal) bool {
	if !p.running() {
		return true
	}
	p.cmd.Process.Signal(signal)
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
		return false
	}
}

// installation is PostgreSQL as it is installed, and the account to run it with.
type installation struct {
	bin     string
	account *account // nil for that of this process
}

// find looks for initdb and postgres: in PATH, then where systems install them, the
// highest version first.
var find = sync.OnceValues(func() (*installation, error) {
	account, err := runAs()
	if err != nil {
		return nil, err
	}
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/opt/homebrew/bin",
		"/usr/local/opt/postgresql@*/bin", "/usr/local/pgsql*/bin", "/usr/local/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.SortStableFunc(found, func(a, b string) int { return version(b) - version(a) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		_, noInitdb := exec.LookPath(filepath.Join(dir, "initdb"))
		_, noPostgres := exec.LookPath(filepath.Join(dir, "postgres"))
		if filepath.IsAbs(dir) && noInitdb == nil && noPostgres == nil {
			return &installation{dir, account}, nil
		}
	}
	return nil, errors.New("initdb and postgres not found: install PostgreSQL (Debian: apt-get install postgresql)")
})

var digits = regexp.MustCompile(`\d+`)

// version returns the first number in the path of an installation.
func version(dir string) int {
	n, _ := strconv.Atoi(digits.FindString(dir))
	return n
}

// command returns a command that runs a program of the installation.
func (in *installation) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(in.bin, program), args...)
	cmd.Dir = dir // the account may have no access to that of this process
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = attributes(in.account)
	return cmd
}

// mkdir creates a temporary directory that the account owns and can reach.
func (in *installation) mkdir() (string, error) {
	parent, err := filepath.Abs(os.TempDir())
	if err != nil {
		return "", err
	}
	if in.account != nil && !open(parent) {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "pgtest-")
	if err != nil {
		return "", err
	}
	return dir, in.own(dir)
}

// open reports whether everyone may go into a directory.
func open(dir string) bool {
	info, err := os.Stat(dir)
	up := filepath.Dir(dir)
	return err == nil && info.Mode()&0o001 != 0 && (up == dir || open(up))
}

// own gives a file to the account.
func (in *installation) own(file string) error {
	if in.account == nil {
		return nil
	}
	return os.Chown(file, int(in.account.uid), int(in.account.gid))
}

// template runs initdb and returns the data directory as a tar file. The file has
// no name any more, so it is gone with this process.
var template = sync.OnceValues(func() (*os.File, error) {
	in, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := in.mkdir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	var output bytes.Buffer
	cmd := in.command(dir, "initdb", "-D", data, "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C")
	cmd.Stdout, cmd.Stderr = &output, &output
	p, err := launch(cmd)
	if err == nil {
		<-p.done
		err = p.err
	}
	if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, &output)
	}
	file, err := os.Create(filepath.Join(dir, "tar"))
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(file)
	return file, errors.Join(w.AddFS(os.DirFS(data)), w.Close())
})

// unpack writes a template to a new directory.
func (in *installation) unpack(template io.ReaderAt, dir string) error {
	if err := errors.Join(os.Mkdir(dir, 0o700), in.own(dir)); err != nil {
		return err
	}
	for r := tar.NewReader(io.NewSectionReader(template, 0, 1<<40)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		name := filepath.Join(dir, header.Name)
		if header.Typeflag == tar.TypeDir {
			err = os.Mkdir(name, 0o700)
		} else {
			err = write(name, r)
		}
		if err := errors.Join(err, in.own(name)); err != nil {
			return err
		}
	}
}

func write(name string, r io.Reader) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

// freePort returns a port that is free, and that no connection takes as its own
// while the server is down: it is below those that systems give to connections.
func freePort() (port int, err error) {
	for range 100 {
		port = 20000 + rand.IntN(12000)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}
