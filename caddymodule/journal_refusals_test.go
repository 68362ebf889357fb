package caddymodule_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// TestRefusalsExplained shows that the journal and the log say why a request was refused,
// without a credential or a value of a header, and that the sender learns none of it.
func TestRefusalsExplained(t *testing.T) {
	secret, other := secretIn(t, "SECRET"), secretIn(t, "OTHER")
	password, static := secretIn(t, "PASSWORD"), secretIn(t, "STATIC")
	app := startApplication(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(503) })
	g := start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET} {env.OTHER}
		max_body 1KiB
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		basic_auth user {env.PASSWORD}
		header X-Static {env.STATIC}
	}
	webhooks /timed timed {
		secret {env.SECRET}
		tolerance 1m
	}
	%s
	handle_errors {
		respond "{err.message}" {err.status_code}
	}
	`, app.proxy()), `webhooks {
		provider timed {
			verify hmac sha256 {
				signature header X-Acme-Signature
				content $timestamp.$body
				timestamp header X-Time
			}
			type always message.created
		}
	}`)
	body, header, right := notifly(secret, "1")
	basic := func(user, password string) string {
		r := &http.Request{Header: make(http.Header)}
		r.SetBasicAuth(user, password)
		noteSecret(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
		return r.Header.Get("Authorization")
	}
	timed := func(age time.Duration) []string {
		at := fmt.Sprint(time.Now().Add(-age).Unix())
		return []string{"X-Time", at, "X-Acme-Signature", hexMAC(secret, append([]byte(at+"."), body...))}
	}
	third := newSecret()
	for _, c := range []struct {
		name, method, path string
		body               []byte
		headers            []string
		want               journal.Refusal // the part that the test compares
	}{
		{"no signature", "POST", "/notifly", body, nil,
			journal.Refusal{Reason: "missing_credential", Status: 401, Cause: "no credential presented: header X-Notifly-Signature is not there, or empty"}},
		{"malformed", "POST", "/notifly", body, []string{header, strings.ToUpper(right)},
			journal.Refusal{Reason: "bad_credential", Status: 401, Cause: "credential does not match: the signature in header X-Notifly-Signature is malformed: it should be 32 bytes in hex"}},
		{"another key", "POST", "/notifly", body, []string{header, hexMAC(third, body)},
			journal.Refusal{Reason: "bad_credential", Status: 401, Cause: "credential does not match: the signature in header X-Notifly-Signature is well-formed, but not by any of the 2 configured keys over this content; compare the keys, and check that nothing changes the body on its way"}},
		{"no token", "POST", "/ndoto?tokem=x", body, nil,
			journal.Refusal{Reason: "missing_credential", Status: 401, Cause: "no credential presented: no token in query parameter token"}},
		{"wrong token", "POST", "/ndoto?token=" + third, body, nil,
			journal.Refusal{Reason: "bad_credential", Status: 401, Cause: "credential does not match: the token in query parameter token is not the configured one"}},
		{"no password", "POST", "/wotnot", batch("1:a"), []string{"token", secret, "X-Static", static},
			journal.Refusal{Reason: "missing_credential", Status: 401, Cause: "no credential presented: header Authorization is not there, or empty"}},
		{"wrong password", "POST", "/wotnot", batch("1:a"), []string{"token", secret, "X-Static", static, "Authorization", basic("user", other)},
			journal.Refusal{Reason: "bad_credential", Status: 401, Cause: "credential does not match: another password than in `basic_auth`"}},
		{"wrong header", "POST", "/wotnot", batch("1:a"), []string{"token", secret, "X-Static", other, "Authorization", basic("user", password)},
			journal.Refusal{Reason: "bad_credential", Status: 401, Cause: "credential does not match: header X-Static has another value than in `header`"}},
		{"stale", "POST", "/timed", body, timed(2*time.Hour + 500*time.Millisecond),
			journal.Refusal{Reason: "stale_timestamp", Status: 401, Cause: "timestamp out of tolerance: the timestamp is 2h0m0s old, and `tolerance` is 1m0s"}},
		{"no timestamp", "POST", "/timed", body, timed(0)[2:],
			journal.Refusal{Reason: "missing_credential", Status: 401, Cause: "no credential presented: header X-Time is not there, or empty"}},
		{"too large", "POST", "/notifly", make([]byte, 1025), []string{header, right},
			journal.Refusal{Reason: "too_large", Status: 413, Cause: "the body has 1025 bytes, and `max_body` is 1024"}},
		{"empty", "POST", "/notifly", nil, []string{header, hexMAC(secret, nil)},
			journal.Refusal{Reason: "malformed", Status: 400, Cause: "not JSON: the body is empty"}},
		{"another method", "PUT", "/notifly", body, []string{header, right},
			journal.Refusal{Reason: "method", Status: 405, Cause: "method not allowed; the provider uses POST"}},
		{"refused by the application", "POST", "/notifly", body, []string{header, right},
			journal.Refusal{Reason: "upstream", Status: 503, Cause: "the application answered 503"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, c.path, c.body, c.headers...)
			r.Method = c.method
			a := do(t, r)
			if a.status != c.want.Status {
				t.Fatalf("answered %d, want %d", a.status, c.want.Status)
			}
			if c.want.Status == 401 && strings.Contains(a.body, c.want.Cause) {
				t.Errorf("the sender learns why: %s", a.body)
			}
			got := refusals(t, 1)[0]
			// A second may begin while the request is on its way.
			got.Cause = strings.Replace(got.Cause, "2h0m1s", "2h0m0s", 1)
			if got.Reason != c.want.Reason || got.Status != c.want.Status || got.Cause != c.want.Cause {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			path, _, _ := strings.Cut(c.path, "?")
			if got.Method != c.method || got.Path != path || got.ClientIP == "" || got.Source == "" || time.Since(got.Time) > time.Minute {
				t.Errorf("%+v", got)
			}
			if want := int64(len(c.body)); got.Size != want && c.want.Status != 413 && c.want.Status != 405 {
				t.Errorf("size %d, want %d", got.Size, want)
			}
			if c.want.Reason != "upstream" {
				for i := 0; i < len(c.headers); i += 2 {
					if !slices.Contains(got.Headers, http.CanonicalHeaderKey(c.headers[i])) {
						t.Errorf("no %s in %q", c.headers[i], got.Headers)
					}
				}
			}
			if slices.ContainsFunc(got.Headers, func(name string) bool { return strings.HasPrefix(name, "Webhook-") }) {
				t.Errorf("headers of the gateway are in %q", got.Headers)
			}
			begin, _, _ := strings.Cut(c.want.Cause, "0s")
			quoted := strings.TrimSuffix(fmt.Sprintf("%q", begin), `"`)
			if lines := g.logLines("webhook refused", `"cause":`+quoted); len(lines) == 0 {
				t.Errorf("no cause %s in the log", quoted)
			}
		})
	}
	if metric(t, `caddy_webhooks_last_accepted_timestamp_seconds{provider="notifly"}`) != "" {
		t.Error("a refused event counts as accepted")
	}
	b := blockOf(t, "/webhooks/notifly")
	if b.LastRefusedReason != "upstream" || b.LastRefused.IsZero() || !b.LastAccepted.IsZero() || b.RefusedPerMinute != 7 || b.LastSecret != 1 {
		t.Errorf("%+v", b)
	}
}

// TestRefusalsBounded shows that what strangers send takes little room, and that the last
// thousand are remembered.
func TestRefusalsBounded(t *testing.T) {
	secretIn(t, "SECRET")
	startNotifly(t, startApplication(t))
	r := request(t, "/"+strings.Repeat("ü", 500), []byte("{}"))
	r.Method = strings.Repeat("M", 20)
	for i := range 60 {
		r.Header.Set(fmt.Sprintf("X-%0*d", 100, i), strings.Repeat("v", 100))
	}
	if a := do(t, r); a.status != 405 {
		t.Fatalf("answered %d", a.status)
	}
	got := refusals(t, 1)[0]
	if len(got.Path) > 260 || !utf8.ValidString(got.Path) || len(got.Method) != 16 || len(got.Headers) != 50 {
		t.Errorf("%+v", got)
	}
	for _, name := range got.Headers {
		if len(name) > 64 {
			t.Errorf("a name of %d bytes", len(name))
		}
	}
	for range 1100 {
		wantStatus(t, 401, "/", []byte("{}"))
	}
	j := runningJournal(t)
	var cursor string
	total := 0
	for {
		page, err := j.Refusals(journal.RefusalFilter{Provider: "notifly", Reason: "missing_credential"}, journal.Page{Cursor: cursor, Limit: 300})
		if err != nil {
			t.Fatal(err)
		}
		total += len(page.Refusals)
		wantStatus(t, 401, "/", []byte("{}")) // pushes one out that is still to come
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if total != 997 {
		t.Errorf("%d refusals on all pages, want 1000 less those that were pushed out", total)
	}
	if none, err := j.Refusals(journal.RefusalFilter{Provider: "wotnot"}, journal.Page{Limit: 300}); err != nil || len(none.Refusals) > 0 {
		t.Errorf("%+v, %v", none, err)
	}
}
