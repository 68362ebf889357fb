package queue

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		e.Request.Bytes = []byte(`{"subject":"conversations/1"}`)
		expires := e.Received.Add(e.Window).UnixMicro()
		for query, args := range map[string][]any{
			`INSERT INTO webhooks_events (seq, key, source, provider, type, partition_key, event_id, received, expires, size, original, request, body)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`: {i + 1, e.Key[:], e.Source, e.Provider, e.Type, e.PartitionKey, e.ID,
				e.Received.UnixMicro(), expires, e.size(), e.Original, e.Request.Bytes, e.Body},
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
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		g.drain(t, "a")
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
