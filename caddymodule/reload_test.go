package caddymodule_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// reloads is how often TestReload loads a configuration.
var reloads = flag.Int("reloads", 20, "how often TestReload loads a configuration")

// TestReload reloads under load: no request fails because of it, no goroutine
// stays, and what was accepted before is a duplicate after.
func TestReload(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	before, header, signature := notifly(secret, "before")
	wantStatus(t, 200, "/", before, header, signature)
	client.CloseIdleConnections()
	goroutines := settledGoroutines()

	l := startLoad(t, secret)
	for n := range *reloads {
		g.load(fmt.Sprint(n))
	}
	l.end()
	wantStatus(t, 200, "/", before, header, signature)

	arrived := make(map[string]int)
	for _, r := range app.requests() {
		arrived[r.event(t).ID]++
	}
	if int64(len(arrived)) != l.sent.Load()+1 {
		t.Errorf("%d events were sent, %d arrived", l.sent.Load()+1, len(arrived))
	}
	if arrived["before"] != 1 {
		t.Error("an event from before the reloads was forwarded again")
	}
	// One whose connection broke may have been on its way already.
	if repeated := int64(len(app.requests()) - len(arrived)); repeated > l.reset.Load() {
		t.Errorf("%d events were forwarded twice, with %d broken connections", repeated, l.reset.Load())
	}
	t.Logf("%d events, %d reloads, %d connections reset, %d events forwarded twice",
		l.sent.Load(), *reloads, l.reset.Load(), len(app.requests())-len(arrived))
	client.CloseIdleConnections()
	app.CloseClientConnections()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
}

// TestFailedLoad shows that a configuration that fails to load does not change
// what the running one remembers.
func TestFailedLoad(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	for n := range 3 {
		body, header, signature := notifly(secret, fmt.Sprint(n))
		wantStatus(t, 200, "/", body, header, signature)
	}
	// Its second site is on the application's port, so that it cannot start.
	bad := strings.Replace(g.config("bad"), "secret {env.SECRET}", "secret {env.SECRET}\n\t\tdedup 1h 1", 1) +
		fmt.Sprintf("\nhttp://%s {\n\trespond no\n}\n", strings.TrimPrefix(app.URL, "http://"))
	for range 5 {
		if status, _ := loadConfig(t, bad); status == 200 {
			t.Fatal("a configuration loaded that must not")
		}
	}
	for n := range 3 {
		body, header, signature := notifly(secret, fmt.Sprint(n))
		wantStatus(t, 200, "/", body, header, signature)
	}
	app.want(t, 3)
}
