package queue

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// openWALStore opens an SQLite store, and returns a function that adds pages to it in
// commits, each followed by what the writer does between two commits.
func openWALStore(t *testing.T) (s *store, add func(pages int)) {
	t.Helper()
	s, err := openSQLite(t.Context(), filepath.Join(t.TempDir(), "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit := func(f func(t *tx) error) {
		t.Helper()
		if err := s.transact(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		s.checkpoints.finish()
	}
	const each = 50
	return s, func(pages int) {
		t.Helper()
		for ; pages > 0; pages -= each {
			commit(func(t *tx) error {
				return t.exec(`INSERT INTO webhooks_requests (first, last, size, request)
					SELECT COALESCE(MAX(first), 0) + 1, 0, 0, zeroblob($1) FROM webhooks_requests`, each*4096)
			})
		}
	}
}

// walPages returns how many pages the WAL has room for.
func walPages(t *testing.T, s *store) int {
	t.Helper()
	return int(sizeOf(t, s.file.walPath()) / 4096)
}

// TestWALIsBounded writes many times the length at which the WAL begins anew, while
// connections read all the time.
func TestWALIsBounded(t *testing.T) {
	s, add := openWALStore(t)
	defer s.close()
	ctx, cancel := context.WithCancel(t.Context())
	var reads atomic.Int64
	done := make(chan error, readers)
	for range readers {
		go func() {
			var err error
			for err == nil && ctx.Err() == nil {
				err = s.query(context.Background(), `SELECT 1 FROM webhooks_requests LIMIT 1`, nil, func(rows *sql.Rows) error {
					reads.Add(1)
					return nil
				})
			}
			done <- err
		}()
	}
	add(10 * restartPages)
	cancel()
	for range readers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := walPages(t, s); n > restartPages+2*overduePages {
		t.Errorf("the WAL has %d pages after %d were written", n, 10*restartPages)
	}
	if reads.Load() == 0 {
		t.Error("nothing was read meanwhile")
	}
}

// TestWALWithAReadThatStaysOpen has another connection read an old state: the WAL grows
// and that is reported, commits go on, and the WAL begins anew soon after the read ends.
func TestWALWithAReadThatStaysOpen(t *testing.T) {
	s, add := openWALStore(t)
	defer s.close()
	reported := make(chan string, 10)
	s.checkpoints.report = func(message string, _ error) { reported <- message }
	add(100)
	reader, err := s.read.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, statement := range []string{`BEGIN`, `SELECT COUNT(*) FROM webhooks_requests`} {
		if _, err := reader.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	add(longPages + 2*checkpointPages)
	if message := <-reported; !strings.Contains(message, "keeps a read") || len(reported) > 0 {
		t.Errorf("%q, and %d more reports", message, len(reported))
	}
	long := walPages(t, s)
	if long < longPages {
		t.Errorf("the WAL has %d pages although a read is open", long)
	}
	if _, err := reader.ExecContext(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	// It begins anew after a few checkpoints. When they run is up to the machine.
	for tries := 1; walPages(t, s) >= long/2; tries++ {
		if tries > 20 {
			t.Fatalf("the WAL has %d pages after the read has ended, %d before", walPages(t, s), long)
		}
		add(restartPages)
	}
}

// TestUnsyncedFile has a sync of the file fail: commits go on, and neither a checkpoint
// nor close removes what the WAL has.
func TestUnsyncedFile(t *testing.T) {
	s, add := openWALStore(t)
	reported := make(chan error, 10)
	s.checkpoints.report = func(_ string, err error) { reported <- err }
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	s.checkpoints.file = closed // whose sync fails
	add(2 * checkpointPages)
	if err = <-reported; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	add(3 * restartPages)
	if n := walPages(t, s); n < 3*restartPages {
		t.Errorf("the WAL has %d pages: it began anew", n)
	}
	if err = s.close(); err == nil || len(reported) > 0 {
		t.Errorf("%v, and %d more reports", err, len(reported))
	}
	// A new process has the file and its WAL only.
	file := filepath.Join(t.TempDir(), "queue.db")
	copyFile(t, s.file.path, file)
	copyFile(t, s.file.walPath(), file+"-wal")
	copied, err := openSQLite(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.close()
	var rows int
	if err := copied.read.QueryRow(`SELECT COUNT(*) FROM webhooks_requests`).Scan(&rows); err != nil || rows < 3*restartPages/50 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
