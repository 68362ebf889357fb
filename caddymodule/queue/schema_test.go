package queue

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// firstVersion is a queue as the first version of the schema has it: three events of
// which one was delivered, one waits for its retry and one for its first attempt.
func firstVersion(t *testing.T, s Settings) {
	t.Helper()
	var db *sql.DB
	words := sqliteDialect.words
	if s.Engine == PostgreSQL {
		store, err := openPostgres(s.DSN, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.close()
		db, words = store.write, postgresDialect.words
	} else {
		if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if db, err = sql.Open("sqlite", s.File); err != nil {
			t.Fatal(err)
		}
		defer db.Close()
	}
	script := createMigrations + ";\n" + migrations[0] + `;
INSERT INTO webhooks_migrations (version) VALUES (1);
INSERT INTO webhooks_destinations (name, filter, position, begun, gaps, paused, holder, lease, until)
	VALUES ('a', '{"source":"` + testSource + `"}', 2, 2, '[]', 0, 'gone', 3, 0)`
	for statement := range strings.SplitSeq(words.Replace(script), ";\n") {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	size := int64(0)
	for i, id := range []string{"delivered", "retried", "new"} {
		e := newEvent(id, "")
		e.Request.stored = []byte(`{"subject":"conversations/1","method":"POST","uri":"/","host":"","proto":"","remote":"","header":null}`)
		expires := e.Received.Add(e.Window).UnixMicro()
		for query, args := range map[string][]any{
			`INSERT INTO webhooks_events (seq, key, source, provider, type, partition_key, event_id, received, expires, size, original, request, body)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`: {i + 1, e.Key[:], e.Source, e.Provider, e.Type, e.PartitionKey, e.ID,
				e.Received.UnixMicro(), expires, e.size(), e.Original, e.Request.stored, e.Body},
			`INSERT INTO webhooks_keys (key, expires, seq) VALUES ($1, $2, $3)`: {e.Key[:], expires, i + 1},
		} {
			if _, err := db.Exec(query, args...); err != nil {
				t.Fatal(err)
			}
		}
		size += e.size()
	}
	for query, args := range map[string][]any{
		`UPDATE webhooks_queue SET last = 3, bytes = $1`: {size},
		`INSERT INTO webhooks_exceptions (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
			VALUES (2, 'a', 'retry', 0, 4, 0, 0, 500, 'answered 500', '', 0, $1)`: {newEvent("retried", "").size()},
	} {
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUpgrade shows that a queue of the first version goes on where it was.
func TestUpgrade(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		firstVersion(t, s)
		r := new(arrivalsOf)
		g := start(t, s, newDestination("a", r.deliver))
		g.drain(t, "a")
		wantSubjects(t, r, map[string]string{"retried": "conversations/1", "new": "conversations/1"})
		counts := r.counts()
		if len(counts) != 2 || counts["retried"] != 1 || counts["new"] != 1 {
			t.Errorf("%v came", counts)
		}
		if got := r.of("retried"); got[0].attempt != 5 {
			t.Errorf("%+v", got)
		}
		wantAccepted(t, g.keep(t, newEvent("delivered", "")), false)
		wantAccepted(t, g.keep(t, newEvent("newest", "")), true)
		g.wantBytes(t)
		if n, err := g.q.Replay(context.Background(), Selection{Keys: []envelope.Key{newEvent("delivered", "").Key}}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		g.drain(t, "a")
		g.stop(t)
		report, err := Check(t.Context(), s)
		if err != nil || len(report.Problems) > 0 || report.Events != 4 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// dumpedVersion fills a queue with what the program wrote whose schema had this
// version: see testdata.
func dumpedVersion(t *testing.T, s Settings, version int) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("version%d.%s.sql", version, s.Engine)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Engine == SQLite {
		if err := os.MkdirAll(filepath.Dir(s.File), 0o700); err != nil {
			t.Fatal(err)
		}
		execute(t, s.File, string(script))
		return
	}
	if err := dial(t, s.DSN).PgConn().Exec(t.Context(), string(script)).Close(); err != nil {
		t.Fatal(err)
	}
}

// arrivalsOf notes what a destination gets of each event beside its body.
type arrivalsOf struct {
	receiver
	subjects map[string]string
}

func (a *arrivalsOf) deliver(ctx context.Context, d *Delivery) Result {
	result := a.receiver.deliver(ctx, d)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.subjects == nil {
		a.subjects = make(map[string]string)
	}
	a.subjects[d.ID] = d.Subject
	return result
}

// TestUpgradeFromVersion2 shows that nothing is lost, repeated or accepted again
// when a queue of version 2 is opened, and that no name is left of what was renamed.
func TestUpgradeFromVersion2(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, s Settings) {
		dumpedVersion(t, s, 2)
		s.Retention = 100 * 365 * 24 * time.Hour // the events are old
		crm, archive, orders := new(arrivalsOf), new(arrivalsOf), new(arrivalsOf)
		toCRM, toArchive, toOrders := newDestination("crm", crm.deliver), newDestination("archive", archive.deliver), ordered("orders", orders.deliver)
		toCRM.Types, toArchive.Types, toOrders.Types = types("old.*", "message.*"), types("old.*"), types("order.*")
		g := start(t, s, toCRM, toArchive, toOrders)

		dead, err := g.q.DeadLetters(t.Context(), "", 10)
		if err != nil || len(dead) != 1 || dead[0].EventID != "dead" || dead[0].LastStatus != 410 || dead[0].Excerpt != "gone for good" {
			t.Errorf("dead letters: %+v, %v", dead, err)
		}
		if a := g.status(t, "archive"); !a.Paused || a.Backlog != 2 {
			t.Errorf("%+v", a)
		}
		if err = g.q.Resume(t.Context(), "archive"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"crm", "archive", "orders"} {
			g.drain(t, name)
		}
		orders.wants(t, "order-1", "order-2")
		archive.wantEachOnce(t, 2)
		crm.wantEachOnce(t, 5)
		wantSubjects(t, archive, map[string]string{"old-1": "conversations/1", "old-2": "conversations/1"})
		wantSubjects(t, orders, map[string]string{"order-1": "people/4", "order-2": "people/4"})
		wantSubjects(t, crm, map[string]string{
			"old-1": "conversations/1", "old-2": "conversations/1", "deferred": "people/3", "untried-1": "people/5", "untried-2": "people/6",
		})
		if got := crm.of("deferred"); got[0].attempt != 2 {
			t.Errorf("%+v", got)
		}

		for _, id := range []string{"old-1", "expired", "delivered", "dead", "deferred", "order-2", "untried-1"} {
			wantAccepted(t, g.keep(t, newEvent(id, "")), false)
		}
		if n, replayErr := g.q.Replay(t.Context(), Selection{Dead: true}); n != 1 || replayErr != nil {
			t.Errorf("%d, %v", n, replayErr)
		}
		eventually(t, "the replay", func() bool { return len(crm.of("dead")) == 1 })
		g.drain(t, "crm")
		g.wantBytes(t)
		g.stop(t)
		report, err := Check(t.Context(), s)
		if err != nil || len(report.Problems) > 0 || report.Events != 9 {
			t.Errorf("%+v, %v", report, err)
		}
		wantNoOldNames(t, s)
	}
	t.Run(SQLite, func(t *testing.T) { test(t, testSettings(t)) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}

func wantSubjects(t *testing.T, a *arrivalsOf, want map[string]string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !maps.Equal(a.subjects, want) {
		t.Errorf("subjects: %v, want %v", a.subjects, want)
	}
}

// wantNoOldNames fails the test if a table, index or constraint has a name of version
// 2 that is no longer in use.
func wantNoOldNames(t *testing.T, s Settings) {
	t.Helper()
	query := `SELECT name FROM sqlite_master`
	var db *sql.DB
	var err error
	if s.Engine == SQLite {
		db, err = openReadOnly(s.File)
	} else {
		query = `SELECT relname FROM pg_class UNION SELECT conname FROM pg_constraint`
		db, err = sql.Open("pgx", s.DSN)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seen := 0
	rows, err := db.QueryContext(t.Context(), query)
	if err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name string
		err = rows.Scan(&name)
		if strings.Contains(name, "webhooks_exceptions") || strings.Contains(name, "webhooks_leftovers") {
			t.Errorf("there is still %s", name)
		}
		if strings.HasPrefix(name, "webhooks_deliveries") || strings.HasPrefix(name, "webhooks_expired_keys") {
			seen++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if seen < 4 {
		t.Errorf("only %d have a new name", seen)
	}
}

// TestBrokenRequest shows that a queue is upgraded although the requests in it are not
// JSON; their events become dead letters.
func TestBrokenRequest(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, s Settings) {
		firstVersion(t, s)
		const broken = `UPDATE webhooks_events SET request = CAST('{"subject":' AS `
		if s.Engine == SQLite {
			execute(t, s.File, broken+`BLOB)`)
		} else if _, err := dial(t, s.DSN).Exec(t.Context(), broken+`BYTEA)`); err != nil {
			t.Fatal(err)
		}
		d := newDestination("a", new(receiver).deliver)
		d.Attempts = 6
		g := start(t, s, d)
		eventually(t, "dead letters", func() bool { return g.status(t, "a").DeadLetters == 2 })
	}
	t.Run(SQLite, func(t *testing.T) { test(t, testSettings(t)) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}
