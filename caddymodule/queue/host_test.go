package queue

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// sharedServer is the PostgreSQL of all tests that do not stop it.
var sharedServer host

// host stands in for a test, so that a server lives longer than one.
type host struct {
	testing.TB
	once            sync.Once
	server          *pgtest.Server
	skipped, failed string
	cleanups        []func()
}

func (h *host) Helper() {}

func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

func (h *host) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (h *host) Errorf(format string, args ...any) { h.Logf(format, args...) }

func (h *host) Skipf(format string, args ...any) {
	h.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (h *host) Fatalf(format string, args ...any) {
	h.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (h *host) start() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.server = pgtest.Start(h)
	}()
	<-done
}

func (h *host) close() {
	for _, f := range slices.Backward(h.cleanups) {
		f()
	}
}

// database returns a new database.
func (h *host) database(t testing.TB) string {
	t.Helper()
	h.once.Do(h.start)
	switch {
	case h.skipped != "":
		t.Skip(h.skipped)
	case h.failed != "":
		t.Fatal(h.failed)
	}
	return h.server.Database(t)
}
