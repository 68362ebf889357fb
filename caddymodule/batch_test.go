package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBatch shows that a batch is split in order, that after a failed event the
// others go on except those of its partition key, and that the retry delivers
// only what is missing.
func TestBatch(t *testing.T) {
	secret := secretIn(t, "SECRET")
	var fail atomic.Bool
	app := startApplication(t, nil)
	app.answer = func(w http.ResponseWriter, r *http.Request, n int) {
		if fail.Load() && strings.Contains(texts(t, app.requests()[n-1:]), "bad") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	// Two groups of routes behind it: each event must pass both anew.
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	@never header X-Never *
	handle @never {
		respond 500
	}
	handle {
		uri strip_prefix /in
		%s
	}
	`, app.proxy()))

	fail.Store(true)
	body := batch("1:a", "2:bad", "3:c", "2:later")
	if a := post(t, "/in/x?token="+secret, body); a.status != 502 || strings.Contains(a.body, secret) {
		t.Fatalf("a batch with a failed event: %d", a.status)
	}
	if got := texts(t, app.requests()); got != "a bad c" {
		t.Fatalf("forwarded %q", got)
	}
	for _, r := range app.requests() {
		if r.URI != "/x" {
			t.Errorf("URI %q: what a handler did to one event reached the next", r.URI)
		}
		checkForwarded(t, r)
	}
	fail.Store(false)
	if a := wantStatus(t, 200, "/in/x?token="+secret, body); a.body != secret {
		t.Error("no token back")
	}
	if got := texts(t, app.requests()[3:]); got != "bad later" {
		t.Fatalf("the retry forwarded %q", got)
	}
	wantStatus(t, 200, "/in/x?token="+secret, body)
	app.want(t, 5)

	// The same event twice in one request is one event.
	wantStatus(t, 200, "/in/x?token="+secret, batch("4:twice", "4:twice"))
	app.want(t, 6)
}

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
