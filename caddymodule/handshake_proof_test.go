package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// tryingProviders try their URL in every way that the language has.
const tryingProviders = `webhooks {
	provider challenging {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		handshake GET {
			when   query hub.mode is subscribe
			token  query token
			answer $query(hub.challenge)
		}
		handshake {
			when   type is url_verification
			answer $body(challenge)
		}
		handshake {
			when   type is ping
			answer {"type":1} as application/json
		}
		handshake {
			when   type is 0
			status 204
		}
		handshake {
			when   event is endpoint.url_validation
			answer ` + "`" + `{"plainToken":$json($body(payload.plainToken)),"encryptedToken":$json($hex($hmac($body(payload.plainToken))))}` + "`" + ` as application/json
		}
		id   id
		type type
	}
	provider unproving {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		form
		handshake HEAD unproved
		handshake unproved {
			when   header X-Hook-Secret is *
			header X-Hook-Secret $header(X-Hook-Secret)
		}
		handshake unproved {
			when   webhook_id is *
		}
		id   id
		type type
	}
}`

// startTrying starts a gateway with a block for each of tryingProviders, before an
// application.
func startTrying(t *testing.T) (secret, token string, app *application) {
	t.Helper()
	secret, token = secretIn(t, "SECRET"), secretIn(t, "TOKEN")
	app = startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /challenging challenging {
		secret {env.SECRET}
		token {env.TOKEN}
	}
	webhooks /unproving unproving {
		secret {env.SECRET}
	}
	webhooks /both unproving {
		secret {env.SECRET}
		header X-Static {env.TOKEN}
		source /both
	}
	webhooks /open unproving {
		unverified
		source /open
	}
	%s
	`, app.proxy()), strings.ReplaceAll(tryingProviders, `answer {"type":1}`, "answer `{\"type\":1}`"))
	return secret, token, app
}

// with makes a request with another method, and without a body.
func with(t *testing.T, method, target string, headers ...string) answer {
	t.Helper()
	r := request(t, target, nil, headers...)
	r.Method = method
	return do(t, r)
}

// TestHandshakesOfGET shows the GET that a token proves, on its conditions.
func TestHandshakesOfGET(t *testing.T) {
	_, token, app := startTrying(t)
	get := func(mode, token, challenge string) answer {
		query := url.Values{"hub.mode": {mode}, "token": {token}, "hub.challenge": {challenge}}
		return with(t, http.MethodGet, "/challenging?"+query.Encode())
	}
	if a := get("subscribe", token, "11<58>"); a.status != 200 || a.body != "11<58>" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	for _, test := range []struct {
		name, mode, token, challenge string
		status                       int
	}{
		{"another token", "subscribe", "guess", "1", 401},
		{"no token", "subscribe", "", "1", 401},
		{"another mode", "unsubscribe", token, "1", 400},
		{"another mode and token", "unsubscribe", "guess", "1", 401},
		{"no challenge", "subscribe", token, "", 400},
	} {
		if a := get(test.mode, test.token, test.challenge); a.status != test.status || a.body != "" {
			t.Errorf("%s: %d %q, want %d", test.name, a.status, a.body, test.status)
		}
	}
	if a := with(t, http.MethodPut, "/challenging"); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	if a := with(t, http.MethodHead, "/challenging"); a.status != 405 {
		t.Errorf("HEAD: %d", a.status)
	}
	app.want(t, 0)
}

// TestHandshakesOfPOST shows what a signed POST is answered with, and that it must be
// signed.
func TestHandshakesOfPOST(t *testing.T) {
	secret, _, app := startTrying(t)
	validation := `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}`
	long := strings.ReplaceAll(validation, "qgg8", strings.Repeat("q", 300))
	for _, test := range []struct {
		name, body  string
		status      int
		answer      string
		contentType string
	}{
		{"challenge", `{"type":"url_verification","challenge":"3eZbrw1a"}`, 200, "3eZbrw1a", "text/plain; charset=utf-8"},
		{"constant", `{"type":"ping"}`, 200, `{"type":1}`, "application/json"},
		{"nothing", `{"type":0}`, 204, "", ""},
		{"MAC", validation, 200, `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"` + hexMAC(secret, []byte("qgg8vlvZRS6UYooatFL8Aw")) + `"}`, "application/json"},
	} {
		body := []byte(test.body)
		a := wantStatus(t, test.status, "/challenging", body, "X-Acme-Signature", hexMAC(secret, body), "Prefer", "webhook-receipt")
		if a.body != test.answer || a.header.Get("Content-Type") != test.contentType {
			t.Errorf("%s: %q as %q, want %q", test.name, a.body, a.header.Get("Content-Type"), test.answer)
		}
		if outcome := a.header.Get("Webhook-Outcome"); outcome != "handshake" {
			t.Errorf("%s: outcome %q", test.name, outcome)
		}
		wantStatus(t, 401, "/challenging", body)
		wantStatus(t, 401, "/challenging", body, "X-Acme-Signature", hexMAC("guess", body))
	}
	app.want(t, 0)
	// What is not a handshake is an event: also a text that is too long to be signed.
	for i, body := range []string{`{"id":"1","type":"event","challenge":"x"}`, `{"id":"2","type":"url_verification"}`, long} {
		wantStatus(t, 200, "/challenging", []byte(body), "X-Acme-Signature", hexMAC(secret, []byte(body)))
		app.want(t, i+1)
	}
}

// TestUnprovedHandshakes shows that a handshake which the provider cannot prove is
// answered, unless it has any credential, and that no event is taken for one.
func TestUnprovedHandshakes(t *testing.T) {
	secret, token, app := startTrying(t)
	ping := []byte("webhook_id=7")
	event := []byte(`{"id":"1","type":"event","webhook_id":"7"}`)

	if a := with(t, http.MethodHead, "/unproving"); a.status != 200 || a.body != "" || a.header.Get("Content-Length") == "1" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
	if a := with(t, http.MethodHead, "/unproving", "X-Acme-Signature", "guess"); a.status != 401 {
		t.Errorf("HEAD with a wrong credential: %d", a.status)
	}
	if a := wantStatus(t, 200, "/unproving", nil, "X-Hook-Secret", "s3cret"); a.header.Get("X-Hook-Secret") != "s3cret" || a.body != "" {
		t.Errorf("%v %q", a.header, a.body)
	}
	wantForm(t, 200, "/unproving", ping)
	// With a credential, it is neither a handshake nor, if that is wrong, anything else.
	wantForm(t, 401, "/unproving", ping, "X-Acme-Signature", "guess")
	wantStatus(t, 401, "/unproving", nil, "X-Hook-Secret", "s3cret", "X-Acme-Signature", "guess")
	wantStatus(t, 401, "/unproving", nil)
	wantStatus(t, 401, "/unproving", nil, "X-Hook-Secret", strings.Repeat("s", 1025))
	wantForm(t, 401, "/unproving", []byte("other=7"))
	wantForm(t, 401, "/unproving", []byte("webhook_id=%zz"))
	wantStatus(t, 401, "/unproving", []byte(`{"webhook_id":`+strings.Repeat("[", 100)))
	app.want(t, 0)
	wantStatus(t, 200, "/unproving", event, "X-Acme-Signature", hexMAC(secret, event))
	app.want(t, 1)

	// Another proof that the block asks for may be there, or not.
	wantForm(t, 200, "/both", ping)
	wantForm(t, 200, "/both", ping, "X-Static", token)
	wantForm(t, 401, "/both", ping, "X-Static", "guess")
	wantForm(t, 401, "/both", ping, "X-Static", token, "X-Acme-Signature", hexMAC("guess", ping))
	// The own proof makes it an event, which then lacks the other one.
	wantStatus(t, 401, "/both", event, "X-Acme-Signature", hexMAC(secret, event))

	wantForm(t, 200, "/open", ping)
	app.want(t, 1)
}

// TestHandshakeIsCounted shows a handshake in the metrics.
func TestHandshakeIsCounted(t *testing.T) {
	startTrying(t)
	const sample = `caddy_webhooks_requests_total{outcome="handshake",provider="unproving"}`
	before := metric(t, sample)
	with(t, http.MethodHead, "/unproving")
	wantForm(t, 200, "/unproving", []byte("webhook_id=7"))
	n, _ := strconv.Atoi(before) // "" before the first one
	if after := metric(t, sample); after != strconv.Itoa(n+2) {
		t.Errorf("%s handshakes after %q, want 2 more", after, before)
	}
}

// TestReplies shows constant answers to events, in place of an application's 2xx.
func TestReplies(t *testing.T) {
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("X-App", "1")
		if strings.HasSuffix(r.URL.Path, "/down") {
			w.WriteHeader(503)
		}
		fmt.Fprint(w, "the application")
	})
	start(t, fmt.Sprintf(`
	webhooks /status* status {
		unverified
		source /status
	}
	webhooks /text* text {
		unverified
		source /text
	}
	webhooks /durable text {
		unverified
		source /durable
		destination app {
			to {
				%[1]s
			}
		}
	}
	%[1]s
	`, app.proxy()), ownQueue(t, `provider status {
			verify basic
			reply status 204
			id id
			type always a.b
		}
		provider text {
			verify basic
			reply text "Hello API Event Received" as text/html
			handshake empty
			id id
			type always a.b
		}`))
	for _, id := range []string{"1", "1", "2"} { // one of them a duplicate
		body, err := json.Marshal(map[string]string{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		if a := wantStatus(t, 204, "/status", body); a.body != "" || a.header.Get("X-App") != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("status: %q %v", a.body, a.header)
		}
		for _, path := range []string{"/text", "/durable"} {
			a := wantStatus(t, 200, path, body)
			if a.body != "Hello API Event Received" || a.header.Get("Content-Type") != "text/html" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %q %v", path, a.body, a.header)
			}
		}
	}
	if a := wantStatus(t, 200, "/text", nil); a.body != "Hello API Event Received" {
		t.Errorf("without an event: %q", a.body)
	}
	// What the application refuses must come again.
	if a := post(t, "/status/down", []byte(`{"id":"3"}`)); a.status != 503 || a.body != "the application" {
		t.Errorf("refused: %d %q", a.status, a.body)
	}
}
