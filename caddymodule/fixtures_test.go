package caddymodule_test

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestFixtures sends every fixture, proved as its provider proves it, and compares
// what the application gets with the golden envelope. Then it sends forgeries of it.
// Every built-in provider has a fixture.
func TestFixtures(t *testing.T) {
	app, vendors := startVendors(t, provider.Builtin()...)
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	ways := make(map[string][]vendor)
	for _, f := range all {
		v := vendors[f.Provider]
		if ways[f.Provider] == nil {
			ways[f.Provider] = v.ways(t)
		}
		t.Run(f.Provider+"/"+f.Event, func(t *testing.T) {
			checkFixture(t, app, v, f)
			for _, way := range ways[f.Provider] {
				for _, recorded := range v.recordings(t, f) {
					checkForgeries(t, app, way, recorded)
				}
			}
		})
	}
	for _, name := range provider.Builtin() {
		if ways[name] == nil {
			t.Errorf("%s has no fixture", name)
		}
	}
}

// checkFixture sends a fixture, and compares what comes of it with the golden envelopes.
func checkFixture(t *testing.T, app *application, v vendor, f fixtures.Fixture) {
	t.Helper()
	before := len(app.requests())
	proved := v.proved(t, v.received(f))
	v.wantTaken(t, proved)
	var envelopes []byte
	for _, sent := range app.requests()[before:] {
		checkForwarded(t, sent)
		checkKept(t, sent, v.secret)
		envelopes = append(append(envelopes, sent.Body...), '\n')
	}
	checkGolden(t, f, v.withHashes(t, envelopes, proved, f))
}

// wantTaken sends a request, which must be taken.
func (v vendor) wantTaken(t *testing.T, proved fixtures.Request) {
	t.Helper()
	if a := do(t, to(t, proved)); a.status != cmp.Or(v.Spec().Reply.Status, 200) {
		t.Fatalf("answered %d %q", a.status, a.body)
	}
}

// checkForgeries shows that a recorded request is taken if it is proved in one place, also
// late, and that all that is made of it without the key is refused and not forwarded.
func checkForgeries(t *testing.T, app *application, v vendor, recorded fixtures.Request) {
	t.Helper()
	v.wantTaken(t, v.proved(t, recorded))
	if v.Needs().Timestamp {
		v.wantTaken(t, v.provedAt(t, recorded, time.Now().Add(time.Minute-v.tolerance)))
	}
	before := len(app.requests())
	for _, forged := range append(v.forgeries(t, recorded), forgery{"no proof", recorded}) {
		if a := do(t, to(t, forged.Request)); a.status != 401 || a.body != "" {
			t.Errorf("%s: answered %d %q", forged.name, a.status, a.body)
		}
	}
	if forwarded := len(app.requests()) - before; forwarded > 0 {
		t.Errorf("%d forgeries were forwarded", forwarded)
	}
}

// checkKept checks that a credential is not forwarded.
func checkKept(t *testing.T, sent got, secret string) {
	t.Helper()
	if strings.Contains(sent.URI+fmt.Sprint(sent.Header)+string(sent.Body), secret) {
		t.Error("a credential was forwarded")
	}
}

// withHashes replaces the hashes of events, whose bytes a proof in the body changes, with
// those of the fixture.
func (v vendor) withHashes(t *testing.T, envelopes []byte, proved fixtures.Request, f fixtures.Fixture) []byte {
	t.Helper()
	now, recorded := v.document(t, proved), v.document(t, f.Request)
	events, err := v.Split(now)
	if err != nil {
		t.Fatal(err)
	}
	of, err := v.Split(recorded)
	if err != nil || len(of) != len(events) {
		t.Fatalf("%d events became %d (%v)", len(of), len(events), err)
	}
	for i := range events {
		envelopes = bytes.ReplaceAll(envelopes, []byte(envelope.Hash(events[i].Text)), []byte(envelope.Hash(of[i].Text)))
	}
	return envelopes
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
