package caddymodule_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDurable shows that an event whose first attempt fails is delivered by the
// second, under the same name.
func TestDurable(t *testing.T) {
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
