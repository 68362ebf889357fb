package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func check(t testing.TB, s Settings) Report {
	t.Helper()
	r, err := Check(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// alter runs statements on a queue that no gateway has open.
func alter(t testing.TB, s Settings, statements ...string) {
	t.Helper()
	if s.Engine == SQLite {
		execute(t, s.File, statements...)
		return
	}
	db, err := sql.Open("pgx", s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheck checks a queue that is in use, and finds nothing.
func TestCheck(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		if _, err := Check(t.Context(), s); !errors.Is(err, errNoQueue) {
			t.Error(err)
		}
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			return Result{Status: map[string]int{"0": 410, "1": 500}[d.ID]}
		}}
		g := start(t, s, newDestination("a", r.deliver), newDestination("paused", r.deliver))
		if err := g.q.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		var bytes int64
		for i, e := range newEvents(300) {
			if i%3 == 0 {
				e.Window = 0
			}
			g.keep(t, e, newEvent("0", ""))
			// What is stored and removed meanwhile must not be counted half.
			if i%50 == 0 {
				if r := check(t, s); len(r.Problems) > 0 {
					t.Fatalf("%d events: %q", i, r.Problems)
				}
			}
		}
		bytes = g.number(t, `SELECT bytes FROM webhooks_queue`)
		if r := check(t, s); r.Events != g.number(t, `SELECT count(*) FROM webhooks_events`) || r.Bytes != bytes || len(r.Problems) > 0 {
			t.Errorf("%+v, want %d bytes", r, bytes)
		}
		g.stop(t)
		if r := check(t, s); len(r.Problems) > 0 {
			t.Errorf("%q", r.Problems)
		}
	})
}

// TestCheckWhileStoring shows that all numbers are of one moment.
func TestCheckWhileStoring(t *testing.T) {
	for _, engine := range []string{SQLite, PostgreSQL} {
		t.Run(engine, func(t *testing.T) {
			s := testSettings(t)
			if engine == PostgreSQL {
				s = postgresSettings(t, sharedServer.database(t))
			}
			g := start(t, s, newDestination("a", new(receiver).deliver))
			ctx, cancel := context.WithCancel(t.Context())
			var stored atomic.Int64
			ended := make(chan struct{})
			room := make(chan struct{}, 30) // or each check would read more than the one before
			go func() {
				defer close(ended)
				for {
					select {
					case <-ctx.Done():
						return
					case <-room:
					}
					if _, err := g.g.store(context.Background(), []*Event{newEvent(fmt.Sprint(stored.Add(1)), "")}); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			for n := 0; n < 20 || stored.Load() < 10; n++ {
				for len(room) < cap(room) {
					room <- struct{}{}
				}
				if r := check(t, s); len(r.Problems) > 0 {
					t.Errorf("%q", r.Problems)
					break
				}
			}
			cancel()
			<-ended
		})
	}
}

// TestCheckFinds breaks each of the invariants.
func TestCheckFinds(t *testing.T) {
	const deferred = `INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
		VALUES (%d, '%s', 'dead', 0, 0, 0, 0, 0, '', '', 0, 0)`
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("a", new(receiver).deliver))
		g.keep(t, newEvents(10)...)
		g.drain(t, "a")
		g.stop(t)
		if s.Engine == PostgreSQL {
			alter(t, s, `ALTER TABLE webhooks_deliveries DROP CONSTRAINT webhooks_deliveries_seq_fkey, DROP CONSTRAINT webhooks_deliveries_name_fkey`)
		}
		bytes := check(t, s).Bytes
		for _, c := range []struct{ change, undo, want string }{
			{`UPDATE webhooks_queue SET bytes = bytes + 7`, `UPDATE webhooks_queue SET bytes = bytes - 7`,
				fmt.Sprintf("webhooks_queue.bytes is %d, but the events take %d", bytes+7, bytes)},
			{fmt.Sprintf(deferred, 11, "a"), `DELETE FROM webhooks_deliveries`,
				"deferred deliveries without their event: 1, first event number 11"},
			{fmt.Sprintf(deferred, 3, "nobody"), `DELETE FROM webhooks_deliveries`,
				"deferred deliveries without their destination: 1, first destination nobody"},
			{`UPDATE webhooks_destinations SET position = 11`, `UPDATE webhooks_destinations SET position = 10`,
				"destinations with a position beyond the last event: 1, first a"},
			{`UPDATE webhooks_attempts SET block = 1 WHERE id = 1`, `UPDATE webhooks_attempts SET block = 0`,
				"rows of attempts at events beyond the last one: 1, first row 1"},
			{`UPDATE webhooks_attempts SET attempts = '' WHERE id = 1`, `DELETE FROM webhooks_attempts`,
				"rows of attempts that cannot be decoded: 1, first row 1"},
			{`UPDATE webhooks_keys SET key = '' WHERE seq = 4`, `SELECT 1`,
				"events without their key, so that duplicates are accepted: 1, first event number 4"},
			{`UPDATE webhooks_events SET expires = 0`, `UPDATE webhooks_queue SET last = 9`, ""}, // not any more
			{`UPDATE webhooks_destinations SET position = 9`, `UPDATE webhooks_queue SET last = 10`,
				"webhooks_queue.last is 9, but there is an event with number 10"},
			{`DELETE FROM webhooks_queue`, `SELECT 1`, "webhooks_queue is empty"},
		} {
			alter(t, s, c.change)
			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			if r := check(t, s); !slices.Equal(r.Problems, want) || r.Events != 10 || r.Bytes != bytes {
				t.Errorf("%s: %+v, want %q", c.change, r, want)
			}
			alter(t, s, c.undo)
		}
	})
}

// TestCheckFile checks files with damage, which it leaves as they are: also such
// damage as opening does not look for.
func TestCheckFile(t *testing.T) {
	settings := func(file string) Settings {
		s := testSettings(t)
		s.File = file
		return s
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, file string)
		opens  bool
	}{
		"old events": {damageOld, true},
		"an index": {func(t *testing.T, file string) {
			overwrite(t, file, leaves(t, file, "webhooks_deliveries_due")[0], 0)
		}, true},
		"the newest events": {damageNewest, false},
		"the schema":        {func(t *testing.T, file string) { overwrite(t, file, 1, 100) }, false},
		"cut off": {func(t *testing.T, file string) {
			content := readFile(t, file)
			writeFile(t, file, content[:len(content)-4096])
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(filledQueue(t))
			c.damage(t, s.File)
			before := contents(t, s.File)
			if r := check(t, s); len(r.Problems) == 0 {
				t.Error("no problem was found")
			}
			for file, content := range before {
				if string(readFile(t, file)) != string(content) {
					t.Errorf("%s was changed", file)
				}
			}
			q, err := openLog(t.Context(), s)
			if err == nil {
				err = q.Ready(t.Context())
				_ = q.close()
			}
			if c.opens != (err == nil) {
				t.Errorf("opening: %v", err)
			}
		})
	}
	for name, c := range map[string]struct {
		file func(t *testing.T) string
		want string
	}{
		"nothing": {func(t *testing.T) string { return filepath.Join(queueFile(t), "queue.db") }, "no queue yet"},
		"empty": {func(t *testing.T) string {
			file := queueFile(t)
			writeFile(t, file, nil)
			return file
		}, "no queue yet"},
		"a text": {func(t *testing.T) string {
			file := queueFile(t)
			writeFile(t, file, []byte(strings.Repeat("This is a text.", 100)))
			return file
		}, "not a database"},
		"another program's": {func(t *testing.T) string {
			file := queueFile(t)
			execute(t, file, `CREATE TABLE books (title TEXT)`)
			return file
		}, "the database of another program"},
		"newer": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `INSERT INTO webhooks_migrations (version) VALUES (999)`)
			return file
		}, "schema has version 999"},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := Check(t.Context(), settings(c.file(t))); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// TestCheckChangesNothing checks a queue that is closed, and one after a crash. Of
// the files that SQLite leaves there, the WAL is empty.
func TestCheckChangesNothing(t *testing.T) {
	s := testSettings(t)
	s.File = filledQueue(t)
	g := start(t, s)
	g.keep(t, newEvent("in the WAL", ""))
	dir := filepath.Join(t.TempDir(), "crashed")
	copyDir(t, filepath.Dir(s.File), dir)
	crashed := s
	crashed.File = filepath.Join(dir, filepath.Base(s.File))
	g.stop(t)
	for _, s := range []Settings{s, crashed} {
		before := contents(t, s.File)
		if r := check(t, s); r.Events != 501 || len(r.Problems) > 0 {
			t.Errorf("%+v", r)
		}
		for file, content := range contents(t, s.File) {
			if string(content) != string(before[file]) {
				t.Errorf("%s was changed", file)
			}
		}
		g := start(t, s)
		wantAccepted(t, g.keep(t, newEvent("in the WAL", ""), newEvent("new", "")), false, true)
		g.stop(t)
	}
}

// TestCheckIsCancelled shows that a check of a large queue can be given up.
func TestCheckIsCancelled(t *testing.T) {
	s := testSettings(t)
	s.File = filledQueue(t)
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if _, err := Check(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
