package caddymodule_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestFixtures sends every fixture, proved as its provider proves it, and
// compares what the application gets with the golden envelope.
func TestFixtures(t *testing.T) {
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
	webhooks /chatbot chatbot {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /ndoto ndoto {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	webhooks /oneroute oneroute {
		token {env.SECRET}
		sign {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 52 {
		t.Errorf("%d fixtures, want 52", len(all))
	}
	for i, f := range all {
		t.Run(f.Provider+"/"+f.Event, func(t *testing.T) {
			path, headers := "/"+f.Provider, []string{"X-Notifly-Signature", hexMAC(secret, f.Payload)}
			if f.Provider != "notifly" {
				path += "?token=" + secret + "&kept=1"
				headers = nil
			}
			wantStatus(t, 200, path, f.Payload, headers...)
			sent := app.want(t, i+1)[i]
			checkForwarded(t, sent)
			checkGolden(t, f, sent.Body)
			if strings.Contains(fmt.Sprint(sent), secret) {
				t.Error("a credential was forwarded")
			}
		})
	}
}

// checkGolden compares an envelope with the golden file beside the fixture.
func checkGolden(t *testing.T, f fixtures.Fixture, body []byte) {
	t.Helper()
	body = append(recorded.ReplaceAll(body, []byte(`"recordedtime":"2026-11-20T12:00:00.000000Z"`)), '\n')
	if *update {
		if err := os.WriteFile(filepath.Join("../fixtures", f.EnvelopePath()), body, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := f.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, want) {
		t.Error(firstDifference(string(body), string(want)))
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
	wantStatus(t, 200, "/wotnot", []byte(`{"events":[1,"x",null,[],{},{"event":[]}]}`), "token", secret)
	for _, sent := range app.want(t, before+6)[before:] {
		checkForwarded(t, sent)
		if sent.event(t).Type != "wotnot.unknown" {
			t.Errorf("type %s", sent.event(t).Type)
		}
	}
}
