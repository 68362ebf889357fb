package caddymodule_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestDuplicate shows that an event that was accepted is not forwarded again.
func TestDuplicate(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "dup")
	for range 3 {
		wantStatus(t, 200, "/notifly", body, header, signature)
	}
	app.want(t, 1)
	if got := metric(t, `caddy_webhooks_events_total{outcome="duplicate",provider="notifly",type="message.created"}`); got != "2" {
		t.Errorf("%s duplicates counted", got)
	}

	// The same item in another batch is the same event, and its duplicate still
	// gets the token.
	item := payload(t, "wotnot", "note")
	wantStatus(t, 200, "/wotnot", item, "token", secret)
	other := bytes.Replace(item, []byte(`{"events": [`), []byte(`{"events":[{"event":{"type":"note"}}, `), 1)
	if a := wantStatus(t, 200, "/wotnot", other, "token", secret); a.body != secret {
		t.Error("no token back")
	}
	app.want(t, 3)
	if a := wantStatus(t, 200, "/wotnot", other, "token", secret); a.body != secret {
		t.Error("no token back for a duplicate")
	}
	app.want(t, 3)
}

// TestDedupOff shows that nothing is remembered when that is said.
func TestDedupOff(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		dedup off
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "off")
	wantStatus(t, 200, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
}

// TestSources shows that a source is the scope in which an event is a duplicate.
func TestSources(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /a notifly {
		secret {env.SECRET}
		source /one
	}
	webhooks /b notifly {
		secret {env.SECRET}
		source https://example.com/two
	}
	webhooks /c notifly {
		secret {env.SECRET}
		source /one
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "source")
	for _, path := range []string{"/a", "/b", "/c"} {
		wantStatus(t, 200, path, body, header, signature)
	}
	sent := app.want(t, 2)
	if a, b := sent[0].event(t).Source, sent[1].event(t).Source; a != "/one" || b != "https://example.com/two" {
		t.Errorf("sources %q and %q", a, b)
	}
	if sent[0].Header.Get("Webhook-Id") == sent[1].Header.Get("Webhook-Id") {
		t.Error("the events of two sources have one webhook-id")
	}
}

// TestSettingsFollow shows that a reload changes how much is remembered.
func TestSettingsFollow(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	send := func(id string) {
		t.Helper()
		body, header, signature := notifly(secret, id)
		wantStatus(t, 200, "/", body, header, signature)
	}
	send("a")
	send("b")
	g.site = strings.Replace(g.site, "secret {env.SECRET}", "secret {env.SECRET}\n\t\tdedup 1h 1", 1)
	g.load("smaller")
	send("b")
	app.want(t, 2)
	send("a")
	app.want(t, 3)
}

// TestConcurrentCopies shows that of fifty copies of one event at once, one is
// forwarded, and all are told so.
func TestConcurrentCopies(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-release })
	startNotifly(t, app)
	body, header, signature := notifly(secret, "copies")
	var wg sync.WaitGroup
	var accepted atomic.Int32
	for range 50 {
		wg.Go(func() {
			if a, err := try(request(t, "/", body, header, signature)); err == nil && a.status == 200 {
				accepted.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	close(release)
	wg.Wait()
	if accepted.Load() != 50 {
		t.Errorf("%d of 50 were answered 200", accepted.Load())
	}
	app.want(t, 1)
}

// TestWaiterTakesPlace shows that when the first of several copies fails, one of
// the others takes its place.
func TestWaiterTakesPlace(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			<-release
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	startNotifly(t, app)
	body, header, signature := notifly(secret, "takes-place")
	const copies = 10
	statuses := make(chan int, copies)
	send := func() {
		a, _ := try(request(t, "/", body, header, signature))
		statuses <- a.status
	}
	go send()
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	for range copies - 1 {
		go send()
	}
	close(release)
	count := make(map[int]int)
	for range copies {
		count[receive(t, statuses)]++
	}
	if count[500] != 1 || count[200] != copies-1 {
		t.Errorf("answers by status: %v, want one 500 and the others 200", count)
	}
	app.want(t, 2)
}

// TestTooManyWaiters shows that a duplicate that may not wait gets a 503, and
// never a success.
func TestTooManyWaiters(t *testing.T) {
	secret := secretIn(t, "SECRET")
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-release })
	startNotifly(t, app)
	body, header, signature := notifly(secret, "crowd")
	var wg sync.WaitGroup
	var accepted, busy atomic.Int32
	for range 70 {
		wg.Go(func() {
			a, err := try(request(t, "/", body, header, signature))
			switch {
			case err == nil && a.status == 200:
				accepted.Add(1)
			case err == nil && a.status == 503 && a.header.Get("Retry-After") != "":
				busy.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return busy.Load() == 5 }) // 1 forwarded, 64 wait
	close(release)
	wg.Wait()
	if accepted.Load() != 65 || busy.Load() != 5 {
		t.Errorf("%d answered 200, %d answered 503", accepted.Load(), busy.Load())
	}
	app.want(t, 1)
}
