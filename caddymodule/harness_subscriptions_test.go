package caddymodule_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// bothSides is a block of each provider that has an API. Addresses are in the
// environment, so that all tests share one text.
const bothSides = `
	webhooks /ndoto ndoto {
		token {env.NDOTO_TOKEN}
		subscribe {
			url     {env.SITE}/ndoto
			key     {env.NDOTO_KEY}
			account 1
			events  message_created contact_created
			api     {env.NDOTO_API}
		}
	}
	webhooks /chatbot chatbot {
		token      {env.CHATBOT_TOKEN}
		header     X-Static {env.CHATBOT_HEADER}
		basic_auth {env.CHATBOT_USER} {env.CHATBOT_PASSWORD}
		subscribe {
			url  {env.SITE}/chatbot
			key  {env.CHATBOT_KEY}
			name gateway
			api  {env.CHATBOT_API}
		}
	}`

// twoOfEach is bothSides, and once more: two blocks of Ndoto in one account that
// are reached under different URLs, and two of ChatBot.com that are one.
var twoOfEach = bothSides + edited(bothSides, "/ndoto ndoto", "/2 ndoto", "{env.SITE}/ndoto", "{env.SITE}/2",

	"/chatbot chatbot", "/3 chatbot")

// siteURL is the gateway's URL for commands that do not try it: plan, list, get
// and delete.
const siteURL = "https://hooks.example.com"

// nobodyURL is a URL without a server.
const nobodyURL = "http://127.0.0.1:1"

// ofBefore is an earlier token or header value at a provider. It must not be
// shown either.
const ofBefore = "sec-of-before"

// subscriptions are the APIs of both providers, and the configuration of the
// command.
type subscriptions struct {
	t              *testing.T
	ndoto, chatbot *apitest.API
	file           string // the configuration of the command
}

// newSubscriptions starts both APIs, and sets the variables of bothSides. Ndoto
// lists the inbox, which its page leaves open.
func newSubscriptions(t *testing.T, site, config string) *subscriptions {
	t.Helper()
	s := &subscriptions{
		t:       t,
		ndoto:   apitest.Ndoto(t, secretIn(t, "NDOTO_KEY"), "1", true),
		chatbot: apitest.ChatBot(t, secretIn(t, "CHATBOT_KEY")),
	}
	noteSecret(ofBefore)
	t.Setenv("NDOTO_API", s.ndoto.URL)
	t.Setenv("CHATBOT_API", s.chatbot.URL)
	t.Setenv("SITE", site)
	for _, name := range []string{"NDOTO_TOKEN", "CHATBOT_TOKEN", "CHATBOT_HEADER", "CHATBOT_USER", "CHATBOT_PASSWORD"} {
		secretIn(t, name)
	}
	s.file = filepath.Join(t.TempDir(), "Caddyfile")
	s.configure(config)
	return s
}

// newSubscribed is newSubscriptions with the webhooks that bothSides wants.
func newSubscribed(t *testing.T, site string) *subscriptions {
	t.Helper()
	s := newSubscriptions(t, site, bothSides)
	s.ndoto.Add(ndotoWebhook(7))
	s.chatbot.Add(chatbotWebhook("a1"))
	return s
}

// configure writes the configuration of the command: a site, or all of it.
func (s *subscriptions) configure(config string) {
	s.t.Helper()
	if !strings.HasPrefix(config, "{") {
		config = siteURL + " {\n" + config + "\n}\n"
	}
	noteText("adapted configuration of "+s.t.Name(), string(adapt(s.t, config)))
	writeText(s.t, s.file, string(caddyfile.Format([]byte(config)))) // Caddy warns of one that is not
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ndotoWebhook returns the webhook at Ndoto that bothSides wants, with other
// members, each before its value.
func ndotoWebhook(id int, members ...any) map[string]any {
	return withMembers(map[string]any{
		"id":            id,
		"name":          "caddy-webhooks",
		"url":           os.Getenv("SITE") + "/ndoto?token=" + url.QueryEscape(os.Getenv("NDOTO_TOKEN")),
		"subscriptions": []string{"contact_created", "message_created"},
		"inbox_id":      nil,
		"active":        true,
	}, members)
}

// chatbotWebhook is ndotoWebhook for ChatBot.com.
func chatbotWebhook(id string, members ...any) map[string]any {
	return withMembers(map[string]any{
		"id":      id,
		"name":    "gateway",
		"url":     os.Getenv("SITE") + "/chatbot",
		"token":   os.Getenv("CHATBOT_TOKEN"),
		"headers": []any{map[string]any{"name": "X-Static", "value": os.Getenv("CHATBOT_HEADER")}},
		"auth":    map[string]any{"username": os.Getenv("CHATBOT_USER"), "password": os.Getenv("CHATBOT_PASSWORD")},
		"error":   map[string]any{},
	}, members)
}

func withMembers(webhook map[string]any, members []any) map[string]any {
	for i := 0; i+1 < len(members); i += 2 {
		webhook[members[i].(string)] = members[i+1]
	}
	return webhook
}

// ran is a finished run of the command.
type ran struct {
	t            *testing.T
	command      string
	stdout, errs string
	failures     []string // the errors that were logged
	status       int
}

// run runs `caddy webhooks subscriptions` with the configuration.
func (s *subscriptions) run(args ...string) ran {
	s.t.Helper()
	return s.answer("", args...)
}

// answer is run with an answer to its question.
func (s *subscriptions) answer(stdin string, args ...string) ran {
	s.t.Helper()
	return runSubscriptions(s.t, stdin, append(args, "--config", s.file)...)
}

// question is what is asked before something is changed.
const question = "Make these changes? [y/N] "

func runSubscriptions(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	r := ran{t: t, command: strings.Join(args, " ")}
	r.stdout, r.errs, r.status = runStatus(t, stdin, append([]string{"subscriptions"}, args...)...)
	for line := range strings.Lines(r.errs) {
		var logged struct{ Level, Msg string }
		line = strings.TrimPrefix(line, question) // no terminal echoes the end of the answer's line
		if json.Unmarshal([]byte(line), &logged) == nil && logged.Level == "error" {
			r.failures = append(r.failures, logged.Msg)
		}
	}
	return r
}

// want checks that the command succeeded with an exit status, 0 or that of
// changes, and that it prints the texts.
func (r ran) want(status int, texts ...string) ran {
	r.t.Helper()
	if r.status != status || len(r.failures) > 0 {
		r.t.Fatalf("%s: exit status %d, want %d:\n%s%s", r.command, r.status, status, r.stdout, r.errs)
	}
	for _, text := range texts {
		if !strings.Contains(r.stdout, text) {
			r.t.Errorf("%s: no %q in:\n%s", r.command, text, r.stdout)
		}
	}
	return r
}

// wantFailures checks that the command failed with status 1, and with one line in
// the log for each sentence.
func (r ran) wantFailures(sentences ...string) ran {
	r.t.Helper()
	if r.status != 1 || len(r.failures) != len(sentences) {
		r.t.Fatalf("%s: exit status %d and %d errors, want 1 and %d:\n%s%s", r.command, r.status, len(r.failures), len(sentences), r.stdout, r.errs)
	}
	for i, sentence := range sentences {
		if !strings.Contains(r.failures[i], sentence) {
			r.t.Errorf("%s: error %q, want %q", r.command, r.failures[i], sentence)
		}
	}
	return r
}

// wantChanges checks the methods of the calls since the last time that are not a
// GET, and returns the calls.
func wantChanges(t *testing.T, api *apitest.API, methods ...string) []apitest.Call {
	t.Helper()
	changes := api.Changes()
	made := make([]string, len(changes))
	for i, change := range changes {
		made[i] = change.Method
	}
	if !slices.Equal(made, methods) {
		t.Fatalf("the provider got %v, want %v", made, methods)
	}
	return changes
}

// wantNoChanges checks that neither provider got anything but GETs.
func (s *subscriptions) wantNoChanges() {
	s.t.Helper()
	wantChanges(s.t, s.ndoto)
	wantChanges(s.t, s.chatbot)
}

// wantBody compares the whole body of a call.
func wantBody(t *testing.T, call apitest.Call, want map[string]any) {
	t.Helper()
	// As it comes out of JSON.
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(call.Body, decoded) {
		t.Errorf("%s has %v, want %v", call.Method, call.Body, decoded)
	}
}

// onlyWebhook returns the only webhook at a provider.
func onlyWebhook(t *testing.T, api *apitest.API) map[string]any {
	t.Helper()
	webhooks := api.Webhooks()
	if len(webhooks) != 1 {
		t.Fatalf("the provider has %d webhooks, want 1", len(webhooks))
	}
	return webhooks[0]
}

// edited returns a configuration with texts replaced, each by the one after it.
// It panics if one is missing.
func edited(config string, texts ...string) string {
	for i := 0; i+1 < len(texts); i += 2 {
		if !strings.Contains(config, texts[i]) {
			panic("there is no " + texts[i])
		}
		config = strings.Replace(config, texts[i], texts[i+1], 1)
	}
	return config
}

// nothingChanged is the error if one of several blocks fails before a change.
const nothingChanged = "nothing was changed, for the other blocks either; to go on without this one, name a provider, or a block with --url"

// notKnown begins the note on a URL whose answer is inconclusive.
const notKnown = "  ! could not check that the gateway accepts these credentials: `url` "

// refused is the error for a URL that rejects the credentials.
const refused = "`url` rejects the credentials of this block (401); load this configuration into the gateway first, or check that `url` leads to this block"

// notesIn returns the notes that were printed.
func notesIn(stdout string) []string {
	var notes []string
	for line := range strings.Lines(stdout) {
		if strings.HasPrefix(line, "  ! ") {
			notes = append(notes, strings.TrimSuffix(line, "\n"))
		}
	}
	return notes
}

// decoded is what the tests look at in what the commands print as JSON.
type decoded struct {
	Subscriptions []struct {
		Provider, URL, Error string
		Accepted             bool
		Challenge            bool `json:"challenge_answered"`
		Done                 int
		Changes              []struct{ Action string }
		Notes                []string
	}
	ByHand []struct{ Provider string } `json:"by_hand"`
	Error  string
}

// decoded returns what was printed with --json, which is one object.
func (r ran) decoded() decoded {
	r.t.Helper()
	var d decoded
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		r.t.Fatalf("%s: %v: %s", r.command, err, r.stdout)
	}
	return d
}

// wantNotCalled checks that neither provider got anything.
func (s *subscriptions) wantNotCalled() {
	s.t.Helper()
	for _, api := range []*apitest.API{s.ndoto, s.chatbot} {
		if calls := api.Calls(); len(calls) > 0 {
			s.t.Errorf("the provider got %v", calls)
		}
	}
}

// with returns the same providers for another test and configuration.
func (s *subscriptions) with(t *testing.T, config string) *subscriptions {
	t.Helper()
	other := *s
	other.t, other.file = t, filepath.Join(t.TempDir(), "Caddyfile")
	other.configure(config)
	return &other
}
