package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestCredentialsInLogs shows that with the documented filter Caddy's own lines
// hold no credential either: TestMain looks for them.
func TestCredentialsInLogs(t *testing.T) {
	secret := secretIn(t, "SECRET")
	g := start(t, `
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
	}
	reverse_proxy localhost:1
	`)
	item := payload(t, "wotnot", "note")
	post(t, "/wotnot?a=b&token="+secret, item)
	post(t, "/wotnot", item, "token", secret)
	post(t, "/wotnot", item, "x-wotnot-token", secret)
	post(t, "/wotnot", item, "Authorization", "Bearer "+secret)
	post(t, "/ndoto?token="+secret, payload(t, "ndoto", "message_created"))
	waitFor(t, func() bool { return len(g.logLines("http.log.access")) == 5 })
	if len(g.logLines("http.log.error", "connection refused")) == 0 {
		t.Error("Caddy logged no error: the test looks at nothing")
	}
	if len(g.logLines(`"logger":"webhooks.credentials"`, "access and error logs contain these credentials", `"providers":["ndoto","wotnot"]`, `"query":["token"]`)) != 1 {
		t.Error("not one warning about all credentials")
	}
}

// TestWarningsOfConfig shows the warnings about a block that loads and is probably not
// meant: one that accepts everything, and one with a misspelt type.
func TestWarningsOfConfig(t *testing.T) {
	g := start(t, `
	webhooks notifly {
		unverified
		destination crm {
			types mesage.* message.* *.created notifly.call.ended
			to {
				respond 204
			}
		}
	}
	`, ownQueue(t))
	if n := len(g.logLines(`"level":"warn"`, "accepts unauthenticated requests", `"source":"/webhooks/notifly"`)); n != 1 {
		t.Errorf("%d warnings about unverified", n)
	}
	if n := len(g.logLines(`"level":"warn"`, "matches no type of the provider")); n != 1 {
		t.Errorf("%d warnings about types, want 1", n)
	}
	if n := len(g.logLines("matches no type of the provider", `"destination":"crm"`, `"pattern":"mesage.*"`, `"nearest":"message.*"`)); n != 1 {
		t.Error("the misspelt type has no warning")
	}
}

// TestDebugLog shows the lines at level debug about a request: proved by which secret,
// and a duplicate of which event.
func TestDebugLog(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := start(t, fmt.Sprintf(`
	webhooks notifly {
		secret another {env.SECRET}
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "1")
	for range 2 {
		wantStatus(t, 200, "/", body, header, signature)
	}
	for _, c := range []struct {
		message, field string
		lines          int
	}{
		{"proved", `"secret":2`, 2},
		{"duplicate", `"id":"` + keyOf("1") + `","source":"/webhooks/notifly"`, 1},
	} {
		if n := len(g.logLines(`"level":"debug"`, `"logger":"http.handlers.webhooks"`, `"msg":"`+c.message+`"`, c.field)); n != c.lines {
			t.Errorf("%d lines %q with %s, want %d", n, c.message, c.field, c.lines)
		}
	}
}

// TestRefusalsAreSampled shows that junk cannot flood the log.
func TestRefusalsAreSampled(t *testing.T) {
	secretIn(t, "SECRET")
	g := start(t, `
	webhooks notifly {
		secret {env.SECRET}
	}
	`)
	for range 200 {
		wantStatus(t, 401, "/", []byte("junk"))
	}
	waitFor(t, func() bool {
		n := 0
		for _, line := range g.logLines("more webhooks refused", `"reason":"missing_credential"`) {
			var more struct{ Count int }
			_ = json.Unmarshal([]byte(line), &more)
			n += more.Count
		}
		return n+len(g.logLines(`"msg":"webhook refused"`)) == 200
	})
	if n := len(g.logLines(`"msg":"webhook refused"`)); n > 100 {
		t.Errorf("%d lines for 200 refusals", n)
	}
}

// TestRefusalsAreSampledByProvider shows that junk for one provider does not hide
// the single line of another, and that what is left out is counted by provider.
func TestRefusalsAreSampledByProvider(t *testing.T) {
	secretIn(t, "SECRET")
	g := start(t, `
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	`)
	const forged = 65
	for range forged {
		wantStatus(t, 401, "/wotnot", []byte("junk"), "token", "forged")
	}
	wantStatus(t, 401, "/notifly", []byte("junk"), "X-Notifly-Signature", strings.Repeat("ab", 32))
	const reason = `"reason":"bad_credential"`
	if n := len(g.logLines(`"msg":"webhook refused"`, reason, `"provider":"notifly"`)); n != 1 {
		t.Errorf("%d lines for the one refusal of notifly", n)
	}
	waitFor(t, func() bool {
		n := len(g.logLines(`"msg":"webhook refused"`, reason, `"provider":"wotnot"`))
		for _, line := range g.logLines("more webhooks refused", reason) {
			var more struct{ Count int }
			_ = json.Unmarshal([]byte(line), &more)
			n += more.Count
		}
		return n >= forged
	})
	if all, of := len(g.logLines("more webhooks refused", reason)), len(g.logLines("more webhooks refused", reason, `"provider":"wotnot"`)); all == 0 || of != all {
		t.Errorf("%d lines count what was left out, %d of them name its provider", all, of)
	}
}
