package queue

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// rename moves a file.
func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestFileReplaced removes and replaces the files of an open queue: it takes no
// events, logs that once, and goes on when the originals are back.
func TestFileReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		suffix string // of the file
		copied bool   // another file with the same content takes its place
	}{
		"removed":     {"", false},
		"replaced":    {"", true},
		"WAL removed": {"-wal", false},
		"WAL copied":  {"-wal", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				core, logs := observer.New(zap.InfoLevel)
				s.Logger = zap.New(core)
				r := &receiver{answer: answers(500)} // so that there is something to write
				g := start(t, s, newDestination("a", r.deliver))
				g.keep(t, newEvent("before", ""))
				time.Sleep(soon)
				logs.TakeAll()

				file := s.File + c.suffix
				away := filepath.Join(t.TempDir(), "away")
				rename(t, file, away)
				if c.copied {
					copyFile(t, away, file)
				}
				for range 3 {
					if _, err := g.g.store(t.Context(), newEvents(2)); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errReplaced) {
						t.Fatal(err)
					}
				}
				last := g.number(t, `SELECT last FROM webhooks_queue`)
				before := g.g
				g.serve(newDestination("a", r.deliver), newDestination("b", r.deliver)) // which are to be declared
				time.Sleep(2 * time.Minute)
				_, errs := storeAll(g.g, newEvents(10))
				for _, err := range errs {
					if !errors.Is(err, ErrUnavailable) {
						t.Error(err)
					}
				}
				if err := g.q.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
					t.Error(err)
				}
				if n := g.number(t, `SELECT last FROM webhooks_queue`); n != last {
					t.Errorf("%d events were written to a file that is known to be replaced", n-last)
				}
				lines := logs.TakeAll()
				if len(lines) != 1 || lines[0].Level != zap.ErrorLevel || lines[0].ContextMap()["file"] != file {
					t.Errorf("the log has %v", lines)
				}

				r.respond(nil)
				rename(t, away, file)
				time.Sleep(2 * time.Minute)
				if err := g.q.Ready(t.Context()); err != nil {
					t.Error(err)
				}
				lines = logs.TakeAll()
				if len(lines) != 1 || lines[0].Level != zap.InfoLevel {
					t.Errorf("the log has %v", lines)
				}
				before.stop(t.Context())
				g.keep(t, newEvents(10)...)
				time.Sleep(soon)
				counts := g.o.delivered()
				for _, e := range append(newEvents(10), newEvent("before", "")) {
					if counts[e.ID] == 0 {
						t.Errorf("%s was not delivered", e.ID)
					}
				}
			})
		})
	}
}

// TestLockRemoved shows that a file has one owner although FILE.lock is gone.
func TestLockRemoved(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has locks that belong to an open file")
	}
	s := testSettings(t)
	g := start(t, s)
	if err := os.Remove(s.File + ".lock"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		q, err := openLog(t.Context(), s)
		if err == nil {
			_ = q.close()
			t.Fatal("it opened")
		}
		if !strings.Contains(err.Error(), "in use by another process") {
			t.Error(err)
		}
	}
	g.keep(t, newEvent("it still works", ""))
	g.stop(t)
	start(t, s).keep(t, newEvent("and again", ""))
}

// TestReplacedWhileOpening shows that a file that is replaced before the first
// commit is noticed then.
func TestReplacedWhileOpening(t *testing.T) {
	s := testSettings(t)
	start(t, s).stop(t)
	store, err := openSQLite(t.Context(), s.File)
	if err != nil {
		t.Fatal(err)
	}
	defer store.close()
	if err := os.Remove(s.File); err != nil {
		t.Fatal(err)
	}
	if err := store.migrate(t.Context()); !errors.Is(err, errReplaced) {
		t.Error(err)
	}
}

// BenchmarkFileCheck measures what each commit pays for it.
func BenchmarkFileCheck(b *testing.B) {
	q := openQueue(b, testSettings(b))
	for b.Loop() {
		if err := q.store.file.check(); err != nil {
			b.Fatal(err)
		}
	}
}
