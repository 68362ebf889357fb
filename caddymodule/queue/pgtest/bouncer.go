package pgtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// Bouncer is a PgBouncer in front of a server. It has the default settings, apart from
// its address and from authentication: it pools sessions and refuses startup parameters
// that it does not know.
type Bouncer struct {
	address string
}

// Bouncer starts a PgBouncer in front of the server, which must be running. It ends
// with the test. Bouncer skips the test where PgBouncer is not installed.
func (s *Server) Bouncer(t testing.TB) *Bouncer {
	t.Helper()
	s.own(t)
	program, err := findBouncer()
	if err != nil {
		t.Skipf("pgtest: %v", err)
	}
	in, err := find()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dir, err := in.mkdir()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	var p *process
	t.Cleanup(func() {
		if p != nil {
			p.end(syscall.SIGKILL) // which of the other signals wait for clients depends on the version
		}
		if err = os.RemoveAll(dir); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	b := new(Bouncer)
	log := filepath.Join(dir, "log")
	err = onFreePort(func(port int) error {
		b.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		file := filepath.Join(dir, "pgbouncer.ini")
		// auth_type any needs no list of users. Instead, it needs the server's user.
		settings := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
`, s.port, port)
		if err = errors.Join(os.WriteFile(file, []byte(settings), 0o600), in.own(file)); err != nil {
			return err
		}
		if p, err = launchLogged(command(in.account, dir, program, file), log); err != nil {
			return err
		}
		return p.answers(b.DSN(s.DSN("postgres")), s.data)
	})
	if err != nil {
		fatal(t, log, err)
	}
	return b
}

// DSN returns a DSN, in the form of a URL, that leads through PgBouncer.
func (b *Bouncer) DSN(dsn string) string { return through(dsn, b.address) }

// findBouncer looks for pgbouncer in PATH, then where systems install it.
var findBouncer = sync.OnceValues(func() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"} {
		if program, err := exec.LookPath(name); err == nil {
			return program, nil
		}
	}
	return "", errors.New("pgbouncer not found: install PgBouncer (Debian: apt-get install pgbouncer)")
})
