package caddymodule_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestFixtures sends every fixture, proved as its provider proves it, and compares
// what the application gets with the golden envelope. Every built-in provider has one.
func TestFixtures(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	var site strings.Builder
	for _, name := range provider.Builtin() {
		fmt.Fprintf(&site, "webhooks /%s %[1]s {\n%s\nsign {env.WEBHOOKS_TEST_SIGN}\n}\n", name, credentialsOf(t, name))
	}
	start(t, site.String()+app.proxy())
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	covered := make(map[string]bool)
	for _, f := range all {
		covered[f.Provider] = true
		t.Run(f.Provider+"/"+f.Event, func(t *testing.T) {
			r, err := f.To(gatewayURL + "/" + f.Provider + "?kept=1")
			if err != nil {
				t.Fatal(err)
			}
			prove(t, r, f, secret)
			before := len(app.requests())
			if a := do(t, r); a.status != 200 {
				t.Fatalf("answered %d %q", a.status, a.body)
			}
			var envelopes []byte
			for _, sent := range app.requests()[before:] {
				checkForwarded(t, sent)
				envelopes = append(append(envelopes, sent.Body...), '\n')
				if strings.Contains(fmt.Sprint(sent), secret) {
					t.Error("a credential was forwarded")
				}
			}
			checkGolden(t, f, envelopes)
		})
	}
	for _, name := range provider.Builtin() {
		if !covered[name] {
			t.Errorf("%s has no fixture", name)
		}
	}
}

// credentialsOf returns the line of a block that its provider needs to prove itself.
func credentialsOf(t *testing.T, name string) string {
	t.Helper()
	p, ok := provider.Get(name)
	switch needs := p.Needs(); {
	case !ok:
		t.Fatalf("no provider %s", name)
	case needs.Secret:
		return "secret {env.SECRET}"
	case needs.Token:
		return "token {env.SECRET}"
	}
	return "basic_auth user {env.SECRET}"
}

// prove makes a request prove itself as the provider of a fixture does.
func prove(t *testing.T, r *http.Request, f fixtures.Fixture, secret string) {
	t.Helper()
	p, _ := provider.Get(f.Provider)
	proof := p.Spec().Verify
	switch {
	case proof.Signature != nil || proof.JWT != nil:
		signed := &verify.Request{
			Method: r.Method, URI: r.URL.RequestURI(), Query: r.URL.RawQuery, Header: r.Header, Body: f.Body, Time: time.Now(),
		}
		p.Attach(signed)
		if err := proof.Sign(signed, secret); err != nil {
			t.Fatal(err)
		}
	case proof.Token != nil:
		proof.Token.Places[0].Present(r, secret)
	default:
		r.SetBasicAuth("user", secret)
	}
}

// checkGolden compares envelopes with the golden file beside the fixture.
func checkGolden(t *testing.T, f fixtures.Fixture, envelopes []byte) {
	t.Helper()
	envelopes = recorded.ReplaceAll(envelopes, []byte(`"recordedtime":"2026-11-20T12:00:00.000000Z"`))
	if *update {
		if err := os.WriteFile(filepath.Join("../fixtures", f.EnvelopePath()), envelopes, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := f.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(envelopes, want) {
		t.Error(firstDifference(string(envelopes), string(want)))
	}
}

// TestHostile shows that odd but valid JSON becomes a faithful envelope.
func TestHostile(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	digits := strings.Repeat("9", 400)
	for n, c := range []struct{ body, wantID string }{
		{`{}`, ""},
		{`{"id":"1","id":"2","type":"a","type":"b","payload":{},"payload":{"id":1}}`, "1"},
		{`{"id":` + digits + `,"type":"message.created","payload":{"created_at":` + digits + `,"id":1e999}}`, digits},
		{`{"id":"a\u0000b","type":"message.created"}`, ""},
		{`{"id":"\ud800","type":"\udfff","payload":{"message":"\ud800 lone"}}`, ""},
		{`{"id":"` + strings.Repeat("x", 5000) + `","type":"` + strings.Repeat("y", 5000) + `"}`, ""},
		{`{"id":{"a":1},"type":["x"],"payload":"not an object"}`, ""},
		{`{"id":7525695,"type":"message.created","payload":{"message":"\u2028<\/script>\"\\"}}`, "7525695"},
		{`{"id":"z","type":"weird type/with \"quotes\"","payload":null}`, "z"},
		{"  \n{\"id\":\"space\"}\r\n ", "space"},
		{strings.Repeat(`{"payload":`, 59) + "{}" + strings.Repeat("}", 59), ""},
	} {
		body := []byte(c.body)
		wantStatus(t, 200, "/notifly", body, "X-Notifly-Signature", hexMAC(secret, body))
		sent := app.want(t, n+1)[n]
		checkForwarded(t, sent)
		e := sent.event(t)
		if original := strings.TrimSpace(c.body); string(e.Data["original"]) != original {
			t.Errorf("%.60s: the original changed: %.200s", c.body, e.Data["original"])
		}
		if c.wantID == "" {
			c.wantID = envelope.Hash(c.body)
		}
		if e.ID != c.wantID {
			t.Errorf("%.60s: id %.60s, want %.60s", c.body, e.ID, c.wantID)
		}
	}
	before := len(app.requests())
	wantStatus(t, 200, "/wotnot", []byte(`{"events":[{},{"event":[]}]}`), "token", secret)
	for _, sent := range app.want(t, before+2)[before:] {
		checkForwarded(t, sent)
		if sent.event(t).Type != "wotnot.unknown" {
			t.Errorf("type %s", sent.event(t).Type)
		}
	}
}
