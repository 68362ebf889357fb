package caddymodule_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDurableReload reloads under load with deliveries in flight: every event
// that was answered with 200 is delivered, none twice, and once nothing is
// configured any more, no goroutine, file or connection stays.
func TestDurableReload(t *testing.T) {
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

// TestChangedDestination shows that the backlog follows changed settings.
func TestChangedDestination(t *testing.T) {
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
		return len(g.logLines("destination left the configuration", `"destination":"crm"`, `"backlog":2`))
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

// TestDurableFailedLoad shows that a configuration that fails to load leaves the
// deliveries of the running one alone.
func TestDurableFailedLoad(t *testing.T) {
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
