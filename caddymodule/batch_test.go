package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBatchFallsThrough shows that the events of a batch pass the routes that a
// single event would: what falls through a `handle` is not answered by the next
// one.
func TestBatchFallsThrough(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	handle /wotnot {
		webhooks wotnot {
			token {env.SECRET}
		}
		@created expression {http.webhooks.type} == "conversation.created"
		%s
	}
	handle {
		respond "catch-all" 200
	}
	`, strings.Replace(app.proxy(), "reverse_proxy", "reverse_proxy @created", 1)))
	wantStatus(t, 502, "/wotnot?token="+secret, []byte(`{"events":[{"event":{"type":"note"}}]}`))
	wantStatus(t, 502, "/wotnot?token="+secret, []byte(`{"events":[{"event":{"type":"note"}},{"event":{"type":"conversation_create"}}]}`))
	if sent := app.want(t, 1)[0].event(t); sent.Type != "conversation.created" {
		t.Errorf("got %s", sent.Type)
	}
}

// TestErrorStatus shows that an error of the next handler is never an answer of
// success, and that a batch has an answer of its own.
func TestErrorStatus(t *testing.T) {
	secret := secretIn(t, "SECRET")
	start(t, `
	webhooks wotnot {
		token {env.SECRET}
	}
	error /200 200
	error /404 404
	error /503 503
	`)
	one, two := batch("1:a"), batch("2:a", "3:b")
	for path, status := range map[string]int{"/200": 502, "/404": 404, "/503": 503} {
		wantStatus(t, status, path+"?token="+secret, one)
		wantStatus(t, 502, path+"?token="+secret, two)
	}
}

// TestAnswerBreaksOff shows that an answer of the application that breaks off is
// a failure of that event, and of no other.
func TestAnswerBreaksOff(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var breaks atomic.Bool
	breaks.Store(true)
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if breaks.Load() && n%2 == 1 {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("short"))
		}
	})
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	body := batch("1:a", "2:b")
	wantStatus(t, 502, "/?token="+secret, body)
	app.want(t, 2)
	wantStatus(t, 502, "/?token="+secret, batch("3:alone"))
	breaks.Store(false)
	wantStatus(t, 200, "/?token="+secret, body)
	if got := texts(t, app.want(t, 4)[3:]); got != "a" {
		t.Errorf("the retry forwarded %q", got)
	}
}

// TestEncodedAnswer shows that an answer is kept as the application gave it, also
// when a handler around encodes it for the client.
func TestEncodedAnswer(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"n":%d,"text":%q}`, n, strings.Repeat("x", 2000))
	})
	start(t, fmt.Sprintf(`
	encode gzip
	webhooks chatbot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	for range 2 {
		// Go's client asks for gzip and decodes it.
		a := wantStatus(t, 200, "/?token="+secret, []byte(`{"messageId":"m1"}`))
		if !strings.HasPrefix(a.body, `{"n":1,`) {
			t.Errorf("got %.20s", a.body)
		}
	}
	app.want(t, 1)
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

// TestCutShort shows that what may have held events is no handshake, however it
// begins.
func TestCutShort(t *testing.T) {
	secret := secretIn(t, "SECRET")
	start(t, `
	webhooks wotnot {
		token {env.SECRET}
	}
	`)
	for _, body := range []string{
		strings.Repeat(" ", 100) + `{"events":[{"a":1}`,
		"\xff\xfe{\x00\"\x00",
		"\ufeff{\"events\":[]}",
	} {
		wantStatus(t, 400, "/", []byte(body), "token", secret)
	}
}

// TestFailedLoad shows that a configuration that fails to load does not change
// what the running one remembers.
func TestFailedLoad(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	for n := range 3 {
		body, header, signature := notifly(secret, fmt.Sprint(n))
		wantStatus(t, 200, "/", body, header, signature)
	}
	// Its second site is on the application's port, so that it cannot start.
	bad := strings.Replace(g.config("bad"), "secret {env.SECRET}", "secret {env.SECRET}\n\t\tdedup 1h 1", 1) +
		fmt.Sprintf("\nhttp://%s {\n\trespond no\n}\n", strings.TrimPrefix(app.URL, "http://"))
	for range 5 {
		if status, _ := loadConfig(t, bad); status == 200 {
			t.Fatal("a configuration loaded that must not")
		}
	}
	for n := range 3 {
		body, header, signature := notifly(secret, fmt.Sprint(n))
		wantStatus(t, 200, "/", body, header, signature)
	}
	app.want(t, 3)
}

// TestSettingsFollow shows that a reload changes how much is remembered.
func TestSettingsFollow(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	send := func(id string) {
		t.Helper()
		body, header, signature := notifly(secret, id)
		wantStatus(t, 200, "/", body, header, signature)
	}
	send("a")
	send("b")
	g.site = strings.Replace(g.site, "secret {env.SECRET}", "secret {env.SECRET}\n\t\tdedup 1h 1", 1)
	g.load("smaller")
	send("b")
	app.want(t, 2)
	send("a")
	app.want(t, 3)
}
