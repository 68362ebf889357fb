package caddymodule_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneDestinationFails shows that a destination that always fails, and one
// that never answers, hold up neither the provider nor the one that works.
func TestOneDestinationFails(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	release := make(chan struct{})
	hanging := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-release })
	g := destinations(t, fmt.Sprintf(`
		destination fails {
			backoff 10ms 100ms
			to {
				respond 500
			}
		}
		destination hangs {
			timeout 1m
			concurrency 4
			to {
				%s
			}
		}
		destination works {
			to {
				%s
			}
		}
	`, hanging.proxy(), app.proxy()))
	const events = 500
	begun := time.Now()
	sendWotnot(t, secret, 0, events, 7)
	waitDelivered(t, "works")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s for %d events", took, events)
	}
	app.want(t, events)
	for _, name := range []string{"fails", "hangs"} {
		waitBacklog(t, name, events)
	}
	waitFor(t, func() bool { return len(hanging.requests()) == 4 })
	waitFor(t, func() bool { return len(g.logLines("a destination is down", `"destination":"fails"`)) == 1 })
	_, answer := adminGet(t, "/webhooks/destinations")
	if !strings.Contains(answer, `{"destination":"fails","configured":true,"here":true,"paused":false,"down":true,`) ||
		!strings.Contains(answer, `{"destination":"works","configured":true,"here":true,"paused":false,"down":false,"backlog":0,"dead_letters":0,"gateway":"`) {
		t.Error(answer)
	}
	// What goes wrong a thousand times does not flood the log.
	if n := len(g.logLines("delivery failed")); n > 200 {
		t.Errorf("%d lines", n)
	}
	close(release)
	waitDelivered(t, "hangs")
}

// TestOutage shows that an outage of the destination spends no event's attempts.
func TestOutage(t *testing.T) {
	secret := secretIn(t, "SECRET")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	g := destinations(t, fmt.Sprintf(`
		destination app {
			attempts 5
			backoff 10ms 100ms
			to {
				reverse_proxy %s
			}
		}
	`, address))
	const events = 1000
	sendWotnot(t, secret, 0, events, 7)
	waitFor(t, func() bool { return len(g.logLines("a destination is down")) == 1 })
	waitFor(t, func() bool { return deliveries(t, "app", "retry") >= 30 }) // some of them probes
	waitBacklog(t, "app", events)

	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	app := new(application)
	app.Server = httptest.NewUnstartedServer(app)
	app.Listener.Close()
	app.Listener = listener
	app.Start()
	defer app.Close()
	waitDelivered(t, "app")
	ids := make(map[string]bool)
	for _, r := range app.requests() {
		ids[r.Header.Get("Webhook-Id")] = true
	}
	if len(ids) != events || len(app.requests()) != events {
		t.Errorf("%d events arrived in %d requests", len(ids), len(app.requests()))
	}
	if n := gauge(t, "dead_letters", "app"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	waitFor(t, func() bool { return gauge(t, "destination_down", "app") == 0 })
	if n := len(g.logLines("a destination answers again", `"destination":"app"`)); n != 1 {
		t.Errorf("%d lines say that it answers again", n)
	}
}

// TestPace shows that `concurrency` and `rate` hold.
func TestPace(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var under, most atomic.Int64
	release := make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.URL.Path != "/three" {
			return
		}
		now := under.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		<-release
		under.Add(-1)
	})
	destinations(t, fmt.Sprintf(`
		destination three {
			concurrency 3
			to {
				rewrite * /three
				%[1]s
			}
		}
		destination slowly {
			rate 20/s
			to {
				rewrite * /slowly
				%[1]s
			}
		}
	`, app.proxy()))
	const events = 25
	begun := time.Now()
	sendWotnot(t, secret, 0, events, 7)
	waitFor(t, func() bool { return under.Load() == 3 })
	waitDelivered(t, "slowly")
	took := time.Since(begun)
	waitBacklog(t, "three", events)
	if under.Load() != 3 {
		t.Errorf("%d at a time", under.Load())
	}
	close(release)
	waitDelivered(t, "three")
	if most.Load() != 3 {
		t.Errorf("%d at a time", most.Load())
	}
	if took < 1100*time.Millisecond || took > 5*time.Second {
		t.Errorf("%s for %d events at 20/s", took, events)
	}
}
