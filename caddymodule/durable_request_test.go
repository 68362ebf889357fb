package caddymodule_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestDelivered shows what an application gets from the queue, and that no
// credential gets that far, nor onto the disk.
func TestDelivered(t *testing.T) {
	secret, static := secretIn(t, "SECRET"), secretIn(t, "STATIC")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(500)
		}
	})
	dir := t.TempDir()
	start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
		basic_auth user {env.SECRET}
		header X-Static {env.STATIC}
		sign {env.WEBHOOKS_TEST_SIGN}
		destination app {
			backoff 2s 2s
			to {
				reverse_proxy %s {
					header_up X-Orig-Uri {http.request.orig_uri}
					header_up X-Uri {http.request.uri}
					header_up X-Placeholders "{http.webhooks.provider} {http.webhooks.id} {http.webhooks.type} {http.webhooks.subject} {http.request.method} {http.request.uri.path} {http.request.remote.host} {http.request.local}"
				}
			}
		}
	}
	`, strings.TrimPrefix(app.URL, "http://")), queueIn(t, dir))
	body := fmt.Appendf(nil, `{"token":%q,"events":[{"event":{"id":7,"type":"message","payload":{"message":{"type":"text","text":"hi"}}},"conversation":{"id":5}}]}`, secret)
	r := request(t, "/wotnot?a=%20b&token="+secret+"&c=d&%74oken="+secret, body,
		"X-Static", static, "X-Wotnot-Token", secret, "token", secret,
		"Webhook-Id", "smuggled", "webhook-signature", "smuggled", "webhook-timestamp", "smuggled",
		"Webhook-Replay", "true", "webhook-attempt", "9", "Webhook-Smuggled", "yes",
		"Connection", "webhook-id, webhook-attempt, content-type", "Content-MD5", "x", "X-Kept", "yes")
	r.Host = "localhost"
	r.SetBasicAuth("user", secret)
	if a := do(t, r); a.status != 200 || a.body != secret {
		t.Fatal(a.status)
	}
	waitFor(t, func() bool { return len(app.requests()) == 2 })
	requests := app.want(t, 2)
	for i, sent := range requests {
		checkForwarded(t, sent)
		if sent.URI != "/wotnot?a=%20b&c=d" {
			t.Errorf("URI %q", sent.URI)
		}
		for name, want := range map[string]string{
			"Webhook-Attempt": fmt.Sprint(i + 1), "Webhook-Replay": "", "Webhook-Smuggled": "", "Connection": "",
			"Authorization": "", "X-Static": "", "X-Wotnot-Token": "", "Token": "", "Content-Md5": "",
			"X-Kept": "yes", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "http",
			"X-Orig-Uri": "/wotnot?a=%20b&c=d", "X-Uri": "/wotnot?a=%20b&c=d",
			"X-Placeholders": "wotnot " + sent.event(t).ID + " message.created conversations/5 POST /wotnot 127.0.0.1 127.0.0.1:" + fmt.Sprint(gatewayPort),
		} {
			if got := strings.Join(sent.Header.Values(name), ", "); got != want {
				t.Errorf("attempt %d: %s is %q, want %q", i+1, name, got, want)
			}
		}
		if text := fmt.Sprint(sent) + string(sent.Body); strings.Contains(text, secret) || strings.Contains(text, static) {
			t.Errorf("a credential was delivered: %s", strings.ReplaceAll(text, secret, "SECRET"))
		}
	}
	// Each attempt is signed afresh, the name stays.
	first, second := requests[0].Header, requests[1].Header
	if first.Get("Webhook-Id") != second.Get("Webhook-Id") || !bytes.Equal(requests[0].Body, requests[1].Body) {
		t.Errorf("%v %v", first, second)
	}
	if first.Get("Webhook-Timestamp") == second.Get("Webhook-Timestamp") || first.Get("Webhook-Signature") == second.Get("Webhook-Signature") {
		t.Errorf("signed once: %v %v", first, second)
	}
	waitDelivered(t, "app")
	wantNotIn(t, filepath.Join(dir, "webhooks"), secret, static, signingKey, first.Get("Webhook-Signature"))
}

// wantNotIn looks for texts in all files of a queue.
func wantNotIn(t *testing.T, dir string, texts ...string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		size += len(content)
		for _, text := range texts {
			if i := bytes.Index(content, []byte(text)); i >= 0 {
				t.Errorf("%s holds a secret: %q", file.Name(), content[max(0, i-200):i])
			}
		}
		if info, err := file.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
	if size < 10_000 {
		t.Errorf("%d bytes in all of %v", size, files)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestSignatureNotStored shows that what a provider signs with does not get onto
// the disk either, and that the path is the one that handlers before made.
func TestSignatureNotStored(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	dir := t.TempDir()
	start(t, fmt.Sprintf(`
	handle_path /prefix/* {
		webhooks notifly {
			secret {env.SECRET}
			destination app {
				to {
					%s
				}
			}
		}
	}
	`, app.proxy()), queueIn(t, dir))
	body, header, signature := notifly(secret, "1")
	wantStatus(t, 200, "/prefix/inner?x=1", body, header, signature)
	waitDelivered(t, "app")
	if got := app.want(t, 1)[0].URI; got != "/inner?x=1" {
		t.Errorf("URI %s", got)
	}
	wantNotIn(t, filepath.Join(dir, "webhooks"), secret, signature)
}

// TestDestinationFormats shows that each destination gets its own form, with its own
// signature, and only the types that it takes.
func TestDestinationFormats(t *testing.T) {
	secret := secretIn(t, "SECRET")
	ownKey := "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32))
	noteSecret(ownKey)
	t.Setenv("OWN_KEY", ownKey)
	app := startApplication(t)
	destination := func(name, settings string) string {
		return fmt.Sprintf("destination %[1]s {\n%[2]s\nto {\nrewrite * /%[1]s\n%[3]s\n}\n}\n", name, settings, app.proxy())
	}
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
		%s
	}
	`, destination("plain", "")+
		destination("own", "format original\nsign {env.OWN_KEY}")+
		destination("updates", "types *.updated")+
		destination("conversations", "types conversation.* contact.created")), ownQueue(t))
	body := payload(t, "notifly", "message.updated")
	wantStatus(t, 200, "/", body, "X-Notifly-Signature", hexMAC(secret, body), "Content-Type", "application/vnd.own+json")
	other := payload(t, "notifly", "conversation.created")
	wantStatus(t, 200, "/", other, "X-Notifly-Signature", hexMAC(secret, other))
	for _, name := range []string{"plain", "own", "updates", "conversations"} {
		waitDelivered(t, name)
	}

	types := func(path string) string {
		var all []string
		for _, r := range app.toPath(path) {
			verifySigned(t, r, signingKey)
			all = append(all, r.event(t).Type)
		}
		return strings.Join(all, " ")
	}
	if got := types("/plain"); got != "message.updated conversation.created" && got != "conversation.created message.updated" {
		t.Errorf("plain: %s", got)
	}
	if got := types("/updates"); got != "message.updated" {
		t.Errorf("updates: %s", got)
	}
	if got := types("/conversations"); got != "conversation.created" {
		t.Errorf("conversations: %s", got)
	}
	// White space around a payload is no part of it.
	body, other = bytes.TrimSpace(body), bytes.TrimSpace(other)
	originals := app.toPath("/own")
	if len(originals) != 2 {
		t.Fatalf("own: %d", len(originals))
	}
	for _, r := range originals {
		verifySigned(t, r, ownKey)
		if bytes.Equal(r.Body, body) == bytes.Equal(r.Body, other) {
			t.Errorf("own: %s", r.Body)
		}
		if got := strings.Join(r.Header.Values("Content-Type"), ","); bytes.Equal(r.Body, body) && !strings.Contains(got, "application/vnd.own+json") {
			t.Errorf("own: content type %s", got)
		}
	}
	if _, answer := adminGet(t, "/webhooks/destinations"); strings.Contains(answer, `"backlog":1`) || strings.Contains(answer, `"dead_letters":1`) {
		t.Error(answer)
	}
}

// TestDurableWholeBatch shows that a batch is one event where only originals are
// delivered.
func TestDurableWholeBatch(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		destination app {
			format original
			to {
				%s
			}
		}
	}
	`, app.proxy()), ownQueue(t))
	body := fmt.Appendf(nil, `{"token":%q, "events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`, secret)
	for range 2 {
		if a := wantStatus(t, 200, "/", body); a.body != secret {
			t.Error("no token back")
		}
	}
	waitDelivered(t, "app")
	sent := app.want(t, 1)[0]
	if want := `{"events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`; string(sent.Body) != want {
		t.Errorf("got %s", strings.ReplaceAll(string(sent.Body), secret, "SECRET"))
	}
	if got, want := sent.Header.Get("Webhook-Id"), envelope.NewKey("/webhooks/wotnot", "\x00"+envelope.Hash(string(body))).String(); got != want {
		t.Errorf("webhook-id %s, want %s", got, want)
	}
}

// TestTo shows what handlers inside of `to` lead to.
func TestTo(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	for _, c := range []struct {
		name, to, path           string
		delivered, retries, dead int
		arrived                  string // the URIs that the application got
		log                      string
	}{
		{"a status alone", `respond 204`, "/", 1, 0, 0, "", ""},
		{"nothing answers", `header X-Own yes`, "/", 0, 1, 1, "", "no handler answered; put one, such as reverse_proxy, into `to`"},
		{"nothing answers this", `respond /elsewhere 200`, "/", 0, 1, 1, "", "no handler answered"},
		{"two groups, the first", "handle /a/* {\n" + app.proxy() + "\n}\nhandle {\nrespond 500\n}", "/a/b", 1, 0, 0, "/a/b", ""},
		{"two groups, the second", "handle /a/* {\nrespond 500\n}\nhandle {\n" + app.proxy() + "\n}", "/b", 1, 0, 0, "/b", ""},
		{"by type", "@created expression {http.webhooks.type} == \"message.created\"\nhandle @created {\nrespond 202\n}\nrespond 500", "/", 1, 0, 0, "", ""},
		{"a rewrite", "rewrite * /hooks{uri}\n" + app.proxy(), "/b?c=d", 1, 0, 0, "/hooks/b?c=d", ""},
		{"a panic", "test_panic\nrespond 204", "/?panic=1", 0, 1, 1, "", "handler panicked with a value of type string"},
		{"gone", `error "they left" 410`, "/", 0, 0, 1, "", "they left"},
		{"an error with a status of success", `error 204`, "/", 0, 1, 1, "", `"status":204`},
		{"an error", `error "later" 503`, "/", 0, 1, 1, "", `"status":503`},
		{"aborted", `abort`, "/", 0, 1, 1, "", "the answer broke off"},
		{"no upstream", `reverse_proxy 127.0.0.1:1`, "/", 0, 1, 1, "", "connection refused"},
		{"two upstreams", "reverse_proxy 127.0.0.1:1 " + strings.TrimPrefix(app.URL, "http://") + " {\nlb_policy first\nlb_try_duration 5s\nfail_duration 5s\n}", "/b", 1, 0, 0, "/b", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(app.requests())
			g := start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
		destination app {
			attempts 2
			backoff 10ms 10ms
			to {
				%s
			}
		}
	}
	`, c.to), ownQueue(t))
			body, header, signature := notifly(secret, "1")
			wantStatus(t, 200, c.path, body, header, signature)
			waitFor(t, func() bool { return deliveries(t, "app", "delivered")+deliveries(t, "app", "dead_letter") > 0 })
			if delivered, retries, dead := deliveries(t, "app", "delivered"), deliveries(t, "app", "retry"), deliveries(t, "app", "dead_letter"); delivered != c.delivered || retries != c.retries || dead != c.dead {
				t.Errorf("%d delivered, %d retries, %d dead; want %d, %d, %d", delivered, retries, dead, c.delivered, c.retries, c.dead)
			}
			var arrived []string
			for _, r := range app.requests()[before:] {
				arrived = append(arrived, r.URI)
			}
			if got := strings.Join(arrived, " "); got != c.arrived {
				t.Errorf("the application got %q, want %q", got, c.arrived)
			}
			if c.log != "" && len(g.logLines("delivery failed", `"destination":"app"`, keyOf("1"), c.log)) != c.retries+c.dead {
				t.Errorf("the log says %s", strings.Join(g.logLines("delivery failed"), ""))
			}
			// The process lives, and takes the next event.
			sendNotifly(t, secret, "2")
		})
	}
}

// TestDeliveredAge shows that the wait for a destination is told in seconds.
func TestDeliveredAge(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	durable(t, app, "")
	wantAdmin(t, "POST", "/webhooks/pause/app", "", 200, `{}`)
	begun := time.Now()
	sendNotifly(t, secret, "1")
	waitFor(t, func() bool { return gauge(t, "oldest_undelivered_seconds", "app") == 1 })
	if waited := time.Since(begun); waited < time.Second {
		t.Errorf("1 s after %s", waited)
	}
	wantAdmin(t, "POST", "/webhooks/resume/app", "", 200, `{}`)
	waitDelivered(t, "app")
	for sample, want := range map[string]string{
		`caddy_webhooks_oldest_undelivered_seconds{destination="app"}`:           "0",
		`caddy_webhooks_dead_letters{destination="app"}`:                         "0",
		`caddy_webhooks_deliveries_total{destination="app",outcome="delivered"}`: "1",
		`caddy_webhooks_delivery_seconds_count{destination="app"}`:               "1",
	} {
		if got := metric(t, sample); got != want {
			t.Errorf("%s: %s, want %s", sample, got, want)
		}
	}
}
