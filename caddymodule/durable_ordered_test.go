package caddymodule_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestOrdered shows that the events of a partition key arrive one at a time and
// in order, through failures, a reload and a restart.
func TestOrdered(t *testing.T) {
	secret := secretIn(t, "SECRET")
	const events, keys = 1000, 50
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	under := make(map[string]int)        // way, by key
	arrived := make(map[string][]string) // by key, what was acknowledged
	acknowledged, failed := 0, 0
	var app *application
	app = startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		app.mu.Lock()
		sent := app.got[n-1]
		app.mu.Unlock()
		e := sent.event(t)
		key, text := e.PartitionKey, messageText(e)
		mu.Lock()
		if under[key]++; under[key] > 1 {
			t.Errorf("%d of one key at a time", under[key])
		}
		fails := random.IntN(5) == 0
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		defer mu.Unlock()
		under[key]--
		if fails {
			failed++
			w.WriteHeader(500)
			return
		}
		arrived[key] = append(arrived[key], text)
		acknowledged++
	})
	g := destinations(t, fmt.Sprintf(`
		destination app {
			ordered
			backoff 1ms 20ms
			to {
				reverse_proxy %s
			}
		}
	`, strings.TrimPrefix(app.URL, "http://")))
	soFar := func() int {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged
	}
	sendWotnot(t, secret, 0, 500, keys)
	waitFor(t, func() bool { return soFar() >= 100 })
	g.load("reloaded")
	sendWotnot(t, secret, 500, 900, keys)
	waitFor(t, func() bool { return soFar() >= 500 })
	loadNothing(t)
	t.Logf("%d of 900 before the restart", soFar())
	g.load("again")
	sendWotnot(t, secret, 900, events, keys)
	waitDelivered(t, "app")

	mu.Lock()
	defer mu.Unlock()
	repeated := 0
	for n := range keys {
		key := fmt.Sprint(n)
		var want, got []string
		for i := n; i < events; i += keys {
			want = append(want, fmt.Sprint(i))
		}
		for i, text := range arrived[key] {
			if i > 0 && arrived[key][i-1] == text {
				repeated++
				continue
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("key %s: got %s, want %s", key, got, want)
		}
	}
	if n := gauge(t, "dead_letters", "app"); n != 0 || failed == 0 {
		t.Errorf("%d dead letters after %d failures", n, failed)
	}
	t.Logf("%d acknowledged, %d failures, %d repeated", acknowledged, failed, repeated)
}

// TestOrderedDead shows that a dead letter frees its key, and that a key that
// fails holds up no other.
func TestOrderedDead(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var held atomic.Bool
	held.Store(true)
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.Header.Get("X-Subject") == "conversations/1" && held.Load() {
			w.WriteHeader(500)
		}
	})
	destinations(t, fmt.Sprintf(`
		destination app {
			ordered
			attempts 3
			backoff 10ms 10ms
			to {
				reverse_proxy %s {
					header_up X-Subject {http.webhooks.subject}
				}
			}
		}
	`, strings.TrimPrefix(app.URL, "http://")))
	wantStatus(t, 200, "/", batch("1:a", "2:b", "1:c", "2:d", "3:e"), "token", secret)
	waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 2 })
	waitDelivered(t, "app")
	held.Store(false)
	wantStatus(t, 200, "/", batch("1:f"), "token", secret)
	waitDelivered(t, "app")
	tried := make(map[string]string)
	for _, r := range app.requests() {
		tried[r.Header.Get("X-Subject")] += texts(t, []got{r})
	}
	for subject, want := range map[string]string{"1": "aaacccf", "2": "bd", "3": "e"} {
		if got := tried["conversations/"+subject]; got != want {
			t.Errorf("%s: %s, want %s", subject, got, want)
		}
	}
	// A replay does not wait, and holds up nobody.
	wantAdmin(t, "POST", "/webhooks/replay", `{"dead":true}`, 200, `{"replayed":2}`)
	waitFor(t, func() bool { return deliveries(t, "app", "delivered") == 6 })
}
