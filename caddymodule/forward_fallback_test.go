package caddymodule_test

import (
	"fmt"
	"net/http"
	"testing"
)

// TestFallback shows that handle_errors can hand an event on if the application is
// down: with its id and signature, and without the sender's.
func TestFallback(t *testing.T) {
	secret := secretIn(t, "SECRET")
	fallback := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	reverse_proxy 127.0.0.1:1
	handle_errors {
		%s
	}
	`, fallback.proxy()))
	r := request(t, "/?token="+secret, batch("1:a"), "Webhook-Id", "forged", "Svix-Id", "forged")
	if a := do(t, r); a.status != http.StatusOK {
		t.Fatalf("answered %d %q", a.status, a.body)
	}
	sent := fallback.want(t, 1)[0]
	checkForwarded(t, sent)
	if id := sent.Header.Get("Svix-Id"); id != "" {
		t.Errorf("the fallback gets Svix-Id %s", id)
	}
}
