package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestNotForwarded shows what must not reach the application.
func TestNotForwarded(t *testing.T) {
	secret, static := secretIn(t, "SECRET"), secretIn(t, "STATIC")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
		basic_auth user {env.SECRET}
		header X-Static {env.STATIC}
	}
	reverse_proxy %s {
		header_up X-Orig-Uri {http.request.orig_uri}
		header_up X-Uri {http.request.uri}
	}
	`, strings.TrimPrefix(app.URL, "http://")))
	r := request(t, "/wotnot?a=%20b&token="+secret+"&c=d&%74oken="+secret,
		bytes.Replace(payload(t, "wotnot", "note"), []byte(`{"events"`), fmt.Appendf(nil, `{"token":%q,"events"`, secret), 1),
		"X-Static", static, "X-Wotnot-Token", secret,
		"Webhook-Id", "smuggled", "webhook-signature", "smuggled", "Webhook-Replay", "true",
		"Content-MD5", "x", "Digest", "x", "X-Kept", "yes")
	r.SetBasicAuth("user", secret)
	if a := do(t, r); a.status != 200 {
		t.Fatal(a.status)
	}
	sent := app.want(t, 1)[0]
	if sent.URI != "/wotnot?a=%20b&c=d" {
		t.Errorf("URI %q", sent.URI)
	}
	for _, name := range []string{"Authorization", "X-Static", "X-Wotnot-Token", "Webhook-Replay", "Webhook-Signature", "Content-Md5", "Digest"} {
		if value := sent.Header.Get(name); value != "" {
			t.Errorf("%s was forwarded: %q", name, value)
		}
	}
	if sent.Header.Get("Webhook-Id") == "smuggled" || sent.Header.Get("Webhook-Timestamp") == "" || sent.Header.Get("X-Kept") != "yes" {
		t.Errorf("headers %v", sent.Header)
	}
	if text := fmt.Sprint(sent) + string(sent.Body); strings.Contains(text, secret) || strings.Contains(text, static) {
		t.Errorf("a credential was forwarded: %s", strings.ReplaceAll(text, secret, "SECRET"))
	}
}

// TestConnectionHeader shows that a sender cannot name headers of ours as those
// that a proxy drops.
func TestConnectionHeader(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	tracing
	webhooks ndoto {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	reverse_proxy %s {
		header_up X-Orig-Uri {http.request.orig_uri}
	}
	`, strings.TrimPrefix(app.URL, "http://")))
	wantStatus(t, 200, "/?a=b&token="+secret, payload(t, "ndoto", "message_created"),
		"Connection", "webhook-id, webhook-timestamp, webhook-signature, content-type")
	sent := app.want(t, 1)[0]
	checkForwarded(t, sent)
	// tracing hands on a copy of the request.
	if uri := sent.Header.Get("X-Orig-Uri"); uri != "/?a=b" {
		t.Errorf("original URI %q", strings.ReplaceAll(uri, secret, "SECRET"))
	}
}

// TestOriginal shows the provider's own bytes, less what must not leave.
func TestOriginal(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		format original
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /oneroute oneroute {
		token {env.SECRET}
		format original
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		format original
	}
	%s
	`, app.proxy()))

	body := payload(t, "notifly", "message.updated")
	for range 2 {
		wantStatus(t, 200, "/notifly", body, "X-Notifly-Signature", hexMAC(secret, body), "Content-Type", "application/vnd.own+json")
	}
	sent := app.want(t, 1)[0]
	if !bytes.Equal(sent.Body, body) {
		t.Errorf("the body changed: %s", sent.Body)
	}
	if got := strings.Join(sent.Header.Values("Content-Type"), ","); !strings.Contains(got, "application/vnd.own+json") {
		t.Errorf("content type %s", got)
	}
	verifySigned(t, sent, signingKey)

	body = payload(t, "oneroute", "newMessage")
	wantStatus(t, 200, "/oneroute?token="+secret, body)
	sent = app.want(t, 2)[1]
	for _, gone := range []string{"credentials", "webhookUrl"} {
		if !bytes.Contains(body, []byte(gone)) || bytes.Contains(sent.Body, []byte(gone)) {
			t.Errorf("%s was forwarded", gone)
		}
	}
	if !json.Valid(sent.Body) {
		t.Errorf("not JSON: %s", sent.Body)
	}

	// A batch is one event.
	two := []byte(fmt.Sprintf(`{"token":%q, "events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`, secret))
	for range 2 {
		if a := wantStatus(t, 200, "/wotnot", two); a.body != secret {
			t.Error("no token back")
		}
	}
	sent = app.want(t, 3)[2]
	if want := `{"events":[{"event":{"type":"note"}},{"event":{"type":"status"}}]}`; string(sent.Body) != want {
		t.Errorf("got %s", strings.ReplaceAll(string(sent.Body), secret, "SECRET"))
	}
	key := envelope.NewKey("/webhooks/wotnot", "\x00"+envelope.Hash(string(two)))
	if got := sent.Header.Get("Webhook-Id"); got != key.String() {
		t.Errorf("webhook-id %s, want %s", got, key)
	}
}

// TestPlaceholders shows them to the handlers after webhooks and to the log.
func TestPlaceholders(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	log_append outcome {http.webhooks.outcome}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		dedup off
	}
	webhooks notifly {
		secret {env.SECRET}
	}
	respond "{http.webhooks.provider} {http.webhooks.id} {http.webhooks.type} {http.webhooks.subject}"
	`)
	body, header, signature := notifly(secret, "placeholders")
	a := wantStatus(t, 200, "/", body, header, signature)
	if a.body != "notifly placeholders message.created conversations/c-placeholders" {
		t.Errorf("got %q", a.body)
	}
	wantStatus(t, 200, "/", body, header, signature)
	post(t, "/", body, header, "00")
	for _, outcome := range []string{"accepted", "duplicate", "bad_credential"} {
		waitFor(t, func() bool { return len(g.logLines("handled request", `"outcome":"`+outcome+`"`)) == 1 })
	}
}
