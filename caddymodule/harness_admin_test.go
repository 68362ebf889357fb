package caddymodule_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// admin makes a request to the admin endpoint.
func admin(t testing.TB, method, uri, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+adminAddress+uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, r)
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s %s: content type %s", method, uri, got)
	}
	noteText("admin API in "+t.Name(), a.body)
	return a.status, a.body
}

func adminGet(t testing.TB, uri string) (status int, answer string) {
	t.Helper()
	return admin(t, http.MethodGet, uri, "")
}

// wantAdmin makes a request to the admin endpoint and checks the answer; want is
// all of it, or with … at its end the beginning.
func wantAdmin(t testing.TB, method, uri, body string, status int, want string) string {
	t.Helper()
	got, answer := admin(t, method, uri, body)
	text := strings.TrimSpace(answer)
	if begin, cut := strings.CutSuffix(want, "…"); cut && strings.HasPrefix(text, begin) {
		text = want
	}
	if got != status || text != want {
		t.Errorf("%s %s %s: %d %s, want %d %s", method, uri, body, got, text, status, want)
	}
	return answer
}

// metric returns the value of a sample on the admin endpoint, "" if it is not
// there.
func metric(t testing.TB, sample string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+adminAddress+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(do(t, r).body) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func gauge(t testing.TB, name, destination string) int {
	t.Helper()
	value, err := strconv.ParseFloat(metric(t, fmt.Sprintf("caddy_webhooks_%s{destination=%q}", name, destination)), 64)
	if err != nil {
		return -1
	}
	return int(value)
}

// backlog is what a destination has not delivered, -1 if there is none of that
// name.
func backlog(t testing.TB, destination string) int { return gauge(t, "backlog", destination) }

// deliveries is how many attempts of the configuration led to an outcome.
func deliveries(t testing.TB, destination, outcome string) int {
	t.Helper()
	n, _ := strconv.Atoi(metric(t, fmt.Sprintf("caddy_webhooks_deliveries_total{destination=%q,outcome=%q}", destination, outcome)))
	return n
}

// waitBacklog waits until so much is not delivered, which is to last.
func waitBacklog(t testing.TB, destination string, n int) {
	t.Helper()
	waitFor(t, func() bool {
		if backlog(t, destination) == n {
			return true
		}
		time.Sleep(20 * time.Millisecond) // asking costs what it waits for
		return false
	})
}

// waitDelivered waits until a destination has nothing left to do.
func waitDelivered(t testing.TB, destination string) {
	t.Helper()
	waitBacklog(t, destination, 0)
}
