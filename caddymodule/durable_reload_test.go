package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// openFiles counts the files and connections that the process has open.
func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return len(files)
}

// TestDeliverReload reloads under load with deliveries in flight: every event
// that was answered with 200 is delivered, none twice, and once nothing is
// configured any more, no goroutine, file or connection stays.
func TestDeliverReload(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n%3 == 0 {
			<-time.After(30 * time.Millisecond) // so that reloads come in between
		}
		if n%7 == 0 {
			w.WriteHeader(500)
		}
	})
	g := startAt(t, "INFO", fmt.Sprintf(`
	log_skip
	webhooks notifly {
		secret {env.SECRET}
		destination app {
			backoff 1ms 20ms
			timeout 20s
			to {
				%[1]s
			}
		}
		destination other {
			to {
				respond 204
			}
		}
	}
	`, app.proxy()), ownQueue(t))
	sendNotifly(t, secret, "before") // whatever is opened once is open
	waitDelivered(t, "app")
	loadNothing(t)
	client.CloseIdleConnections()
	app.CloseClientConnections()
	goroutines, files := settledGoroutines(), openFiles(t)
	g.load("again")

	l := startLoad(t, secret)
	l.wg.Go(func() { // somebody looks on all the while
		for !l.stop.Load() {
			for _, path := range []string{"metrics", "webhooks/destinations", "webhooks/dead", "webhooks/ready"} {
				if response, err := l.client.Get("http://" + adminAddress + "/" + path); err == nil {
					if response.Body.Close(); response.StatusCode != 200 {
						t.Errorf("during a reload: %s: %s", path, response.Status)
					}
				}
			}
		}
	})
	plain := g.site
	for n := range *reloads {
		g.site = []string{
			plain,
			strings.Replace(plain, "timeout 20s", "timeout 20s\n\t\t\tordered\n\t\t\tconcurrency 8", 1),
			strings.Replace(plain, "destination other", "destination another", 1),
		}[n%3]
		g.load(fmt.Sprint(n))
	}
	l.end()
	g.site = plain
	g.load("last")
	waitDelivered(t, "app")

	delivered, acknowledged := make(map[string]int), 0
	for i, r := range app.requests() {
		if (i+1)%7 != 0 {
			delivered[r.event(t).ID]++
			acknowledged++
		}
	}
	if int64(len(delivered)) != l.sent.Load()+1 {
		t.Errorf("%d events were sent, %d arrived", l.sent.Load()+1, len(delivered))
	}
	if acknowledged != len(delivered) {
		t.Errorf("%d events were delivered again", acknowledged-len(delivered))
	}
	if n := gauge(t, "dead_letters", "app"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	for _, line := range append(g.logLines(`"level":"error"`), g.logLines(`"level":"panic"`)...) {
		if !strings.Contains(line, "a destination is down") {
			t.Errorf("the log says %s", line)
		}
	}
	t.Logf("%d events, %d reloads, %d connections reset", l.sent.Load(), *reloads, l.reset.Load())

	loadNothing(t)
	client.CloseIdleConnections()
	app.CloseClientConnections()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, func() bool { return openFiles(t) <= files })
}

// TestHandedBack shows that a reload does not wait for ever for an attempt that
// hangs, and that its event is tried again.
func TestHandedBack(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			<-r.Context().Done()
		}
	})
	// The grace period of Caddy is the shorter one.
	g := durable(t, app, "attempts 2")
	g.global = strings.Replace(g.global, "webhooks {", "grace_period 300ms\n\twebhooks {", 1)
	g.load("with a short grace period")
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	begun := time.Now()
	g.load("reloaded")
	if took := time.Since(begun); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("the reload took %s", took)
	}
	waitFor(t, func() bool { return deliveries(t, "app", "delivered") == 1 })
	requests := app.want(t, 2)
	if got := requests[1].Header.Get("Webhook-Attempt"); got != "2" {
		t.Errorf("attempt %s", got)
	}
	if n := gauge(t, "dead_letters", "app"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// TestChangedDeliver shows that the backlog follows changed settings.
func TestChangedDeliver(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app, second := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { w.WriteHeader(500) }), startApplication(t)
	g := durable(t, app, "attempts 100")
	sendNotifly(t, secret, "1", "2", "3")
	waitFor(t, func() bool { return len(app.requests()) >= 6 })
	g.change(app.proxy(), second.proxy())
	waitDelivered(t, "app")
	waitFor(t, func() bool { return len(second.requests()) == 3 })
	second.want(t, 3)

	// Fewer attempts than were made already.
	g.change(second.proxy(), app.proxy())
	sendNotifly(t, secret, "4")
	waitFor(t, func() bool { return deliveries(t, "app", "retry") >= 3 })
	g.change("attempts 100", "attempts 2")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 1 })

	// Another form.
	g.change("attempts 2", "attempts 100")
	sendNotifly(t, secret, "5")
	waitFor(t, func() bool { return deliveries(t, "app", "retry") >= 1 })
	g.change("attempts 100", "format original\n\t\t\tsign {env.WEBHOOKS_TEST_SIGN}")
	g.change(app.proxy(), second.proxy())
	waitDelivered(t, "app")
	sent := second.want(t, 4)[3]
	verifySigned(t, sent, signingKey)
	if body, _, _ := notifly(secret, "5"); string(sent.Body) != string(body) {
		t.Errorf("got %s", sent.Body)
	}
}

// TestRemovedName shows that a name that leaves the configuration keeps its
// backlog until it returns, and gets nothing of what comes meanwhile.
func TestRemovedName(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := twoDestinations(t, app)
	wantAdmin(t, "POST", "/webhooks/pause/crm", "", 200, `{}`)
	sendNotifly(t, secret, "1", "2")
	g.change("destination crm", "destination customers")
	left := func() int {
		return len(g.logLines("this name is not in the configuration any more", `"destination":"crm"`, `"backlog":2`))
	}
	waitFor(t, func() bool { return left() > 0 })
	sendNotifly(t, secret, "3")
	waitDelivered(t, "customers")
	waitDelivered(t, "archive")
	if n := left(); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	waitBacklog(t, "crm", 2)
	if _, answer := adminGet(t, "/webhooks/destinations"); !strings.Contains(answer, `{"destination":"crm","configured":false,"here":false,"paused":true,"down":false,"backlog":2,`) {
		t.Error(answer)
	}
	g.restart()
	waitBacklog(t, "crm", 2)
	sendNotifly(t, secret, "4")
	waitDelivered(t, "customers")

	before := len(app.toPath("/crm"))
	g.change("destination customers", "destination crm")
	sendNotifly(t, secret, "5")
	wantAdmin(t, "POST", "/webhooks/resume/crm", "", 200, `{}`)
	waitDelivered(t, "crm")
	var ids []string
	for _, r := range app.toPath("/crm")[before:] {
		ids = append(ids, r.event(t).ID)
	}
	if len(ids) != 3 || strings.Contains(fmt.Sprint(ids), "3") || strings.Contains(fmt.Sprint(ids), "4") {
		t.Errorf("crm got %v", ids)
	}
	// A replay fills in.
	wantAdmin(t, "POST", "/webhooks/replay", `{"ids":["`+keyOf("3")+`"],"destination":"crm"}`, 200, `{"replayed":1}`)
	waitFor(t, func() bool { return len(app.toPath("/crm")) == before+4 })
}

// TestNewName shows that a new name starts with the next event, and that a
// replay fills in what came before.
func TestNewName(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := durable(t, app, "")
	sendNotifly(t, secret, "1", "2")
	waitDelivered(t, "app")
	g.change("destination app", "destination fresh")
	sendNotifly(t, secret, "3")
	waitDelivered(t, "fresh")
	app.want(t, 3)
	wantAdmin(t, "POST", "/webhooks/replay", `{"since":"2000-01-01T00:00:00Z","destination":"fresh"}`, 200, `{"replayed":3}`)
	waitFor(t, func() bool { return len(app.requests()) == 6 })
	waitDelivered(t, "fresh")
	app.want(t, 6)
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
		{"queue sqlite " + elsewhere, "`queue` is sqlite " + elsewhere + ", and was sqlite "},
		{"queue postgres postgres://user:secret-of-the-dsn@127.0.0.1:1/database", "`queue` is postgres, and was sqlite "},
	} {
		g.global = "webhooks {\n\t" + c.queue + "\n}"
		status, text := loadConfig(t, g.config("another queue"))
		if status == 200 || !strings.Contains(text, c.want) || !strings.Contains(text, "it cannot be changed by a reload; restart Caddy") || strings.Contains(text, "secret-of-the-dsn") {
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

// TestDeliverFailedLoad shows that a configuration that fails to load leaves the
// deliveries of the running one alone.
func TestDeliverFailedLoad(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var up atomic.Bool
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if !up.Load() {
			w.WriteHeader(500)
		}
	})
	g := durable(t, app, "attempts 1000")
	sendNotifly(t, secret, "1", "2", "3")
	stranger := startApplication(t)
	running := g.config("")
	for name, bad := range map[string]string{
		// Its second site is on the application's port, so that it cannot start.
		"a taken port":         strings.Replace(running, app.proxy(), stranger.proxy(), 1) + fmt.Sprintf("\nhttp://%s {\n\trespond no\n}\n", strings.TrimPrefix(app.URL, "http://")),
		"a bad upstream":       strings.Replace(running, app.proxy(), app.proxy()+" {\n\t\t\t\t\tdynamic srv {\n\t\t\t\t\t\tnothing\n\t\t\t\t\t}\n\t\t\t\t}", 1),
		"an unset variable":    strings.Replace(running, "attempts 1000", "sign {env.WEBHOOKS_TEST_UNSET}", 1),
		"a bad key":            strings.Replace(running, "attempts 1000", "sign whsec_short", 1),
		"a module that is not": strings.Replace(running, app.proxy(), "nothing_like_that", 1),
	} {
		for range 3 {
			status, text := loadConfig(t, strings.Replace(bad, `vars comment ""`, `vars comment "bad"`, 1))
			if status == 200 {
				t.Fatalf("%s: it loaded", name)
			}
			before := len(app.requests())
			waitFor(t, func() bool { return len(app.requests()) > before })
			if strings.Contains(text, "restart Caddy") {
				t.Errorf("%s: %s", name, text)
			}
		}
		body, header, signature := notifly(secret, name)
		wantStatus(t, 200, "/", body, header, signature)
	}
	stranger.want(t, 0)
	up.Store(true)
	waitDelivered(t, "app")
	// The counters that Caddy shows now are those of the last one that failed.
	ids := make(map[string]bool)
	for _, r := range app.requests() {
		ids[r.event(t).ID] = true
	}
	if n := gauge(t, "dead_letters", "app"); len(ids) != 8 || n != 0 {
		t.Errorf("%d were delivered, %d are dead", len(ids), n)
	}
	wantAdmin(t, "GET", "/webhooks/ready", "", 200, `{"ready":true}`)
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
		bad := &gateway{t: t, logFile: g.logFile, level: g.level, site: queued, global: "webhooks {\n\tqueue sqlite " + path + "\n}"}
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
