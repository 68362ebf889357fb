package queue

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// queueFile returns the path of a file in a directory of its own.
func queueFile(t testing.TB) string { return filepath.Join(t.TempDir(), "queue.db") }

func writeFile(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// execute runs statements on a database that is no queue, or not open as one.
func execute(t testing.TB, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

// filledQueue returns the file of a queue that was closed, with a few pages.
func filledQueue(t *testing.T) string {
	t.Helper()
	s := testSettings(t)
	g := start(t, s)
	g.keep(t, newEvents(500)...)
	g.stop(t)
	return s.File
}

// overwrite writes junk into a file, from a place in a page on to the page's end.
// Pages count from 1.
func overwrite(t *testing.T, file string, page, from int) {
	t.Helper()
	content := readFile(t, file)
	copy(content[(page-1)*4096+from:page*4096], bytes.Repeat([]byte("junk"), 1024))
	writeFile(t, file, content)
}

// leaves returns the numbers of the pages that the rows of a table are in, in the
// order of its key.
func leaves(t *testing.T, file, table string) (pages []int) {
	t.Helper()
	db, err := openReadOnly(file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path`, table)
	if err = eachRow(rows, err, func(rows *sql.Rows) error {
		var page int
		err = rows.Scan(&page)
		pages = append(pages, page)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return pages
}

// damageNewest writes junk into a page with some of the newest events, though not
// the last page: a WAL may have that one.
func damageNewest(t *testing.T, file string) {
	t.Helper()
	pages := leaves(t, file, "webhooks_events")
	overwrite(t, file, pages[len(pages)-4], 0)
}

// damageOld writes junk into a page with older events.
func damageOld(t *testing.T, file string) {
	t.Helper()
	pages := leaves(t, file, "webhooks_events")
	overwrite(t, file, pages[len(pages)/2], 0)
}

// TestOpenRefuses shows that what is no queue, or none that can be used, is left
// as it is.
func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		file func(t *testing.T) string
		want string
	}{
		"no database": {func(t *testing.T) string {
			file := queueFile(t)
			writeFile(t, file, []byte("This is a text, and long enough that it could be the beginning of a database, which has 100 bytes of it.\n"))
			return file
		}, "not a database"},
		"another program's": {func(t *testing.T) string {
			file := queueFile(t)
			execute(t, file, `CREATE TABLE books (title TEXT)`, `INSERT INTO books VALUES ('Home Alone')`)
			return file
		}, "the database of another program"},
		"another program's with WAL": {func(t *testing.T) string {
			file := queueFile(t)
			execute(t, file, `PRAGMA journal_mode = WAL`, `CREATE TABLE webhookssent (n)`)
			return file
		}, "the database of another program"},
		"damaged": {func(t *testing.T) string {
			file := filledQueue(t)
			damageNewest(t, file)
			return file
		}, "damaged"},
		"damaged in the newest key": {func(t *testing.T) string {
			file := filledQueue(t)
			for _, page := range leaves(t, file, "webhooks_keys") {
				overwrite(t, file, page, 0)
			}
			return file
		}, "damaged"},
		"damaged in the header": {func(t *testing.T) string {
			file := filledQueue(t)
			overwrite(t, file, 1, 0)
			return file
		}, "not a database"},
		"damaged in the schema": {func(t *testing.T) string {
			file := filledQueue(t)
			overwrite(t, file, 1, 100)
			return file
		}, "damaged"},
		"damaged in a small table": {func(t *testing.T) string {
			file := filledQueue(t)
			overwrite(t, file, leaves(t, file, "webhooks_queue")[0], 50)
			return file
		}, "damaged"},
		"without an index": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `DROP INDEX webhooks_deliveries_due`)
			return file
		}, "damaged: webhooks_deliveries_due is missing"},
		"without a table": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `DROP TABLE webhooks_migrations`)
			return file
		}, "damaged: webhooks_migrations is missing"},
		"without its row": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `DELETE FROM webhooks_queue`)
			return file
		}, "damaged: webhooks_queue is empty"},
		"behind its events": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `UPDATE webhooks_queue SET last = 499`)
			return file
		}, "damaged: webhooks_queue.last is 499, but there is an event with number 500"},
		"cut off": {func(t *testing.T) string {
			file := filledQueue(t)
			content := readFile(t, file)
			writeFile(t, file, content[:len(content)/2])
			return file
		}, "malformed"},
		"cut off by a page": {func(t *testing.T) string {
			file := filledQueue(t)
			content := readFile(t, file)
			writeFile(t, file, content[:len(content)-4096])
			return file
		}, "malformed"},
		"damaged, after a crash": {func(t *testing.T) string {
			s := testSettings(t)
			s.File = filledQueue(t)
			g := start(t, s)
			g.keep(t, newEvent("in the WAL", ""))
			dir := filepath.Join(t.TempDir(), "crashed")
			copyDir(t, filepath.Dir(s.File), dir)
			g.stop(t)
			file := filepath.Join(dir, filepath.Base(s.File))
			damageNewest(t, file)
			return file
		}, "damaged"},
		"newer": {func(t *testing.T) string {
			file := filledQueue(t)
			execute(t, file, `INSERT INTO webhooks_migrations (version) VALUES (999)`)
			return file
		}, "schema has version 999"},
		"a directory": {func(t *testing.T) string { return t.TempDir() }, "directory"},
		"not in a directory": {func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "file")
			writeFile(t, file, []byte("x"))
			return filepath.Join(file, "webhooks", "queue.db")
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSettings(t)
			s.File = c.file(t)
			before := contents(t, s.File)
			for range 2 {
				q, err := openLog(t.Context(), s)
				if err == nil {
					_ = q.close()
					t.Fatal("it opened")
				}
				if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Dir(filepath.Dir(s.File))) {
					t.Errorf("%v; want the file and %q", err, c.want)
				}
			}
			for file, content := range before {
				if !bytes.Equal(readFile(t, file), content) {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
}

// contents returns those of the files that begin with a name.
func contents(t *testing.T, name string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(name + "*")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && !strings.HasSuffix(file, "-shm") {
			all[file] = readFile(t, file)
		}
	}
	return all
}

// TestOpenTwice shows that a file has one owner, by whatever name.
func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "queue.db")
	link := filepath.Join(dir, "link.db")
	linkedDir := filepath.Join(t.TempDir(), "linked")
	for from, to := range map[string]string{link: file, linkedDir: dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	names := []string{file, link, filepath.Join(linkedDir, "queue.db"), filepath.Join(linkedDir, "link.db"), "queue.db", "./link.db", dir + "/../" + filepath.Base(dir) + "//queue.db"}
	// The first one finds no file yet.
	for _, first := range []string{link, file, "./queue.db", filepath.Join(linkedDir, "queue.db")} {
		s := testSettings(t)
		s.File = first
		g := start(t, s)
		g.keep(t, newEvent(first, ""))
		before := readFile(t, file)
		for _, second := range names {
			s.File = second
			q, err := openLog(t.Context(), s)
			if err == nil {
				_ = q.close()
				t.Fatalf("%s opened while %s is", second, first)
			}
			if !strings.Contains(err.Error(), "in use by another process") {
				t.Errorf("%s, %s: %v", first, second, err)
			}
		}
		if !bytes.Equal(before, readFile(t, file)) {
			t.Error("the file was changed")
		}
		g.keep(t, newEvent(first+" still works", ""))
		g.stop(t)
		if first == link {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFileNames shows that a path may have any characters.
func TestFileNames(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?.db", "#1.db", "ü&=+.db", "%41.db"} {
		s := testSettings(t)
		s.File = filepath.Join(t.TempDir(), name+" dir", name)
		g := start(t, s)
		g.keep(t, newEvent(name, ""))
		g.stop(t)
		if _, err := os.Stat(s.File); err != nil {
			t.Error(err)
		}
		files, err := os.ReadDir(filepath.Dir(s.File))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 2 { // with the lock
			t.Errorf("%s: %v", name, files)
		}
	}
}

func TestFileModes(t *testing.T) {
	s := testSettings(t)
	g := start(t, s, newDestination("a", new(receiver).deliver))
	g.keep(t, newEvents(10)...)
	g.drain(t, "a")
	dir := filepath.Dir(s.File)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(f.Name(), info.Mode(), err)
		}
	}
	if !slices.Equal(names, []string{"queue.db", "queue.db-shm", "queue.db-wal", "queue.db.lock"}) {
		t.Error(names)
	}
}

// TestOpenGoesOn shows that all is there after a restart, and after a crash.
func TestOpenGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		g.keep(t, newEvents(3)...)
		after := g.crash(t)
		g.stop(t)
		for _, s := range []Settings{s, after} {
			g := start(t, s)
			wantAccepted(t, g.keep(t, newEvents(4)...), false, false, false, true)
			if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 4 {
				t.Errorf("there are %d events", n)
			}
			g.stop(t)
		}
	})
}

func TestOpenIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := testSettings(t)
	if _, err := openLog(ctx, s); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	start(t, s).stop(t)
}
