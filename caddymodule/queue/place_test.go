package queue

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPlace shows which settings make another queue, and that no DSN is printed.
func TestPlace(t *testing.T) {
	base := Settings{Engine: PostgreSQL, DSN: "host=secret-a", Servers: []string{"host=secret-b"}}
	same, size := base, base
	same.Logs = 2
	size.Size, size.Retention = 1, 1
	for _, s := range []Settings{same, size} {
		if s.Place() != base.Place() {
			t.Errorf("%+v is another place", s)
		}
	}
	one, another, swapped, more, strict, joined := base, base, base, base, base, base
	one.Servers = nil
	another.Servers = []string{"host=secret-c"}
	swapped.DSN, swapped.Servers = base.Servers[0], []string{base.DSN}
	more.Logs = 4
	strict.StrictDedup = true
	joined.DSN, joined.Servers = base.DSN+"host=secret-b", nil
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{one, "postgres"},
		{another, "postgres (2 servers, 2 logs)"},
		{swapped, "postgres (2 servers, 2 logs)"},
		{more, "postgres (2 servers, 4 logs)"},
		{strict, "postgres (2 servers, 2 logs, dedup strict)"},
		{joined, "postgres"},
		{Settings{Engine: PostgreSQL, DSN: "host=secret-a", StrictDedup: true}, "postgres (dedup strict)"},
	} {
		place := c.s.Place()
		if place == base.Place() {
			t.Errorf("%+v is the same place", c.s)
		}
		if got := place.String(); got != c.want || strings.Contains(got, "secret") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	dir := t.TempDir()
	file := Settings{File: filepath.Join(dir, "a", "..", "queue.db")}
	if place := file.Place(); place != (Settings{Engine: SQLite, File: filepath.Join(dir, "queue.db")}).Place() || place.String() != "sqlite "+Path(file.File) {
		t.Error(place)
	}
}
