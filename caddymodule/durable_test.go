package caddymodule_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// durable starts a gateway that queues Notifly's events and delivers them to app
// as `destination app`, with more settings for that block.
func durable(t testing.TB, app *application, settings string) *gateway {
	t.Helper()
	return start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		destination app {
			backoff 10ms 100ms
			%s
			to {
				%s
			}
		}
	}
	respond "not for the next handler" 500
	`, settings, app.proxy()), ownQueue(t))
}

// ownQueue is the global option for a queue of the test's own, with more options
// of webhooks.
func ownQueue(t testing.TB, options ...string) string {
	t.Helper()
	return queueIn(t, t.TempDir(), options...)
}

// queueIn is ownQueue in a directory of the test's own.
func queueIn(t testing.TB, dir string, options ...string) string {
	t.Helper()
	t.Cleanup(func() { loadNothing(t) }) // before the directory goes
	return fmt.Sprintf("webhooks {\n\t\tqueue sqlite %s\n\t\t%s\n\t}", filepath.Join(dir, "webhooks", "queue.db"), strings.Join(options, "\n\t\t"))
}

// nothing is a configuration without anything.
var nothing = "{\n\tadmin " + adminAddress + "\n\tpersist_config off\n}\n"

// startCaddy starts Caddy in this process, once, with nothing to serve.
var startCaddy = sync.OnceValue(func() error {
	adapted, err := adaptCaddyfile(nothing)
	if err != nil {
		return err
	}
	return caddy.Load(adapted, true)
})

// loadNothing takes the configuration away and closes the queue with it: what is
// not on disk is gone, as when a process ends.
func loadNothing(t testing.TB) {
	t.Helper()
	if status, text := loadConfig(t, nothing); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}

// loadConfig loads any configuration, and returns what Caddy answers.
func loadConfig(t testing.TB, config string) (status int, text string) {
	t.Helper()
	if err := startCaddy(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+adminAddress+"/load", strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	// A POST on a connection to a server that is being closed would fail.
	client.CloseIdleConnections()
	a := do(t, r)
	client.CloseIdleConnections()
	loaded = time.Now()
	noteText("answer of /load in "+t.Name(), a.body)
	return a.status, a.body
}

// restart stops the gateway and starts it again.
func (g *gateway) restart() {
	g.t.Helper()
	loadNothing(g.t)
	g.load("again")
}

// change loads the configuration with something replaced.
func (g *gateway) change(old, new string) {
	g.t.Helper()
	if !strings.Contains(g.site, old) {
		g.t.Fatalf("no %q in the site", old)
	}
	g.site = strings.Replace(g.site, old, new, 1)
	g.load("changed")
}

// sendNotifly sends events with these ids, each of which must be accepted.
func sendNotifly(t testing.TB, secret string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		body, header, signature := notifly(secret, id)
		wantStatus(t, 200, "/", body, header, signature)
	}
}

// keyOf names an event of Notifly's.
func keyOf(id string) string {
	return envelope.NewKey("/webhooks/notifly", "message.created/"+id).String()
}

// backlog is what a destination has not delivered, -1 if there is none of that
// name.
func backlog(t testing.TB, destination string) int { return gauge(t, "backlog", destination) }

func gauge(t testing.TB, name, destination string) int {
	t.Helper()
	value, err := strconv.ParseFloat(metric(t, fmt.Sprintf("caddy_webhooks_%s{destination=%q}", name, destination)), 64)
	if err != nil {
		return -1
	}
	return int(value)
}

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

func TestDeliver(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	durable(t, app, "sign {env.WEBHOOKS_TEST_SIGN}")
	body, header, signature := notifly(secret, "1")
	wantStatus(t, 200, "/some/path?x=1", body, header, signature)
	wantStatus(t, 200, "/some/path?x=1", body, header, signature)
	waitFor(t, func() bool { return len(app.requests()) == 2 })
	requests := app.want(t, 2)
	for i, r := range requests {
		verifySigned(t, r, signingKey)
		if r.URI != "/some/path?x=1" || r.Header.Get("webhook-attempt") != fmt.Sprint(i+1) || r.event(t).ID != "1" {
			t.Errorf("%s %v", r.URI, r.Header)
		}
	}
	if requests[0].Header.Get("webhook-id") != requests[1].Header.Get("webhook-id") {
		t.Error("the webhook-id changed")
	}
	waitDelivered(t, "app")
}

// TestQueued shows what a provider is answered by a block with `destination`, and
// how many deliveries each request leads to.
func TestQueued(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		destination app {
			to {
				%s
			}
		}
	}
	`, app.proxy()), ownQueue(t))
	tooMany := make([]string, 1001)
	for i := range tooMany {
		tooMany[i] = fmt.Sprintf("1:m%d", i)
	}
	total := 0
	for _, c := range []struct {
		name   string
		token  string
		body   []byte
		status int
		events int
		metric string // outcome in requests_total
	}{
		{"one event", secret, batch("1:a"), 200, 1, "accepted"},
		{"a batch", secret, batch("1:b", "2:c", "3:d"), 200, 3, "accepted"},
		{"a duplicate", secret, batch("1:a"), 200, 0, "duplicate"},
		{"a batch of duplicates", secret, batch("3:d", "1:b", "2:c"), 200, 0, "duplicate"},
		{"a batch with one new", secret, batch("1:a", "1:e", "2:c"), 200, 1, "accepted"},
		{"twice in one batch", secret, batch("1:f", "1:f"), 200, 1, "accepted"},
		{"a handshake", secret, []byte(`{"events":[]}`), 200, 0, "handshake"},
		{"a wrong token", "wrong", batch("1:g"), 401, 0, "bad_credential"},
		{"no token", "", batch("1:g"), 401, 0, "missing_credential"},
		{"cut short", secret, batch("1:g")[:40], 400, 0, "malformed"},
		{"too many", secret, batch(tooMany...), 413, 0, "too_many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sample := fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="wotnot"}`, c.metric)
			before, _ := strconv.Atoi(metric(t, sample))
			var headers []string
			if c.token != "" {
				headers = []string{"token", c.token}
			}
			a := wantStatus(t, c.status, "/", c.body, headers...)
			if c.status == 200 && a.body != secret {
				t.Errorf("no token back, but %q", a.body)
			}
			waitDelivered(t, "app")
			total += c.events
			app.want(t, total)
			if after := metric(t, sample); after != fmt.Sprint(before+1) {
				t.Errorf("%s: %s, after %d", sample, after, before)
			}
		})
	}
	ids := make(map[string]bool)
	for _, r := range app.requests() {
		ids[r.Header.Get("Webhook-Id")] = true
	}
	if len(ids) != total {
		t.Errorf("%d names for %d events", len(ids), total)
	}
}

// TestQueuedDuplicate shows that a key outlives reloads and restarts, and what
// `dedup off` and an unequal source mean for it.
func TestQueuedDuplicate(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := durable(t, app, "")
	sendNotifly(t, secret, "1")
	waitDelivered(t, "app")
	again := func(want int) {
		t.Helper()
		sendNotifly(t, secret, "1")
		waitDelivered(t, "app")
		app.want(t, want)
	}
	again(1)
	g.load("reloaded")
	again(1)
	g.restart()
	again(1)
	g.change("secret {env.SECRET}", "secret {env.SECRET}\n\t\tdedup off")
	again(2)
	again(3)
	g.change("dedup off", "source /elsewhere")
	again(4)
	again(4)
}

// TestUnrouted shows that an event that no destination takes is accepted and
// counted.
func TestUnrouted(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	durable(t, app, "types conversation.* contact.created")
	sendNotifly(t, secret, "1", "1")
	for outcome, want := range map[string]string{"unrouted": "1", "duplicate": "1", "accepted": ""} {
		if got := metric(t, fmt.Sprintf(`caddy_webhooks_events_total{outcome=%q,provider="notifly",type="message.created"}`, outcome)); got != want {
			t.Errorf("%s: %q, want %q", outcome, got, want)
		}
	}
	body := payload(t, "notifly", "conversation.created")
	wantStatus(t, 200, "/", body, "X-Notifly-Signature", hexMAC(secret, body))
	waitDelivered(t, "app")
	waitFor(t, func() bool { return len(app.requests()) == 1 })
	if got := app.want(t, 1)[0].event(t).Type; got != "conversation.created" {
		t.Errorf("got %s", got)
	}
}

// TestQueueFull shows that a queue without room answers 503, keeps nothing of
// what it refuses, and takes events again once there is room.
func TestQueueFull(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var up atomic.Bool
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if !up.Load() {
			w.WriteHeader(500)
		}
	})
	g := start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		destination app {
			backoff 10ms 100ms
			attempts 10000
			to {
				%s
			}
		}
	}
	`, app.proxy()), ownQueue(t, "retention 1h 1MiB"))
	n := 0
	send := func(size, events int) int {
		t.Helper()
		var items []string
		for range events {
			n++
			items = append(items, fmt.Sprintf("%d:%s", n, strings.Repeat("x", size)))
		}
		a := post(t, "/", batch(items...), "token", secret)
		if a.status == 503 && (a.header.Get("Retry-After") != "10" || a.body != "") {
			t.Fatalf("503 with %v %q", a.header, a.body)
		}
		return a.status
	}
	accepted, status := 0, 0
	for status = send(20_000, 1); status == 200; status = send(20_000, 1) {
		accepted++
	}
	if status != 503 || accepted < 10 || accepted > 30 {
		t.Fatalf("%d after %d events", status, accepted)
	}
	if status := send(2_000, 50); status != 503 {
		t.Errorf("a batch that fits only in part: %d", status)
	}
	// What room there is left gets filled.
	size := 20_000
	for ; size > 0 && send(size, 1) != 200; size -= 50 {
	}
	if size > 0 {
		accepted++
	}
	if status, _ := adminGet(t, "/webhooks/ready"); status != 503 {
		t.Errorf("ready: %d", status)
	}
	for _, sample := range []string{
		`caddy_webhooks_requests_total{outcome="queue_unavailable",provider="wotnot"}`,
		`caddy_webhooks_events_total{outcome="queue_unavailable",provider="wotnot",type="message.created"}`,
	} {
		if metric(t, sample) == "" {
			t.Errorf("no %s", sample)
		}
	}
	if len(g.logLines(`"reason":"queue_unavailable"`, "the queue is full", `"status":503`)) == 0 {
		t.Error("no line in the log")
	}
	waitBacklog(t, "app", accepted)

	up.Store(true)
	waitDelivered(t, "app")
	// What was delivered makes room.
	waitFor(t, func() bool {
		status, _ := adminGet(t, "/webhooks/ready")
		return status == 200 && send(20_000, 1) == 200
	})
	waitDelivered(t, "app")
	delivered := make(map[string]bool)
	for _, r := range app.requests() {
		delivered[r.Header.Get("Webhook-Id")] = true
	}
	if len(delivered) != accepted+1 || deliveries(t, "app", "delivered") != accepted+1 || gauge(t, "dead_letters", "app") != 0 {
		t.Errorf("%d events arrived, want %d", len(delivered), accepted+1)
	}
}

// TestTwoBlocks shows blocks of unequal providers beside each other on one
// queue, two that are equal, and one that hands on directly.
func TestTwoBlocks(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	first := fmt.Sprintf("notifly {\n\t\tsecret {env.SECRET}\n\t\tdestination first {\n\t\t\tto {\n\t\t\t\t%s\n\t\t\t}\n\t\t}\n\t}\n", app.proxy())
	start(t, fmt.Sprintf(`
	webhooks /notifly %[1]s
	webhooks /again %[1]s
	webhooks /ndoto ndoto {
		token {env.SECRET}
		destination second {
			to {
				%[2]s
			}
		}
	}
	webhooks /direct wotnot {
		token {env.SECRET}
	}
	respond /direct 202
	`, first, app.proxy()), ownQueue(t))
	body, header, signature := notifly(secret, "1")
	wantStatus(t, 200, "/notifly", body, header, signature)
	wantStatus(t, 200, "/again", body, header, signature) // a duplicate there too
	body, header, signature = notifly(secret, "2")
	wantStatus(t, 200, "/again", body, header, signature)
	wantStatus(t, 200, "/ndoto?token="+secret, payload(t, "ndoto", "message_created"))
	wantStatus(t, 200, "/direct?token="+secret, batch("1:a"))
	waitDelivered(t, "first")
	waitDelivered(t, "second")
	var got []string
	for _, r := range app.want(t, 3) {
		got = append(got, r.URI+" "+r.event(t).Provider)
	}
	slices.Sort(got)
	if got := strings.Join(got, ", "); got != "/again notifly, /ndoto ndoto, /notifly notifly" {
		t.Error(got)
	}
}

// TestDeliveredAsForwarded shows that what is delivered is what would have been
// forwarded: body, headers and the client's address behind a trusted proxy.
func TestDeliveredAsForwarded(t *testing.T) {
	secret := secretIn(t, "SECRET")
	queued, direct := startApplication(t), startApplication(t)
	proxy := func(app *application) string {
		return app.proxy() + " {\nheader_up X-Client {client_ip}\nheader_up X-Vars {vars.mine}\nheader_up X-Proto {http.request.proto}\n}\n"
	}
	providers := []string{"notifly", "wotnot", "ndoto", "oneroute"}
	var site, forwarding strings.Builder
	for _, provider := range providers {
		word := "token"
		if provider == "notifly" {
			word = "secret"
		}
		fmt.Fprintf(&site, `
	webhooks /%[1]s %[1]s {
		%[2]s {env.SECRET}
		destination %[1]s {
			to {
				vars mine yes
				%[3]s
			}
		}
	}
	`, provider, word, proxy(queued))
		fmt.Fprintf(&forwarding, `
		webhooks /%[1]s %[1]s {
			%[2]s {env.SECRET}
			source /direct/%[1]s
		}
		`, provider, word)
	}
	// At DEBUG, handle_path logs the URI, with the token in it.
	startAt(t, "INFO", site.String()+"handle_path /direct/* {\nvars mine yes\n"+forwarding.String()+proxy(direct)+"}\n", ownQueue(t),
		"servers {\n\t\ttrusted_proxies static 127.0.0.1/32 ::1/128\n\t}")
	for i, provider := range providers {
		event := map[string]string{"notifly": "message.updated", "wotnot": "note", "ndoto": "message_created", "oneroute": "newMessage"}[provider]
		body := payload(t, provider, event)
		for _, path := range []string{"/", "/direct/"} {
			wantStatus(t, 200, path+provider+"?a=b&token="+secret, body,
				"X-Notifly-Signature", hexMAC(secret, body), "X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "https", "Cookie", "a=b", "Expect", "")
		}
		waitDelivered(t, provider)
		first, second := queued.want(t, i+1)[i], direct.want(t, i+1)[i]
		if a, b := comparable(first), comparable(second); a != b {
			t.Errorf("%s: delivered\n%s\nforwarded\n%s", provider, a, b)
		}
		if got := first.Header.Get("X-Client"); got != "203.0.113.9" {
			t.Errorf("%s: the client is %s", provider, got)
		}
	}
}

var sourceOf = regexp.MustCompile(`"source":"[^"]+"`)

// comparable is a request without what two with one event differ in.
func comparable(g got) string {
	header := g.Header.Clone()
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Attempt", "Content-Length"} {
		header.Del(name)
	}
	return fmt.Sprintf("%s %s\n%v\n%s", g.Method, g.URI, header, sourceOf.ReplaceAll(recorded.ReplaceAll(g.Body, nil), nil))
}
