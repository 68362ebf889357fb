package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestReceipt shows that a sender gets a receipt if it prefers one, that others do not,
// and that the application does not see the preference.
func TestReceipt(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("Webhook-Id", "of the application")
		w.Header().Set("Webhook-Outcome", "of the application")
		if r.Header.Get("X-Fail") != "" {
			w.WriteHeader(500)
			return
		}
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "the application's answer")
	})
	start(t, fmt.Sprintf(`
	webhooks /durable notifly {
		secret {env.SECRET}
		source /durable
		destination app {
			types message.*
			to {
				%[1]s
			}
		}
	}
	webhooks /direct notifly {
		secret {env.SECRET}
		source /direct
	}
	webhooks /batch wotnot {
		token {env.SECRET}
		source /batch
	}
	webhooks /chatbot chatbot {
		token {env.SECRET}
	}
	%[1]s
	`, app.proxy()), ownQueue(t))
	event := func(id, eventType string) []byte {
		return fmt.Appendf(nil, `{"id":%q,"type":%q,"payload":{"conversation_id":"c"}}`, id, eventType)
	}
	key := func(source, dedupKey string) string { return envelope.NewKey(source, dedupKey).String() }
	const prefer = "webhook-receipt"
	for _, c := range []struct {
		name, path, method string
		body               []byte
		prefer             string
		headers            []string
		status             int
		id, outcome        string // empty for no receipt
		text               string
	}{
		{"durable", "/durable", "POST", event("1", "message.created"), prefer, nil, 200, key("/durable", "message.created\x001"), "accepted", ""},
		{"durable, again", "/durable", "POST", event("1", "message.created"), prefer, nil, 200, key("/durable", "message.created\x001"), "duplicate", ""},
		{"durable, for nobody", "/durable", "POST", event("2", "contact.created"), prefer, nil, 200, key("/durable", "contact.created\x002"), "unrouted", ""},
		{"durable, without a preference", "/durable", "POST", event("3", "message.created"), "", nil, 200, "", "", ""},
		{"direct", "/direct", "POST", event("1", "message.created"), "respond-async, Webhook-Receipt ; a=b,wait=10", nil, 200, key("/direct", "message.created\x001"), "accepted", "the application's answer"},
		{"direct, again", "/direct", "POST", event("1", "message.created"), prefer, nil, 200, key("/direct", "message.created\x001"), "duplicate", ""},
		{"direct, failed", "/direct", "POST", event("2", "message.created"), prefer, []string{"X-Fail", "1"}, 500, "of the application", "of the application", ""},
		{"direct, another preference", "/direct", "POST", event("3", "message.created"), "webhook-receipts", nil, 200, "of the application", "of the application", "the application's answer"},
		{"direct, a signature of another key", "/direct", "POST", event("4", "message.created"), prefer, []string{"X-Notifly-Signature", strings.Repeat("0a", 32)}, 401, "", "", ""},
		{"a batch", "/batch", "POST", batch("1:a", "2:b"), prefer, nil, 200, key("/batch", "\x00"+envelope.Hash(string(batch("1:a")[len(`{"events":[`):len(batch("1:a"))-2]))), "accepted", secret},
		{"a handshake", "/batch", "POST", []byte(`{"events":[]}`), prefer, nil, 200, "", "handshake", secret},
		{"a challenge", "/chatbot?challenge=x&token=" + secret, "GET", nil, prefer, nil, 200, "", "handshake", "x"},
		{"a challenge without proof", "/chatbot?challenge=x", "GET", nil, prefer, nil, 401, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, c.path, c.body, c.headers...)
			r.Method = c.method
			if r.Header.Get("X-Notifly-Signature") == "" {
				r.Header.Set("X-Notifly-Signature", hexMAC(secret, c.body))
			}
			r.Header.Set("Token", secret)
			if c.prefer != "" {
				r.Header.Set("Prefer", c.prefer)
			}
			a := do(t, r)
			if a.status != c.status || a.body != c.text {
				t.Errorf("answered %d %q, want %d %q", a.status, a.body, c.status, c.text)
			}
			if id, outcome := strings.Join(a.header.Values("Webhook-Id"), "|"), strings.Join(a.header.Values("Webhook-Outcome"), "|"); id != c.id || outcome != c.outcome {
				t.Errorf("the receipt is %q %q, want %q %q", id, outcome, c.id, c.outcome)
			}
			applied := a.header.Get("Preference-Applied")
			if want := c.outcome != "" && c.outcome != "of the application"; (applied == prefer) != want || (applied == "") == want {
				t.Errorf("Preference-Applied: %q", applied)
			}
		})
	}
	waitDelivered(t, "app")
	for _, r := range app.requests() {
		for _, value := range r.Header.Values("Prefer") {
			if strings.Contains(strings.ToLower(value), prefer+" ") || value == prefer {
				t.Errorf("the application got Prefer: %s", value)
			}
		}
	}
	if got := app.toPath("/direct")[0].Header.Get("Prefer"); got != "respond-async,wait=10" {
		t.Errorf("the other preferences became %q", got)
	}
}
