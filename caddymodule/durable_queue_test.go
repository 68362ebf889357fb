package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestQueueFull shows that a queue without room answers 503, keeps nothing of
// what it refuses, and takes events again once there is room.
func TestQueueFull(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var up atomic.Bool
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if !up.Load() {
			w.WriteHeader(500)
		}
	})
	g := start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		destination app {
			backoff 10ms 100ms
			attempts 10000
			to {
				%s
			}
		}
	}
	`, app.proxy()), ownQueue(t, "retention 1h 1MiB"))
	n := 0
	send := func(size, events int) int {
		t.Helper()
		var items []string
		for range events {
			n++
			items = append(items, fmt.Sprintf("%d:%s", n, strings.Repeat("x", size)))
		}
		a := post(t, "/", batch(items...), "token", secret)
		if a.status == 503 && (a.header.Get("Retry-After") != "10" || a.body != "") {
			t.Fatalf("503 with %v %q", a.header, a.body)
		}
		return a.status
	}
	accepted, status := 0, 0
	for status = send(20_000, 1); status == 200; status = send(20_000, 1) {
		accepted++
	}
	if status != 503 || accepted < 10 || accepted > 30 {
		t.Fatalf("%d after %d events", status, accepted)
	}
	if status := send(2_000, 50); status != 503 {
		t.Errorf("a batch that fits only in part: %d", status)
	}
	// What room there is left gets filled.
	size := 20_000
	for ; size > 0 && send(size, 1) != 200; size -= 50 {
	}
	if size > 0 {
		accepted++
	}
	if status, _ := adminGet(t, "/webhooks/ready"); status != 503 {
		t.Errorf("ready: %d", status)
	}
	if ready := metric(t, "caddy_webhooks_queue_ready"); ready != "0" {
		t.Errorf("a full queue is ready: %s", ready)
	}
	if limit := metric(t, "caddy_webhooks_queue_limit_bytes"); limit != "1.048576e+06" {
		t.Errorf("the limit is %s", limit)
	}
	if used, err := strconv.ParseFloat(metric(t, "caddy_webhooks_queue_bytes"), 64); err != nil || used < 0.9*(1<<20) || used > 1<<20 {
		t.Errorf("%v bytes are used, %v", used, err)
	}
	for _, sample := range []string{
		`caddy_webhooks_requests_total{outcome="queue_unavailable",provider="wotnot"}`,
		`caddy_webhooks_events_total{outcome="queue_unavailable",provider="wotnot",type="message.created"}`,
	} {
		if metric(t, sample) == "" {
			t.Errorf("no %s", sample)
		}
	}
	if len(g.logLines(`"reason":"queue_unavailable"`, "the queue is full", `"status":503`)) == 0 {
		t.Error("no line in the log")
	}
	waitBacklog(t, "app", accepted)

	up.Store(true)
	waitDelivered(t, "app")
	// What was delivered makes room.
	waitFor(t, func() bool {
		status, _ := adminGet(t, "/webhooks/ready")
		return status == 200 && send(20_000, 1) == 200
	})
	waitFor(t, func() bool { return metric(t, "caddy_webhooks_queue_ready") == "1" })
	waitDelivered(t, "app")
	delivered := make(map[string]bool)
	for _, r := range app.requests() {
		delivered[r.Header.Get("Webhook-Id")] = true
	}
	if len(delivered) != accepted+1 || deliveries(t, "app", "delivered") != accepted+1 || gauge(t, "dead_letters", "app") != 0 {
		t.Errorf("%d events arrived, want %d", len(delivered), accepted+1)
	}
}

// TestQueueChanged shows that a reload does not change the queue, and says so.
func TestQueueChanged(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := durable(t, app, "")
	sendNotifly(t, secret, "1")
	kept := g.global
	elsewhere := filepath.Join(t.TempDir(), "elsewhere", "queue.db")
	for _, c := range []struct{ queue, want string }{
		{"queue sqlite " + elsewhere, " to sqlite " + elsewhere},
		{"queue postgres postgres://user:secret-of-the-dsn@127.0.0.1:1/database", " to postgres; restart Caddy"},
	} {
		g.global = "webhooks {\n\t" + c.queue + "\n}"
		status, text := loadConfig(t, g.config("another queue"))
		if status == 200 || !strings.Contains(text, c.want) || !strings.Contains(text, "a reload cannot change `queue` from sqlite ") || strings.Contains(text, "secret-of-the-dsn") {
			t.Errorf("%d %s", status, text)
		}
	}
	if _, err := os.Stat(filepath.Dir(elsewhere)); !os.IsNotExist(err) {
		t.Error("the other queue was made", err)
	}
	sendNotifly(t, secret, "1", "2")
	waitDelivered(t, "app")
	app.want(t, 2)
	// How much is kept may change.
	g.global = strings.Replace(kept, "queue sqlite", "retention 1h 1MiB\n\t\tqueue sqlite", 1)
	g.load("another retention")
	sendNotifly(t, secret, "2", "3")
	waitDelivered(t, "app")
	app.want(t, 3)
	// And after a stop, it may be elsewhere.
	loadNothing(t)
	g.global = "webhooks {\n\tqueue sqlite " + elsewhere + "\n}"
	g.load("elsewhere")
	sendNotifly(t, secret, "3")
	waitDelivered(t, "app")
	app.want(t, 4)
}

// TestServersChanged shows that a reload changes neither servers nor logs, says which of
// them it is, and shows no DSN.
func TestServersChanged(t *testing.T) {
	secretIn(t, "SECRET")
	password := secretIn(t, "PASSWORD")
	dsn := func(database string) string { return "postgres://user:{env.PASSWORD}@127.0.0.1:1/" + database }
	g := durable(t, startApplication(t), "")
	loadNothing(t)
	set := func(queue string) (int, string) {
		t.Helper()
		g.global = "webhooks {\n\tqueue " + queue + "\n}"
		return loadConfig(t, g.config(queue))
	}
	if status, text := set("postgres " + dsn("a")); status != 200 {
		t.Fatal(status, text)
	}
	for _, c := range []struct{ queue, want string }{
		{"postgres " + dsn("b"), "cannot change a DSN of `queue postgres`; restart Caddy"},
		{"postgres " + dsn("a") + " " + dsn("b"), "cannot change `queue` from postgres to postgres (2 servers, 2 logs); restart Caddy"},
		{"postgres " + dsn("a") + " {\nlogs 4\ndedup strict\n}", "cannot change `queue` from postgres to postgres (4 logs, dedup strict); restart Caddy"},
	} {
		if status, text := set(c.queue); status == 200 || !strings.Contains(text, c.want) || strings.Contains(text, password) {
			t.Errorf("%d %s, want %s", status, text, c.want)
		}
	}
	if status, text := set("postgres " + dsn("a") + " {\nlogs 1\n}"); status != 200 {
		t.Error("the default in words is another queue:", status, text)
	}
}

// TestQueueBehindLink shows that a reload finds the same queue where the path
// leads through a symbolic link, also when the first start made it.
func TestQueueBehindLink(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	g := durable(t, app, "")
	loadNothing(t)
	for _, path := range []string{"link/a/b/queue.db", "real/a/b/queue.db", "link/a/../a/b/queue.db"} {
		g.global = "webhooks {\n\tqueue sqlite " + filepath.Join(dir, path) + "\n}"
		g.load(path)
		sendNotifly(t, secret, path, "1")
	}
	waitDelivered(t, "app")
	app.want(t, 4)
}

// TestBadQueue shows that a queue that cannot be opened keeps a configuration
// from loading, with a text that says why, and stays as it is.
func TestBadQueue(t *testing.T) {
	secretIn(t, "SECRET")
	dir := t.TempDir()
	for name, content := range map[string]string{"text.db": strings.Repeat("this is no database\n", 1000), "plain/queue.db": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := startNotifly(t, startApplication(t))
	queued := strings.Replace(g.site, "secret {env.SECRET}", "secret {env.SECRET}\n\t\tdestination app {\n\t\t\tto {\n\t\t\t\trespond 204\n\t\t\t}\n\t\t}", 1)
	t.Cleanup(func() { loadNothing(t) })
	for _, c := range []struct{ file, want string }{
		{"text.db", "file is not a database"},
		{"text.db/queue.db", "not a directory"},
		{"plain", "is a directory"},
	} {
		path := filepath.Join(dir, c.file)
		bad := &gateway{t: t, logFile: g.logFile, level: g.level, filter: g.filter, site: queued, global: "webhooks {\n\tqueue sqlite " + path + "\n}"}
		status, text := loadConfig(t, bad.config("bad"))
		if status == 200 || !strings.Contains(text, c.want) || !strings.Contains(text, dir) {
			t.Errorf("%s: %d %s", c.file, status, text)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "text.db")); err != nil || len(text) != 20_000 {
		t.Errorf("%d bytes are left, %v", len(text), err)
	}
	// The running one goes on, and a good one loads.
	g.site, g.global = queued, "webhooks {\n\tqueue sqlite "+filepath.Join(dir, "plain", "queue.db")+"\n}"
	g.load("good")
	wantAdmin(t, "GET", "/webhooks/ready", "", 200, `{"ready":true}`)
}

// TestValidateTouchesNothing shows that `caddy validate` and `caddy adapt` open
// no queue.
func TestValidateTouchesNothing(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, global := range map[string]string{"the default": "", "a file": "{\n\twebhooks {\n\t\tqueue sqlite {env.QUEUE_DIR}/queue.db\n\t}\n}\n"} {
		t.Run(name, func(t *testing.T) {
			secretIn(t, "SECRET")
			dir := t.TempDir()
			config := filepath.Join(t.TempDir(), "Caddyfile")
			site := global + gatewayURL + " {\n\twebhooks notifly {\n\t\tsecret {env.SECRET}\n\t\tdestination app {\n\t\t\tto {\n\t\t\t\trespond 204\n\t\t\t}\n\t\t}\n\t}\n}\n"
			if err := os.WriteFile(config, []byte(site), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"validate", "adapt"} {
				cmd := exec.Command(path, command, "--config", config)
				cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "HOME="+dir, "QUEUE_DIR="+filepath.Join(dir, "queue"))
				out, err := cmd.CombinedOutput()
				noteText("output of "+command, string(out))
				if err != nil {
					t.Fatalf("%s: %v %s", command, err, out)
				}
				if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
					t.Errorf("%s made %v, %v", command, entries, err)
				}
			}
		})
	}
}
