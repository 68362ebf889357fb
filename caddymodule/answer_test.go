package caddymodule_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnswerPasses shows that a provider gets what the application answered.
func TestAnswerPasses(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("X-Application", "yes")
		w.WriteHeader([]int{http.StatusCreated, http.StatusTeapot}[(n-1)%2])
		fmt.Fprint(w, "as the application says")
	})
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))

	for i, status := range []int{http.StatusCreated, http.StatusTeapot} {
		body, header, signature := notifly(secret, fmt.Sprint(i))
		a := post(t, "/notifly", body, header, signature)
		if a.status != status || a.body != "as the application says" || a.header.Get("X-Application") != "yes" {
			t.Errorf("notifly: %+v", a)
		}
	}
	// WotNot reads its token, but only where the application accepted.
	a := post(t, "/wotnot", payload(t, "wotnot", "note"), "token", secret)
	if a.status != 200 || a.body != secret || a.header.Get("X-Application") != "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("wotnot accepted: %d %v", a.status, a.header)
	}
	a = post(t, "/wotnot", payload(t, "wotnot", "status"), "token", secret)
	if a.status != http.StatusTeapot || a.body != "as the application says" || a.header.Get("X-Application") != "yes" {
		t.Errorf("wotnot refused: %+v", a)
	}
}

// TestChatbot shows that the application's answer is the provider's, and that a
// repeat gets the first one again.
func TestChatbot(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Header.Get("X-Case") {
		case "fails once":
			if n == 2 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		case "long":
			fmt.Fprint(w, strings.Repeat("x", 65<<10))
		}
		fmt.Fprintf(w, `{"responses":[{"n":%d}]}`, n)
	})
	start(t, fmt.Sprintf(`
	webhooks chatbot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	ask := func(id, name string) answer {
		t.Helper()
		return post(t, "/?token="+secret, fmt.Appendf(nil, `{"messageId":%q,"chatId":"c"}`, id), "X-Case", name)
	}
	for range 2 {
		a := ask("m1", "")
		if a.status != 200 || a.body != `{"responses":[{"n":1}]}` || a.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%+v", a)
		}
	}
	app.want(t, 1)
	if a := ask("m2", "fails once"); a.status != 500 || a.body != `{"responses":[{"n":2}]}` {
		t.Errorf("%+v", a)
	}
	if a := ask("m2", "fails once"); a.status != 200 || a.body != `{"responses":[{"n":3}]}` {
		t.Errorf("%+v", a)
	}
	// An answer that is too long to keep is asked for again.
	for n := 4; n <= 5; n++ {
		if a := ask("m3", "long"); a.status != 200 || !strings.HasSuffix(a.body, fmt.Sprintf(`{"n":%d}]}`, n)) {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
	}
	// A missing id makes no two events the same, and is counted.
	for i := range 2 {
		if a := post(t, "/?token="+secret, fmt.Appendf(nil, `{"chatId":"no-id-%d"}`, i)); a.status != 200 {
			t.Error(a.status)
		}
	}
	app.want(t, 7)
	if n := metric(t, `caddy_webhooks_missing_ids_total{provider="chatbot"}`); n != "2" {
		t.Errorf("%s missing ids counted", n)
	}
}

// TestUpstreamFails shows that an event that the application did not accept is
// not remembered: the provider's retry gets through.
func TestUpstreamFails(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	g := startNotifly(t, app)
	body, header, signature := notifly(secret, "fails")
	wantStatus(t, 503, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
	if len(g.logLines("webhook refused", `"reason":"upstream"`, `"status":503`)) != 1 {
		t.Error("the failure is not in the log")
	}

	app.Close()
	body, header, signature = notifly(secret, "down")
	if a := post(t, "/", body, header, signature); a.status != 502 {
		t.Errorf("the application is down: %d", a.status)
	}
}

// TestNothingAnswers shows that a request that no handler answers does not succeed.
func TestNothingAnswers(t *testing.T) {
	secret := secretIn(t, "SECRET")
	start(t, `
	webhooks notifly {
		secret {env.SECRET}
	}
	`)
	body, header, signature := notifly(secret, "none")
	wantStatus(t, 502, "/", body, header, signature)
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

// TestPanic shows that a panic of the application's handler frees the event.
func TestPanic(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.SECRET}
	}
	test_panic
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "panic")
	if _, err := try(request(t, "/?panic=1", body, header, signature)); err == nil {
		t.Error("a panic was answered")
	}
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 1)
}

// TestClientLeaves shows that a client that goes away before the application
// answered does not make its event accepted.
func TestClientLeaves(t *testing.T) {
	secret := secretIn(t, "SECRET")
	reached, left := make(chan struct{}, 1), make(chan struct{})
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			reached <- struct{}{}
			<-r.Context().Done()
			close(left)
		}
	})
	startNotifly(t, app)
	body, header, signature := notifly(secret, "leaves")
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = try(request(t, "/", body, header, signature).WithContext(ctx))
	}()
	receive(t, reached)
	leave()
	receive(t, done)
	receive(t, left)
	wantStatus(t, 200, "/", body, header, signature)
	app.want(t, 2)
}
