package caddymodule_test

import (
	"fmt"
	"testing"
)

// TestJournalHidesHeaders shows that credentials for a handler before the block, or for
// the application, are handed over and not shown.
func TestJournalHidesHeaders(t *testing.T) {
	secret, password, session := secretIn(t, "SECRET"), newSecret(), newSecret()
	app := startApplication(t, nil)
	start(t, fmt.Sprintf(`
	webhooks /direct notifly {
		secret {env.SECRET}
		source /direct
	}
	webhooks /durable notifly {
		secret {env.SECRET}
		source /durable
		destination crm {
			attempts 1
			to {
				%s
			}
		}
	}
	%[1]s
	`, app.proxy()), ownQueue(t))
	for n, path := range []string{"/direct", "/durable"} {
		body, header, signature := notifly(secret, fmt.Sprint(n))
		post(t, path, body, header, signature, "Authorization", "Bearer "+password, "Proxy-Authorization", "Basic "+password, "Cookie", "session="+session, "X-Own", "1")
		waitFor(t, func() bool { return len(app.requests()) == n+1 })
		if got := app.requests()[n].Header; got.Get("Authorization") != "Bearer "+password || got.Get("Cookie") != "session="+session {
			t.Errorf("%s: the application got %v", path, got)
		}
		shown := historyOf(t, events(t, 1)[0].ID).Request.Header
		for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
			if shown.Get(name) != "" {
				t.Errorf("%s: %s is shown", path, name)
			}
		}
		if shown.Get("X-Own") != "1" {
			t.Errorf("%s: %v", path, shown)
		}
	}
}
