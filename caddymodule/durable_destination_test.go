package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// destinations starts a gateway that takes WotNot's events at /, with some
// `destination` blocks. Nothing less than a warning is logged.
func destinations(t testing.TB, blocks string) *gateway {
	t.Helper()
	return startAt(t, "INFO", fmt.Sprintf(`
	log_skip
	webhooks wotnot {
		token {env.SECRET}
		%s
	}
	`, blocks), ownQueue(t))
}

// sendWotnot sends numbered events in batches, which must be accepted; the event
// n is of conversation n modulo conversations.
func sendWotnot(t testing.TB, secret string, from, to, conversations int) {
	t.Helper()
	const size = 50
	for ; from < to; from += size {
		var items []string
		for n := from; n < min(from+size, to); n++ {
			items = append(items, fmt.Sprintf("%d:%d", n%conversations, n))
		}
		wantStatus(t, 200, "/", batch(items...), "token", secret)
	}
}

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
	if n := len(g.logLines("a destination answers again", `"destination":"app"`)); n != 1 {
		t.Errorf("%d lines say that it answers again", n)
	}
}

// messageText is the text of the message in an event.
func messageText(e event) string {
	var message struct{ Text string }
	_ = json.Unmarshal(e.Data["message"], &message)
	return message.Text
}

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
