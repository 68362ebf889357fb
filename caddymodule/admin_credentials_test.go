package caddymodule_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// waysOf are the built-in providers, with the ways in which their events go on.
var waysOf = map[string][]string{
	"chatbot":  {"direct"}, // which needs the application's answer
	"ndoto":    {"direct", "durable"},
	"notifly":  {"direct", "durable"},
	"oneroute": {"direct", "durable"},
	"wotnot":   {"direct", "durable"},
}

// TestAdminCredentials shows that no answer of the admin API holds a credential of a
// provider, good or bad, nor what a provider's file redacts, wherever it was in a
// request. The log neither.
func TestAdminCredentials(t *testing.T) {
	c := newCredentials(t)
	app := startApplication(t, echo)
	var site strings.Builder
	for provider, modes := range waysOf {
		for _, mode := range modes {
			site.WriteString(c.block(provider, mode, app))
		}
	}
	fmt.Fprintf(&site, "webhooks /bearer wotnot {\n\ttoken {env.SECRET}\n\tsource /bearer\n}\n%s\n", app.proxy())
	g := start(t, site.String(), ownQueue(t))
	live := follow(t, "")

	accepted, refused, durable := 0, 0, 0
	for provider, modes := range waysOf {
		for _, mode := range modes {
			path := "/" + mode + "/" + provider
			if status := c.send(t, provider, path, true); status != 200 && (mode == "durable" || status != 500) {
				t.Errorf("%s with good credentials: %d", path, status)
			}
			if status := c.send(t, provider, path, false); status != 401 {
				t.Errorf("%s with bad credentials: %d", path, status)
			}
			// The credentials are good, and the request is not.
			r := c.request(t, provider, path, true)
			r.Method = http.MethodPut
			wantRefused(t, do(t, r))
			wantRefused(t, do(t, c.cutOff(t, provider, path)))
			// Twice in the query, and in a place that is not asked for.
			r = c.request(t, provider, path, true)
			r.URL.RawQuery += "&token=" + c.good.token
			r.Header.Del("X-Static")
			wantRefused(t, do(t, r))
			accepted++
			refused += 4
			if mode == "durable" {
				durable++
			}
		}
	}
	for status, set := range map[int]credentialSet{500: c.good, 401: c.bad} {
		wantAnswer(t, status, do(t, request(t, "/bearer", batch("7:bearer"), "Authorization", "Bearer "+set.token)))
	}
	for status, set := range map[int]credentialSet{200: c.good, 401: c.bad} {
		r, err := http.NewRequest(http.MethodGet, gatewayURL+"/direct/chatbot?challenge=x&token="+set.token, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("user", set.password)
		r.Header.Set("X-Static", set.static)
		wantAnswer(t, status, do(t, r))
	}
	accepted, refused = accepted+1, refused+2
	refused += accepted - durable // by the application

	// Durable events become dead letters, whose excerpts hold all that the application got.
	for provider, modes := range waysOf {
		if slices.Contains(modes, "durable") {
			waitFor(t, func() bool { return gauge(t, "dead_letters", provider) == 1 })
		}
	}
	if n := len(readAdmin[journal.Refusals](t, "/webhooks/refusals?limit=1000").Refusals); n != refused {
		t.Errorf("%d refusals, want %d", n, refused)
	}
	events := readEvents(t, "?limit=1000").Events
	if len(events) != accepted {
		t.Errorf("%d events, want %d", len(events), accepted)
	}
	uris := []string{
		"events?limit=1000", "events?text=a", "refusals?limit=1000", "blocks", "destinations", "dead?limit=1000", "causes", "ready",
	}
	for _, e := range events {
		uris = append(uris, "events/"+e.ID, "events/"+e.ID+"/original", "events/"+e.ID+"/envelope")
		if len(e.Destinations) > 0 {
			uris = append(uris, "dead/"+e.ID)
		}
	}
	for _, uri := range uris {
		c.wantNone(t, uri, readRaw(t, "/webhooks/"+uri))
	}
	var lines []string
	for len(live.messages) > 0 {
		lines = append(lines, live.next().data)
	}
	if want := accepted + refused + durable; len(lines) != want {
		t.Errorf("the live feed has %d lines, want %d", len(lines), want)
	}
	c.wantNone(t, "tail", strings.Join(lines, "\n"))
	log, err := os.ReadFile(g.logFile)
	if err != nil {
		t.Fatal(err)
	}
	c.wantNone(t, "the log", string(log))
}

// credentials are those of the blocks, and others that are wrong.
type credentials struct {
	good, bad credentialSet
	redacted  string
}

type credentialSet struct{ token, password, static string }

func newCredentials(t *testing.T) *credentials {
	c := &credentials{
		good:     credentialSet{secretIn(t, "SECRET"), secretIn(t, "PASSWORD"), secretIn(t, "STATIC")},
		bad:      credentialSet{newSecret(), newSecret(), newSecret()},
		redacted: newSecret(),
	}
	for _, set := range []credentialSet{c.good, c.bad} {
		noteSecret(base64.StdEncoding.EncodeToString([]byte("user:" + set.password)))
	}
	return c
}

func (c *credentials) of(good bool) credentialSet {
	if good {
		return c.good
	}
	return c.bad
}

// block returns a block that asks for all credentials that it can.
func (c *credentials) block(provider, mode string, app *application) string {
	word, destination := "token", ""
	if provider == "notifly" {
		word = "secret"
	}
	if mode == "durable" {
		destination = fmt.Sprintf("destination %s {\n\tattempts 1\n\tto {\n\t\t%s\n\t}\n}", provider, app.proxy())
	}
	return fmt.Sprintf(`
	webhooks /%[2]s/%[1]s %[1]s {
		%[3]s {env.SECRET}
		basic_auth user {env.PASSWORD}
		header X-Static {env.STATIC}
		source /%[2]s/%[1]s
		%[4]s
	}
	`, provider, mode, word, destination)
}

// body returns a payload of a provider, with what is redacted.
func (c *credentials) body(provider string, good bool) []byte {
	switch provider {
	case "notifly":
		body, _, _ := notifly(c.of(good).token, "1")
		return body
	case "wotnot":
		return []byte(strings.Replace(string(batch("7:hello")), "{", fmt.Sprintf("{%q:%q,", "token", c.of(good).token), 1))
	case "oneroute":
		body := string(mustPayload(provider))
		body = strings.Replace(body, `"credentials": null`, fmt.Sprintf(`"credentials": {"key": %q, "more": [{"key": %[1]q}]}`, c.redacted), 1)
		return []byte(strings.Replace(body, "https://webhook.example.com", "https://webhook.example.com/"+c.redacted, 1))
	}
	return mustPayload(provider)
}

func mustPayload(provider string) []byte {
	of, err := fixtures.Of(provider)
	if err != nil || len(of) == 0 {
		panic(fmt.Sprint(provider, err))
	}
	return of[0].Body
}

// request returns a request with credentials in all places where the provider may have
// them.
func (c *credentials) request(t *testing.T, provider, path string, good bool) *http.Request {
	t.Helper()
	set, body := c.of(good), c.body(provider, good)
	query := "?a=b"
	if provider != "notifly" {
		query += "&%74oken=" + set.token
	}
	r := request(t, path+query, body, "X-Static", set.static)
	r.SetBasicAuth("user", set.password)
	switch provider {
	case "notifly":
		r.Header.Set("X-Notifly-Signature", hexMAC(set.token, body))
	case "wotnot":
		r.Header.Set("Token", set.token)
		r.Header.Set("X-Wotnot-Token", set.token)
	}
	return r
}

// send makes a request, and returns the status of the answer.
func (c *credentials) send(t *testing.T, provider, path string, good bool) int {
	t.Helper()
	return do(t, c.request(t, provider, path, good)).status
}

// cutOff returns a request with good credentials, and a body that lacks its end.
func (c *credentials) cutOff(t *testing.T, provider, path string) *http.Request {
	t.Helper()
	whole := c.request(t, provider, path, true)
	body := c.body(provider, true)
	body = body[:len(body)-2]
	r := request(t, path+"?"+whole.URL.RawQuery, body)
	r.Header = whole.Header
	if provider == "notifly" {
		r.Header.Set("X-Notifly-Signature", hexMAC(c.good.token, body))
	}
	return r
}

// wantNone checks that a text holds no secret of the suite.
func (c *credentials) wantNone(t *testing.T, where, text string) {
	t.Helper()
	if i := findSecret(text); i >= 0 {
		t.Errorf("%s holds a credential: …%s", where, text[max(0, i-200):i])
	}
}

// echo fails, and answers with all that it got.
func echo(w http.ResponseWriter, r *http.Request, _ int) {
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(map[string]any{"uri": r.RequestURI, "header": r.Header})
}

func wantRefused(t *testing.T, a answer) {
	t.Helper()
	if a.status < 400 || a.status >= 500 {
		t.Errorf("answered %d", a.status)
	}
}

func wantAnswer(t *testing.T, status int, a answer) {
	t.Helper()
	if a.status != status {
		t.Errorf("answered %d, want %d", a.status, status)
	}
}

// readRaw returns an answer of the admin API that may be of any type.
func readRaw(t *testing.T, uri string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+adminAddress+uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := do(t, r)
	if a.status != 200 {
		t.Errorf("%s: %d %s", uri, a.status, a.body)
	}
	return a.body
}
