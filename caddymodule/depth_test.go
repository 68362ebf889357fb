package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestDepth shows that a payload that is nested deeper than 60 is refused, so that
// no envelope is deeper than 64, which common parsers read.
func TestDepth(t *testing.T) {
	const deepest, deepestEnvelope = 60, 64
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := start(t, fmt.Sprintf(`
	webhooks /direct notifly {
		secret {env.SECRET}
	}
	webhooks /original notifly {
		secret {env.SECRET}
		source /original
		format original
	}
	webhooks /durable notifly {
		secret {env.SECRET}
		source /durable
		destination app {
			to {
				%[1]s
			}
		}
	}
	%[1]s
	`, app.proxy()), ownQueue(t))
	send := func(path string, depth, status int) {
		t.Helper()
		for _, body := range []string{
			strings.Repeat(`{"payload":`, depth-1) + "{}" + strings.Repeat("}", depth-1),
			`{"payload":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}",
		} {
			wantStatus(t, status, path, []byte(body), "X-Notifly-Signature", hexMAC(secret, []byte(body)))
		}
	}
	for i, path := range []string{"/direct", "/original", "/durable"} {
		send(path, deepest, 200)
		if path == "/durable" {
			waitDelivered(t, "app")
		}
		for _, sent := range app.want(t, 2*(i+1))[2*i:] {
			if depth := depthOf(sent.Body); depth > deepestEnvelope {
				t.Errorf("%s: the application got JSON of depth %d", path, depth)
			}
		}
	}
	for _, path := range []string{"/direct", "/original", "/durable"} {
		send(path, deepest+1, 400)
		send(path, 129, 400)
	}
	if n := metric(t, `caddy_webhooks_requests_total{outcome="too_deep",provider="notifly"}`); n != "12" {
		t.Errorf("%s requests are counted as too_deep, want 12", n)
	}
	if len(g.logLines("webhook refused", `"reason":"too_deep"`, `"status":400`)) == 0 {
		t.Error("no too_deep in the log")
	}
	app.want(t, 6)
}

// depthOf is how deep a text of JSON without brackets in its strings is nested.
func depthOf(body []byte) (deepest int) {
	depth := 0
	for _, c := range body {
		switch c {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}
