package caddymodule_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestTimeout shows that an attempt ends with its `timeout`, and what is said
// then.
func TestTimeout(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if strings.HasPrefix(r.URL.Path, "/body") {
			w.WriteHeader(200)
			_, _ = w.Write([]byte("begun"))
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	for _, path := range []string{"/headers", "/body"} {
		t.Run(path, func(t *testing.T) {
			g := durable(t, app, "timeout 100ms\nattempts 2")
			body, header, signature := notifly(secret, "1")
			wantStatus(t, 200, path, body, header, signature)
			waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 1 })
			if n := len(g.logLines("delivery failed", `"cause":"no answer within 100ms"`)); n != 2 {
				t.Errorf("the log says %s", g.logLines("delivery failed"))
			}
			_, answer := adminGet(t, "/webhooks/dead")
			if !strings.Contains(answer, `"last_error":"no answer within 100ms"`) {
				t.Error(answer)
			}
		})
	}
}

// TestDeadAtOnce shows the answers after which an event is not tried again.
func TestDeadAtOnce(t *testing.T) {
	secret := secretIn(t, "SECRET")
	elsewhere := startApplication(t)
	for _, status := range []int{301, 304, 308, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(status)
			})
			durable(t, app, "")
			sendNotifly(t, secret, "1")
			waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 1 })
			app.want(t, 1)
			elsewhere.want(t, 0)
			if deliveries(t, "app", "dead_letter") != 1 || deliveries(t, "app", "retry") != 0 {
				t.Error("it was not dead at once")
			}
			if _, answer := adminGet(t, "/webhooks/dead"); !strings.Contains(answer, fmt.Sprintf(`"attempts":1,"last_status":%d,`, status)) {
				t.Error(answer)
			}
		})
	}
}

// TestRetryAfter shows when the second attempt comes after an answer that says
// when.
func TestRetryAfter(t *testing.T) {
	secret := secretIn(t, "SECRET")
	cases := []struct {
		name, longest string
		status        int
		header        func() string
		from, to      time.Duration
	}{
		{"seconds", "1h", 429, func() string { return "1" }, time.Second, 5 * time.Second},
		{"unavailable", "1h", 503, func() string { return "1" }, time.Second, 5 * time.Second},
		{"date", "1h", 429, func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, 900 * time.Millisecond, 5 * time.Second},
		{"year", "300ms", 429, func() string { return fmt.Sprint(365 * 24 * 3600) }, 300 * time.Millisecond, 5 * time.Second},
		{"year-date", "300ms", 503, func() string { return time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat) }, 300 * time.Millisecond, 5 * time.Second},
		{"huge", "300ms", 429, func() string { return "99999999999999999999999" }, 0, 5 * time.Second},
		{"past", "1h", 429, func() string { return "Sun, 06 Nov 1994 08:49:37 GMT" }, 0, 900 * time.Millisecond},
		{"negative", "1h", 429, func() string { return "-5" }, 0, 900 * time.Millisecond},
		{"nonsense", "1h", 429, func() string { return "soon" }, 0, 900 * time.Millisecond},
		{"other", "1h", 500, func() string { return "3600" }, 0, 900 * time.Millisecond},
	}
	var mu sync.Mutex
	attempts := make(map[string][]time.Time)
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range cases {
			if r.URL.Path != "/"+c.name {
				continue
			}
			if attempts[c.name] = append(attempts[c.name], time.Now()); len(attempts[c.name]) == 1 {
				w.Header().Set("Retry-After", c.header())
				w.WriteHeader(c.status)
			}
		}
	})
	var blocks strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&blocks, "destination %[1]s {\nbackoff 10ms %[2]s\nto {\nrewrite * /%[1]s\n%[3]s\n}\n}\n", c.name, c.longest, app.proxy())
	}
	destinations(t, blocks.String())
	sendWotnot(t, secret, 0, 1, 1)
	for _, c := range cases {
		waitFor(t, func() bool { return deliveries(t, c.name, "delivered") == 1 })
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range cases {
		if waited := attempts[c.name][1].Sub(attempts[c.name][0]); waited < c.from || waited > c.to {
			t.Errorf("%s: %s, want from %s to %s", c.name, waited, c.from, c.to)
		}
	}
}

// TestHugeAnswer shows that an answer of any length is a success like another,
// and costs no memory.
func TestHugeAnswer(t *testing.T) {
	secret := secretIn(t, "SECRET")
	const chunk, chunks = 1 << 20, 100
	var written, status atomic.Int64
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.WriteHeader(int(status.Load()))
		data := make([]byte, chunk)
		for range chunks {
			n, err := w.Write(data)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	durable(t, app, "attempts 1")
	status.Store(200)
	sendNotifly(t, secret, "warm")
	waitDelivered(t, "app")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	written.Store(0)
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return deliveries(t, "app", "delivered") == 2 })
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 20<<20 {
		t.Errorf("%d MiB were allocated", allocated>>20)
	}
	app.want(t, 2)
	// Whether it is a success is decided by the status.
	status.Store(500)
	sendNotifly(t, secret, "2")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 1 })
	_, answer := adminGet(t, "/webhooks/dead")
	if !strings.Contains(answer, `"last_status":500`) || len(answer) > 10_000 {
		t.Errorf("%.500s", answer)
	}
	t.Logf("%d MiB of %d were read", written.Load()>>20, 2*chunks*chunk>>20)
}

// TestBrokenAnswer shows that an answer that breaks off, wherever, is tried
// again.
func TestBrokenAnswer(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch n {
		case 1: // before the answer
			panic(http.ErrAbortHandler)
		case 2: // in the middle of it
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		case 3: // in the middle of a chunked one
			_, _ = w.Write([]byte("begun"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	g := durable(t, app, "")
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return deliveries(t, "app", "delivered") == 1 })
	app.want(t, 4)
	if n := deliveries(t, "app", "retry"); n != 3 {
		t.Errorf("%d retries", n)
	}
	if n := len(g.logLines("delivery failed", "the answer broke off")); n != 2 {
		t.Errorf("the log says %s", g.logLines("delivery failed"))
	}
}
