package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestMessageID shows {http.webhooks.message_id}: the name under which commands
// and the API know an event.
func TestMessageID(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	upstream := strings.Replace(app.proxy(), "reverse_proxy ", "", 1)
	g := start(t, fmt.Sprintf(`
	log_append message_id {http.webhooks.message_id}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /durable notifly {
		secret {env.SECRET}
		source /durable
		destination app {
			to {
				reverse_proxy %[1]s {
					header_up X-Message-Id "[{http.webhooks.message_id}]"
				}
			}
		}
	}
	webhooks /direct notifly {
		secret {env.SECRET}
	}
	reverse_proxy %[1]s {
		header_up X-Message-Id "[{http.webhooks.message_id}]"
	}
	handle_errors {
		respond "[{http.webhooks.message_id}] [{http.webhooks.id}]"
	}
	`, upstream), ownQueue(t))
	logged := func(id string, n int) {
		t.Helper()
		waitFor(t, func() bool { return len(g.logLines("handled request", `"message_id":"`+id+`"`)) == n })
	}

	body, header, signature := notifly(secret, "1")
	wantStatus(t, 200, "/direct", body, header, signature)
	// A batch has one for each event.
	wantStatus(t, 200, "/wotnot?token="+secret, batch("1:a", "2:b"))
	body, header, signature = notifly(secret, "2")
	wantStatus(t, 200, "/durable", body, header, signature)
	waitDelivered(t, "app")
	requests := app.want(t, 4)
	for _, r := range requests {
		id := r.Header.Get("Webhook-Id")
		if got := r.Header.Get("X-Message-Id"); got != "["+id+"]" {
			t.Errorf("%s: the placeholder is %s, and the webhook-id %s", r.URI, got, id)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	logged(keyOf("1"), 1)
	logged(requests[3].Header.Get("Webhook-Id"), 1)

	// No event is known of a request that is refused.
	if a := post(t, "/direct", body, header, "00"); a.status != 401 || a.body != "[] []" {
		t.Errorf("handle_errors answers %d %s", a.status, a.body)
	}
	logged("", 1)
}
