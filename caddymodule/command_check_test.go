package caddymodule_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// changeFile runs a statement on a queue that no gateway has open.
func changeFile(t testing.TB, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// TestCheckCommand checks the queue of a gateway that runs, has been killed, has
// been stopped, and of one that is not intact.
func TestCheckCommand(t *testing.T) {
	secret := secretIn(t, "SECRET")
	to := startReceiver(t)
	file := filepath.Join(t.TempDir(), "webhooks", "queue.db")
	c := newChild(t, "a", "sqlite "+file, durableSite(deliverTo("app", to, "")))
	config := filepath.Join(c.dir, "Caddyfile")
	want := func(ok bool, texts ...string) {
		t.Helper()
		out, errs, wentWell := run(t, "", "check", "--config", config)
		if wentWell != ok || !strings.HasPrefix(out, "queue: sqlite "+file+"\n") {
			t.Errorf("%v %s%s", wentWell, out, errs)
		}
		for _, text := range texts {
			if !strings.Contains(out+errs, text) {
				t.Errorf("no %q in:\n%s%s", text, out, errs)
			}
		}
	}
	want(false, "no queue yet")
	if _, err := os.Stat(filepath.Dir(file)); err == nil {
		t.Error("the check has made the directory")
	}
	c.startReady()
	want(true, "\n0 events, 0 B\nno problems found\n")
	sent := startTraffic(t, "e", 8, 0, secret, c)
	sent.waitAnswer()
	want(true, " events, ", " kB\nno problems found\n")
	answered := sent.stop()
	c.kill()
	want(true, fmt.Sprintf("\n%d events, ", len(answered)), "\nno problems found\n")
	c.startReady()
	to.waitTaken(t, answered)
	c.kill()

	changeFile(t, file, `UPDATE webhooks_queue SET bytes = bytes + 1`)
	changeFile(t, file, `UPDATE webhooks_destinations SET position = 1000000`)
	want(false, "webhooks_queue.bytes is ", "destinations with a position beyond the last event: 1, first app\n", "the queue is not intact: 2 problems")
	out, _, ok := run(t, "", "check", "--config", config, "--json")
	var answer struct {
		Engine, File  string
		Events, Bytes int64
		Problems      []string
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || ok {
		t.Fatal(ok, err, out)
	}
	if answer.Engine != "sqlite" || answer.File != file || answer.Events != int64(len(answered)) || answer.Bytes == 0 || len(answer.Problems) != 2 {
		t.Errorf("%s", out)
	}
}

// TestCheckCommandConfig shows which queue is checked.
func TestCheckCommandConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("WEBHOOKS_TEST_DIR", dir)
	write("text.db", strings.Repeat("This is a text. ", 100))
	defaultFile := filepath.Join("caddy", "webhooks", "queue.db")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no config", nil, defaultFile + "\n"},
		{"a config without a queue", []string{"--config", write("plain", ":80\n"), "--adapter", "caddyfile"}, defaultFile + "\n"},
		{"a config without a destination", []string{"--config", write("plain", ":80\n"), "--adapter", "caddyfile"}, "no block of the config has a `destination`, so there is no queue"},
		{"a file that is no queue", []string{"--config", write("a.caddyfile", "{\n\twebhooks {\n\t\tqueue sqlite {env.WEBHOOKS_TEST_DIR}/text.db\n\t}\n}\n")}, "file is not a database"},
		{"JSON", []string{"--config", write("a.json", `{"apps":{"webhooks":{"queue":{"file":"/nowhere/queue.db"}}}}`)}, "queue: sqlite /nowhere/queue.db\n"},
		{"an unset variable", []string{"--config", write("b.json", `{"apps":{"webhooks":{"queue":{"file":"{env.WEBHOOKS_TEST_UNSET}"}}}}`)}, "is not set, or empty"},
		{"an unknown field", []string{"--config", write("c.json", `{"apps":{"webhooks":{"queues":{}}}}`)}, "the webhooks app: "},
		{"an argument", []string{"app"}, "give the configuration with --config"},
		{"no such config", []string{"--config", filepath.Join(dir, "none")}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, errs, ok := run(t, "", append([]string{"check"}, c.args...)...); ok || !strings.Contains(out+errs, c.want) {
				t.Errorf("%v %s%s", ok, out, errs)
			}
		})
	}
	if out, _, ok := run(t, "", "check", "--help"); !ok || !strings.Contains(out, "per GB") {
		t.Error(out)
	}
}

// TestCheckCommandPostgres checks a shared queue, and prints nothing of its DSN.
func TestCheckCommandPostgres(t *testing.T) {
	secret := secretIn(t, "SECRET")
	password := secretIn(t, "PASSWORD")
	dsn := pgtest.Start(t).Database(t)
	t.Setenv("DSN", dsn)
	to := startReceiver(t)
	c := newChild(t, "a", "postgres {env.DSN}", durableSite(deliverTo("app", to, "")))
	config := filepath.Join(c.dir, "Caddyfile")
	if out, errs, ok := run(t, "", "check", "--config", config); ok || !strings.Contains(errs, "no queue yet") {
		t.Errorf("%v %s%s", ok, out, errs)
	}
	c.startReady()
	if status, _, err := sendOnce(once, c.url, secret, "1", "key"); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	out, errs, ok := run(t, "", "check", "--config", config)
	if !ok || !strings.HasPrefix(out, "queue: postgres\n1 event, ") || !strings.HasSuffix(out, "B\nno problems found\n") || strings.Contains(out+errs, dsn) {
		t.Errorf("%v %s%s", ok, out, errs)
	}
	out, _, ok = run(t, "", "check", "--config", config, "--json")
	if !ok || !strings.Contains(out, `"engine": "postgres"`) || !strings.Contains(out, `"problems": []`) || strings.Contains(out, `"file"`) {
		t.Errorf("%v %s", ok, out)
	}
	t.Setenv("DSN", "postgres://user:"+password+"@127.0.0.1:1/database")
	if out, errs, ok = run(t, "", "check", "--config", config); ok || strings.Contains(out+errs, password) || !strings.Contains(errs, "failed to connect") {
		t.Errorf("%v %s%s", ok, out, errs)
	}
}
