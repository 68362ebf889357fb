package caddymodule_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// alertHandler is a handler of Caddy's events app that keeps what it gets.
type alertHandler struct{}

var alerts struct {
	sync.Mutex
	got []caddy.Event
}

func init() { caddy.RegisterModule(alertHandler{}) }

func (alertHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_alert", New: func() caddy.Module { return new(alertHandler) }}
}

func (alertHandler) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

func (alertHandler) Handle(_ context.Context, e caddy.Event) error {
	alerts.Lock()
	defer alerts.Unlock()
	alerts.got = append(alerts.got, e)
	return fmt.Errorf("a handler that fails changes nothing")
}

// alertsOf returns what came under a name.
func alertsOf(name string) []caddy.Event {
	alerts.Lock()
	defer alerts.Unlock()
	var found []caddy.Event
	for _, e := range alerts.got {
		if e.Name() == name {
			found = append(found, e)
		}
	}
	return found
}

var _ caddyevents.Handler = alertHandler{}

// TestAlerts shows what handlers of Caddy's events app get.
func TestAlerts(t *testing.T) {
	alerts.got = nil
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { w.WriteHeader(503) })
	g := durable(t, app, "attempts 2")
	g.global += "\nevents {\n\ton webhooks.dead_letter test_alert\n\ton webhooks.destination_down test_alert\n}"
	g.load("with a handler")
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return len(alertsOf("webhooks.dead_letter")) == 1 })
	e := alertsOf("webhooks.dead_letter")[0]
	if got, want := fmt.Sprint(e.Data), "map[attempts:2 destination:app event_id:1 id:"+keyOf("1")+" last_status:503 provider:notifly type:message.created]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	sendNotifly(t, secret, strings.Fields("2 3 4 5 6 7")...)
	waitFor(t, func() bool { return len(alertsOf("webhooks.destination_down")) == 1 })
	if got, want := fmt.Sprint(alertsOf("webhooks.destination_down")[0].Data), "map[destination:app failures:10 last_status:503]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	waitFor(t, func() bool { return gauge(t, "destination_down", "app") == 1 })
	waitFor(t, func() bool { return len(alertsOf("webhooks.dead_letter")) == 7 })
	// One reload later it is still down, and there is no second alert.
	g.load("again")
	sendNotifly(t, secret, "8")
	waitFor(t, func() bool { return len(alertsOf("webhooks.dead_letter")) == 8 })
	if n := len(alertsOf("webhooks.destination_down")); n != 1 {
		t.Errorf("%d alerts that it is down", n)
	}
}
