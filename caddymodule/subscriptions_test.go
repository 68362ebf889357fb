package caddymodule_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// bothSides is a block of each provider that has an API. Where things are stands
// in the environment, so that one text does for every test.
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

// siteURL is where the gateway is reached from outside, for commands that do not
// try that: plan, list, get and delete.
const siteURL = "https://hooks.example.com"

// nobodyURL is where nobody listens.
const nobodyURL = "http://127.0.0.1:1"

// ofBefore is a token or header value that a provider has from before, and that
// is not to be shown either.
const ofBefore = "sec-of-before"

// subscriptions are the providers' sides: an API each, and what to tell them.
type subscriptions struct {
	t              *testing.T
	ndoto, chatbot *apitest.API
	file           string // the configuration of the command
}

// newSubscriptions starts an API of each provider and puts what bothSides needs
// into the environment. Ndoto tells the inbox, which its page leaves open.
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

// newSubscribed is newSubscriptions, where the providers have what bothSides
// wants.
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

// ndotoWebhook is what Ndoto has when it has what bothSides wants, but for
// members, of which each has its value behind it.
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

// ran is what one run of the command came to.
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

// want checks that the command did not fail: the exit status, which is that of
// changes or 0, and what is printed, in which each of texts stands.
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

// wantFailures checks that the command failed, with one line of the log for each
// of sentences, which holds it. The exit status is 1: that of changes would be
// read as a plan.
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

// wantChanges checks the methods of the calls since the last time that change
// something, and returns those calls.
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

// wantBody checks all of the body of a call.
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

// onlyWebhook returns what a provider has, which must be one.
func onlyWebhook(t *testing.T, api *apitest.API) map[string]any {
	t.Helper()
	webhooks := api.Webhooks()
	if len(webhooks) != 1 {
		t.Fatalf("the provider has %d webhooks, want 1", len(webhooks))
	}
	return webhooks[0]
}

// handshakes returns how many challenges the gateway has answered.
func handshakes(t *testing.T) int {
	t.Helper()
	n, _ := strconv.Atoi(metric(t, `caddy_webhooks_requests_total{outcome="handshake",provider="chatbot"}`))
	return n
}

// awkwardSecretIn is secretIn with a secret that a URL or a Caddyfile would not
// take as it is.
func awkwardSecretIn(t *testing.T, name string) {
	t.Helper()
	secret := secretIn(t, name) + "+/=&?%25 {x}#ü"
	noteSecret(url.QueryEscape(secret))
	t.Setenv(name, secret)
}

// newPayload returns the payload of a fixture with another id: a repeat would be
// a duplicate, which the application does not get.
func newPayload(t *testing.T, provider, event, id string) []byte {
	t.Helper()
	return []byte(edited(string(payload(t, provider, event)), id, hex.EncodeToString(randomBytes(8))))
}

// deliverNdoto sends an event as Ndoto does: to the URL that is registered.
func (s *subscriptions) deliverNdoto(status int) {
	s.t.Helper()
	registered := onlyWebhook(s.t, s.ndoto)["url"].(string)
	wantStatus(s.t, status, strings.TrimPrefix(registered, gatewayURL), newPayload(s.t, "ndoto", "message_created", "101"))
}

// deliverChatBot sends an event as ChatBot.com does: with the token in the
// query, and the headers and basic auth that are registered.
func (s *subscriptions) deliverChatBot(status int) {
	s.t.Helper()
	registered := onlyWebhook(s.t, s.chatbot)
	text, err := json.Marshal(registered)
	if err != nil {
		s.t.Fatal(err)
	}
	var webhook struct {
		URL, Token string
		Headers    []struct{ Name, Value string }
		Auth       struct{ Username, Password string }
	}
	if err := json.Unmarshal(text, &webhook); err != nil {
		s.t.Fatal(err)
	}
	path := strings.TrimPrefix(webhook.URL, gatewayURL) + "?token=" + url.QueryEscape(webhook.Token)
	r := request(s.t, path, newPayload(s.t, "chatbot", "interaction.matched", "5a7fb3e1-8452-4aee-a7a9-2f0edaeb8e42"))
	for _, header := range webhook.Headers {
		r.Header.Add(header.Name, header.Value)
	}
	if webhook.Auth.Username != "" {
		r.SetBasicAuth(webhook.Auth.Username, webhook.Auth.Password)
	}
	if a := do(s.t, r); a.status != status {
		s.t.Fatalf("ChatBot.com's event: %d %q, want %d", a.status, a.body, status)
	}
}

// TestSubscriptionsWholeWay shows the whole way of both providers in one
// configuration, with a gateway that serves the very same one: from nothing to
// events that arrive, through every kind of change, and back to nothing.
func TestSubscriptionsWholeWay(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	for _, name := range []string{"NDOTO_TOKEN", "CHATBOT_TOKEN", "CHATBOT_HEADER"} {
		awkwardSecretIn(t, name)
	}
	app := startApplication(t)
	g := start(t, bothSides+"\n"+app.proxy())
	reload := func(comment string) {
		g.load(comment)
		s.configure(g.config(comment))
	}
	s.configure(g.config(""))

	s.run("plan").want(2, "+ create", "2 changes; run `caddy webhooks subscriptions apply` to apply them")
	s.wantNoChanges()

	answered := handshakes(t)
	s.run("apply", "--yes").want(0,
		"ndoto, account 1: created 1\n", "chatbot: created 58ee2e085d033800059a0001\n",
		"chatbot: "+gatewayURL+"/chatbot returns the challenge, and accepts the credentials\n",
		"ndoto, account 1: "+gatewayURL+"/ndoto?token=… accepts the credentials\n")
	// One challenge is that of the command, the other ChatBot.com's.
	if n := handshakes(t) - answered; n != 2 {
		t.Errorf("the gateway answered %d challenges, want 2", n)
	}
	wantBody(t, wantChanges(t, s.ndoto, http.MethodPost)[0], map[string]any{
		"name":          "caddy-webhooks",
		"url":           gatewayURL + "/ndoto?token=" + url.QueryEscape(os.Getenv("NDOTO_TOKEN")),
		"subscriptions": []string{"message_created", "contact_created"},
	})
	wantBody(t, wantChanges(t, s.chatbot, http.MethodPost)[0], chatbotBody("X-Static"))

	s.run("apply", "--yes").want(0, "= 1 is up to date", "= 58ee2e085d033800059a0001 is up to date")
	s.wantNoChanges()
	s.run("plan").want(0)
	s.deliverNdoto(http.StatusOK)
	s.deliverChatBot(http.StatusOK)
	app.want(t, 2)

	// Another event, and another name of a header.
	g.site = strings.NewReplacer("contact_created", "contact_updated", "X-Static", "X-Other").Replace(g.site)
	reload("other settings")
	s.run("plan").want(2,
		"~ update 1\n", "+ events  contact_updated\n", "- events  contact_created\n",
		"~ update 58ee2e085d033800059a0001\n", "+ header  X-Other\n", "- header  X-Static\n")
	s.wantNoChanges()
	s.run("apply", "--yes").want(0, "ndoto, account 1: updated 1\n", "chatbot: updated 58ee2e085d033800059a0001\n", "returns the challenge", "ndoto?token=… accepts the credentials")
	patch := wantChanges(t, s.ndoto, http.MethodPatch)[0]
	wantBody(t, patch, map[string]any{"subscriptions": []string{"message_created", "contact_updated"}})
	if patch.Path != "/api/v1/accounts/1/webhooks/1" {
		t.Error(patch.Path)
	}
	put := wantChanges(t, s.chatbot, http.MethodPut)[0]
	wantBody(t, put, chatbotBody("X-Other"))
	if put.Path != "/webhooks/58ee2e085d033800059a0001" {
		t.Error(put.Path)
	}

	// Other tokens. What the providers send until they are told is refused.
	awkwardSecretIn(t, "NDOTO_TOKEN")
	secretIn(t, "CHATBOT_TOKEN")
	reload("other tokens")
	s.deliverNdoto(http.StatusUnauthorized)
	s.deliverChatBot(http.StatusUnauthorized)
	s.run("plan").want(2, "~ url  "+gatewayURL+"/ndoto?token=… (its query changes)\n", "~ token  (not shown)\n")
	s.run("apply", "--yes").want(0)
	wantBody(t, wantChanges(t, s.ndoto, http.MethodPatch)[0], map[string]any{
		"url": gatewayURL + "/ndoto?token=" + url.QueryEscape(os.Getenv("NDOTO_TOKEN")),
	})
	wantBody(t, wantChanges(t, s.chatbot, http.MethodPut)[0], chatbotBody("X-Other"))
	s.run("plan").want(0)
	s.deliverNdoto(http.StatusOK)
	s.deliverChatBot(http.StatusOK)
	for i, provider := range []string{"ndoto", "chatbot", "ndoto", "chatbot"} {
		if e := app.want(t, 4)[i].event(t); e.Provider != provider {
			t.Errorf("event %d is of %s, want %s", i, e.Provider, provider)
		}
	}

	s.run("delete", "--yes").want(0, "ndoto, account 1: deleted 1\n", "chatbot: deleted 58ee2e085d033800059a0001\n")
	if n := len(s.ndoto.Webhooks()) + len(s.chatbot.Webhooks()); n != 0 {
		t.Errorf("the providers have %d webhooks, want none", n)
	}
	s.run("plan").want(2, "2 changes")
}

// chatbotBody is what ChatBot.com is told by bothSides, with a header's name.
func chatbotBody(header string) map[string]any {
	body := chatbotWebhook("", "headers", []any{map[string]any{"name": header, "value": os.Getenv("CHATBOT_HEADER")}})
	delete(body, "id")
	delete(body, "error")
	return body
}

// TestSubscriptionsGolden compares what the commands print with golden files.
func TestSubscriptionsGolden(t *testing.T) {
	for _, c := range []struct {
		name     string
		site     string // of the gateway; default: siteURL, which is not tried
		config   string // default: bothSides
		inbox    string // "unreported" for an Ndoto that does not
		prepare  func(t *testing.T, s *subscriptions)
		commands []string
	}{
		{
			name:     "create_both",
			commands: []string{"plan", "plan --json", "plan ndoto"},
		},
		{
			name: "nothing_to_do",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
				s.chatbot.Add(chatbotWebhook("a1"))
			},
			commands: []string{"plan", "plan --json", "apply ndoto", "apply ndoto --json", "delete ndoto 7 --json"},
		},
		{
			name: "update_every_kind",
			config: edited(bothSides,
				"account 1", "account 1\n\t\t\tinbox 12",
				"header     X-Static {env.CHATBOT_HEADER}", "header X-New {env.CHATBOT_HEADER}\nheader X-Other {env.CHATBOT_HEADER}"),
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7,
					"url", "HTTPS://Hooks.Example.com:443/ndoto?token="+ofBefore, "inbox_id", 3,
					"subscriptions", []string{"message_created", "conversation_updated", "conversation_created"}))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore, "auth", map[string]any{"username": "", "password": ""},
					"headers", []any{map[string]any{"name": "X-Old", "value": ofBefore}, map[string]any{"name": "x-other", "value": ofBefore}}))
			},
			commands: []string{"plan", "plan --json"},
		},
		{
			name: "update_to_less",
			config: edited(bothSides,
				"header     X-Static {env.CHATBOT_HEADER}\n", "\n",
				"basic_auth {env.CHATBOT_USER} {env.CHATBOT_PASSWORD}\n", "\n",
				"{env.SITE}/chatbot", "{env.SITE}/chatbot?bot=1"),
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "url", siteURL+"/ndoto", "inbox_id", 3))
				s.chatbot.Add(chatbotWebhook("a1", "url", siteURL+"/chatbot?bot=2", "token", ""))
			},
			commands: []string{"plan", "plan --json"},
		},
		{
			name: "surplus",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
				s.ndoto.Add(ndotoWebhook(8))
				s.ndoto.Add(ndotoWebhook(9, "url", siteURL+"/ndoto?token="+ofBefore))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
				s.chatbot.Add(chatbotWebhook("a2", "token", ofBefore, "auth", map[string]any{}))
			},
			commands: []string{"plan", "plan --json"},
		},
		{
			name:     "foreign",
			prepare:  addForeign,
			commands: []string{"plan", "plan --json", "list", "list --json", "get ndoto 3", "get ndoto 3 --json", "get chatbot b2"},
		},
		{
			name: "notes",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "active", false))
				s.chatbot.Add(chatbotWebhook("a1", "error", map[string]any{
					"date": "2017-12-04T15:06:12.053Z", "message": "timeout of 10000ms exceeded",
				}))
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "get ndoto", "get chatbot", "get chatbot --json"},
		},
		{
			name:     "noted_error_with_credentials",
			prepare:  addNotedErrors,
			commands: []string{"plan chatbot", "list chatbot", "list chatbot --json", "get chatbot"},
		},
		{
			name:   "inbox_not_told",
			site:   gatewayURL,
			config: edited(bothSides, "account 1", "account 1\n\t\t\tinbox 12"),
			inbox:  "unreported",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
			},
			commands: []string{"plan ndoto", "plan ndoto --json", "apply ndoto", "update ndoto --yes", "get ndoto"},
		},
		{
			name:     "by_hand",
			config:   byHand,
			commands: []string{"plan", "plan --json", "list", "apply", "plan striped", "get", "create", "delete notifly"},
		},
		{
			name:   "by_hand_and_subscribed",
			config: bothSides + "\nwebhooks /notifly notifly {\n\tsecret {env.NDOTO_TOKEN}\n}\n",
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "get", "plan --url https://hooks.example.com/chatbot"},
		},
		{
			name: "apply",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
				s.chatbot.Add(chatbotWebhook("a2", "token", ofBefore))
			},
			commands: []string{
				"apply", "apply --yes", "list", "list --json", "get", "get --json", "apply --yes",
				"update --yes", "create", "delete --yes", "delete --yes", "get ndoto",
			},
		},
		{
			name:     "apply_json",
			site:     gatewayURL,
			commands: []string{"apply --json", "apply --yes --json", "apply --yes --json", "update --yes --json", "delete --yes --json"},
		},
		{
			name: "failures",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
				secretIn(t, "NDOTO_KEY") // another than Ndoto's
			},
			commands: []string{"plan", "plan --json", "list", "list --json", "apply --yes", "apply --yes --json"},
		},
		{
			name:   "unset",
			site:   gatewayURL,
			config: edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"),
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
			},
			commands: []string{
				"plan", "plan --json", "list", "list --json", "get", "apply --yes", "apply --yes --json",
				"create", "delete --yes", "plan ndoto", "apply ndoto --json", "apply chatbot --yes",
			},
		},
		{
			name: "refused",
			site: gatewayURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.ndoto.Add(ndotoWebhook(7))
				secretIn(t, "NDOTO_TOKEN") // the gateway has the one before
			},
			commands: []string{"plan", "apply", "apply --yes --json", "update ndoto --yes", "delete ndoto --yes"},
		},
		{
			name: "unreachable",
			site: nobodyURL,
			prepare: func(t *testing.T, s *subscriptions) {
				s.chatbot.Add(chatbotWebhook("a1"))
			},
			commands: []string{"plan", "apply", "apply --yes", "apply --yes", "apply --yes --json", "update chatbot --yes"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config == "" {
				c.config = bothSides
			}
			if c.site == "" {
				c.site = siteURL
			}
			s := newSubscriptions(t, c.site, c.config)
			if c.inbox != "" {
				s.ndoto = apitest.Ndoto(t, s.ndoto.Key, "1", false)
				t.Setenv("NDOTO_API", s.ndoto.URL)
			}
			if c.site == gatewayURL {
				start(t, c.config)
			}
			if c.prepare != nil {
				c.prepare(t, s)
			}
			var result strings.Builder
			for _, command := range c.commands {
				result.WriteString(s.transcript(command))
			}
			// As long as what the system chose, so that tables are as wide.
			shown := strings.ReplaceAll(result.String(), gatewayURL, "http://localhost:12345")
			compareGolden(t, filepath.Join("testdata/subscriptions", c.name+".txt"), shown)
		})
	}
}

// edited returns a configuration with texts replaced, each by the one behind it.
// They must be there: what changes nothing would show nothing.
func edited(config string, texts ...string) string {
	for i := 0; i+1 < len(texts); i += 2 {
		if !strings.Contains(config, texts[i]) {
			panic("there is no " + texts[i])
		}
		config = strings.Replace(config, texts[i], texts[i+1], 1)
	}
	return config
}

// addForeign adds what others have made, some of it like ours.
func addForeign(t *testing.T, s *subscriptions) {
	secret := secretIn(t, "FOREIGN")
	s.ndoto.Add(ndotoWebhook(3, "url", "https://other.example.com/ndoto?key="+secret+"&"+secret))
	s.ndoto.Add(ndotoWebhook(4, "name", "by hand\x1b[31m"))
	s.ndoto.Add(ndotoWebhook(5, "name", "crm", "url", "https://crm.example.com/", "active", false, "inbox_id", 2))
	s.ndoto.Add(ndotoWebhook(7))
	s.chatbot.Add(chatbotWebhook("b1", "name", "by hand", "token", secret))
	s.chatbot.Add(chatbotWebhook("b2", "url", "https://"+secret+":"+secret+"@other.example.com/chatbot", "token", secret))
	s.chatbot.Add(chatbotWebhook("b3", "name", "crm", "url", "https://crm.example.com/", "error", map[string]any{"message": "it broke"}))
}

// addNotedErrors adds errors that repeat credentials, as ChatBot.com's do when
// they come from the library that it calls with.
func addNotedErrors(t *testing.T, s *subscriptions) {
	token := os.Getenv("CHATBOT_TOKEN")
	for i, message := range []string{
		"GET https://hooks.example.com/chatbot?challenge=abc&token=" + token + " failed",
		"the token " + token + " is wrong",
		"the token " + token[:len(token)-5] + "… is wrong",
		"\x1b[31mtwo\nlines\u202e " + strings.Repeat("and much more ", 40),
	} {
		s.chatbot.Add(chatbotWebhook("a"+strconv.Itoa(i+1), "error", map[string]any{"message": message}))
	}
}

// byHand are blocks without a `subscribe`, of every kind of provider.
const byHand = `{
	webhooks {
		provider striped {
			verify token {
				from header x-striped
			}
			key  hash
			type always thing.happened
		}
		provider sloped {
			note "Settings: the URL of your block"
			verify token {
				from header x-sloped
			}
			key  hash
			type always thing.happened
		}
	}
}
https://hooks.example.com {
	webhooks /1/notifly notifly {
		secret {env.NDOTO_TOKEN}
	}
	webhooks /2/notifly notifly {
		secret {env.CHATBOT_TOKEN}
		source /second
	}
	webhooks /3/wotnot wotnot {
		token {env.NDOTO_TOKEN}
	}
	webhooks /4/oneroute oneroute {
		token {env.NDOTO_TOKEN}
	}
	webhooks /5/ndoto ndoto {
		token {env.NDOTO_TOKEN}
	}
	webhooks /6/striped striped {
		token {env.NDOTO_TOKEN}
	}
	webhooks /7/sloped sloped {
		token {env.NDOTO_TOKEN}
	}
}
`

// transcript runs a command and returns all that it prints, as a golden file
// has it.
func (s *subscriptions) transcript(command string) string {
	s.t.Helper()
	r := s.run(strings.Fields(command)...)
	var b strings.Builder
	fmt.Fprintf(&b, "$ caddy webhooks subscriptions %s\n%s", command, r.stdout)
	for line := range strings.Lines(r.errs) {
		var logged struct{ Level, Msg string }
		switch {
		case json.Unmarshal([]byte(line), &logged) != nil:
			fmt.Fprintf(&b, "(stderr) %s", line)
		case logged.Level != "info":
			fmt.Fprintf(&b, "(%s) %s\n", logged.Level, logged.Msg)
		}
	}
	fmt.Fprintf(&b, "(exit status %d)\n\n", r.status)
	// Their ports vary.
	return strings.NewReplacer(s.ndoto.URL, "https://ndoto.example.com", s.chatbot.URL, "https://chatbot.example.com").Replace(b.String())
}

// compareGolden compares a text with a golden file, or writes that anew.
func compareGolden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}

// TestSubscriptionsOneByOne shows the calls without a plan: each does what it
// says to the subscription of the block, or to one whose id is given, and no
// more.
func TestSubscriptionsOneByOne(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.chatbot.Add(chatbotWebhook("b1", "name", "by hand", "token", ofBefore))
	s.ndoto.Add(ndotoWebhook(70, "name", "by hand", "url", gatewayURL+"/ndoto"))

	s.run("get", "chatbot").wantFailures("chatbot: this block has no subscription yet; create it with `create`")
	s.run("update", "ndoto", "--yes").wantFailures("ndoto, account 1: this block has no subscription yet; create it with `create`")
	s.run("create", "--yes").want(0, "chatbot: created 58ee2e085d033800059a0001\n", "ndoto, account 1: created 1\n", "returns the challenge")
	wantChanges(t, s.chatbot, http.MethodPost)
	wantChanges(t, s.ndoto, http.MethodPost)
	s.run("create", "--yes").wantFailures(
		"chatbot: this block has subscription 58ee2e085d033800059a0001 already; change it with `update`",
		"ndoto, account 1: this block has subscription 1 already; change it with `update`")
	s.wantNoChanges()

	s.run("list", "chatbot").want(0, "58ee2e085d033800059a0001  yes", "b1                        no ")
	s.run("get", "chatbot").want(0, "id          58ee2e085d033800059a0001", "ours        yes")
	s.run("get", "chatbot", "b1").want(0, "id          b1", "ours        no")
	s.run("get", "ndoto", "70").want(0, "id      70", "ours    no")
	for _, command := range []string{"get ndoto 71", "delete ndoto 71 --yes", "update ndoto 71 --yes"} {
		s.run(strings.Fields(command)...).wantFailures("ndoto: no subscription 71; see `list`")
	}
	s.run("get", "ndoto", "../../2/webhooks").wantFailures("ndoto: no subscription ../../2/webhooks; see `list`")

	// What is there already is sent again, all of it also to Ndoto.
	s.run("update", "ndoto", "--yes").want(0, "~ update 1\n", "with the values that it has\n", "ndoto, account 1: updated 1\n")
	patch := wantChanges(t, s.ndoto, http.MethodPatch)[0]
	all := []string{"name", "subscriptions", "url"}
	if sent := slices.Sorted(maps.Keys(patch.Body)); !slices.Equal(sent, all) {
		t.Errorf("update sends %v, want %v", sent, all)
	}
	wantChanges(t, s.chatbot)

	// One of somebody else is taken over by its id, where there is none of ours.
	s.run("update", "chatbot", "b1", "--yes").wantFailures("this block has subscription 58ee2e085d033800059a0001 already; delete it before taking over another one")
	s.wantNoChanges()
	s.run("delete", "chatbot", "--yes").want(0, "chatbot: deleted 58ee2e085d033800059a0001\n")
	s.run("update", "chatbot", "b1", "--yes").want(0,
		"~ update b1\n", "+ name   gateway\n", "- name   by hand\n", "~ token  (not shown)\n", "returns the challenge")
	changes := wantChanges(t, s.chatbot, http.MethodDelete, http.MethodPut)
	if changes[0].Path != "/webhooks/58ee2e085d033800059a0001" || changes[1].Path != "/webhooks/b1" {
		t.Errorf("%s, %s", changes[0].Path, changes[1].Path)
	}
	wantBody(t, changes[1], chatbotBody("X-Static"))
	s.run("plan", "chatbot").want(0, "= b1 is up to date")

	// One of somebody else is removed by its id, and ours is not.
	s.run("delete", "ndoto", "70", "--yes").want(0, "- delete 70, \"by hand\" at "+gatewayURL+"/ndoto\n", "ndoto, account 1: deleted 70\n")
	if path := wantChanges(t, s.ndoto, http.MethodDelete)[0].Path; path != "/api/v1/accounts/1/webhooks/70" {
		t.Error(path)
	}
	s.run("plan").want(0, "= b1 is up to date", "= 1 is up to date")
	s.run("delete", "ndoto", "--yes").want(0, "ndoto, account 1: deleted 1\n")
	s.run("delete", "ndoto", "--yes").want(0, "nothing to do")
	wantChanges(t, s.ndoto, http.MethodDelete)
}

// TestSubscriptionsConfirmation shows that nothing is changed before somebody
// has said so.
func TestSubscriptionsConfirmation(t *testing.T) {
	for _, command := range []string{"apply", "create", "update", "delete"} {
		t.Run(command, func(t *testing.T) {
			s := newSubscriptions(t, gatewayURL, bothSides)
			start(t, bothSides)
			if command != "create" {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
			}
			before := fmt.Sprint(s.ndoto.Webhooks())
			for answer, sentence := range map[string]string{
				"":               "nothing was changed; pass --yes to run without a prompt",
				"n\n":            "nothing was changed",
				"\n":             "nothing was changed",
				"yesterday\ny\n": "nothing was changed",
			} {
				r := s.answer(answer, command, "ndoto").wantFailures(sentence)
				if r.failures[0] != sentence {
					t.Errorf("with %q it says %q, want %q", answer, r.failures[0], sentence)
				}
				if strings.Count(r.errs, question) != 1 || r.stdout == "" {
					t.Errorf("with %q it asks nothing, or does not say about what: %s%s", answer, r.stdout, r.errs)
				}
			}
			s.answer("n\n", command, "ndoto", "--json").wantFailures("nothing was changed")
			s.wantNoChanges()
			if after := fmt.Sprint(s.ndoto.Webhooks()); after != before {
				t.Errorf("it changed from %s to %s", before, after)
			}
			r := s.answer("Y\n", command, "ndoto", "--json").want(0)
			if !json.Valid([]byte(r.stdout)) {
				t.Errorf("no JSON: %s", r.stdout)
			}
			if n := len(s.ndoto.Changes()); n != 1 {
				t.Errorf("%d changes, want 1", n)
			}
		})
	}
	t.Run("two providers", func(t *testing.T) {
		s := newSubscribed(t, siteURL)
		s.answer("yes\n", "delete").want(0, "chatbot: deleted a1\n", "ndoto, account 1: deleted 7\n")
		wantChanges(t, s.ndoto, http.MethodDelete)
		wantChanges(t, s.chatbot, http.MethodDelete)
	})
}

// nothingChanged is said when not all that was to be looked at is known.
const nothingChanged = "nothing was changed, for the other blocks either; to go on without this one, name a provider, or a block with --url"

// webPage stands where JSON was expected.
const webPage = "<!DOCTYPE html>\n<html><title>Log in</title></html>"

// TestSubscriptionsFailures shows what becomes of a failure of a provider's API:
// one sentence for each provider, an exit status that is not that of a plan with
// changes, nothing done at the other provider if it fails before all is known,
// and a second apply that mends it.
func TestSubscriptionsFailures(t *testing.T) {
	const post, put, patch, remove = http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const unknown = "the outcome is unknown; run the command again, it checks first"
	for _, c := range []struct {
		name           string
		there          bool // both are, and differ
		surplus        bool // one more of each is
		ndoto, chatbot apitest.Failure
		args           []string
		sentences      []string

		// What has an effect in the first run, and in the second.
		ndotoFirst, ndotoSecond, chatbotFirst, chatbotSecond []string
	}{
		{
			name:        "401 while planning",
			ndoto:       apitest.Failure{Method: http.MethodGet, Status: 401},
			sentences:   []string{"ndoto, account 1: cannot list subscriptions: NDOTO rejected the API token (401); check `key`", nothingChanged},
			ndotoSecond: []string{post}, chatbotSecond: []string{post},
		},
		{
			name:        "403 while planning",
			ndoto:       apitest.Failure{Method: http.MethodGet, Status: 403, Body: webPage},
			sentences:   []string{"ndoto, account 1: cannot list subscriptions: NDOTO does not allow this with this API token (403); check `key` and `account`", nothingChanged},
			ndotoSecond: []string{post}, chatbotSecond: []string{post},
		},
		{
			name:        "429 while planning",
			chatbot:     apitest.Failure{Method: http.MethodGet, Status: 429, Header: map[string]string{"Retry-After": "30"}},
			sentences:   []string{"chatbot: cannot list subscriptions: CHATBOT got too many requests (429); try again in 30 s", nothingChanged},
			ndotoSecond: []string{post}, chatbotSecond: []string{post},
		},
		{
			name:  "429 when all is known",
			ndoto: apitest.Failure{Method: post, Status: 429, Header: map[string]string{"Retry-After": "Mon, 05 Jan 2026 10:00:00 GMT"}},
			sentences: []string{
				"ndoto, account 1: cannot create a subscription: NDOTO got too many requests (429); try again after 2026-01-05 10:00:00 UTC",
			},
			ndotoSecond: []string{post}, chatbotFirst: []string{post},
		},
		{
			name:        "a web page while planning",
			ndoto:       apitest.Failure{Method: http.MethodGet, Status: 200, Body: webPage},
			sentences:   []string{"ndoto, account 1: cannot list subscriptions: NDOTO returned a web page instead of JSON; set `api` to the URL of the API, not of the dashboard", nothingChanged},
			ndotoSecond: []string{post}, chatbotSecond: []string{post},
		},
		{
			name:         "a web page after the effect",
			chatbot:      apitest.Failure{Method: post, Status: 200, Body: webPage, AfterEffect: true},
			sentences:    []string{"chatbot: cannot create a subscription: CHATBOT returned a web page instead of JSON; set `api` to the URL of the API, not of the dashboard; " + unknown},
			ndotoFirst:   []string{post},
			chatbotFirst: []string{post},
		},
		{
			name:        "a time-out while planning",
			there:       true,
			chatbot:     apitest.Failure{Method: http.MethodGet, Path: "/webhooks/a1"},
			args:        []string{"--timeout", "500ms"},
			sentences:   []string{"chatbot: cannot read subscription a1: CHATBOT did not answer within 500ms; check `api`, or try again", nothingChanged},
			ndotoSecond: []string{patch}, chatbotSecond: []string{put},
		},
		{
			name:         "a time-out after the effect",
			ndoto:        apitest.Failure{Method: post, AfterEffect: true},
			args:         []string{"--timeout", "500ms"},
			sentences:    []string{"ndoto, account 1: cannot create a subscription: NDOTO did not answer within 500ms; " + unknown},
			ndotoFirst:   []string{post},
			chatbotFirst: []string{post},
		},
		{
			name:         "500 after the effect of create",
			ndoto:        apitest.Failure{Method: post, Status: 500, Body: `{"error":"our database\nis full"}`, AfterEffect: true},
			sentences:    []string{"ndoto, account 1: cannot create a subscription: NDOTO failed (500: our database is full); " + unknown},
			ndotoFirst:   []string{post},
			chatbotFirst: []string{post},
		},
		{
			name:       "both break off after the effect of create",
			ndoto:      apitest.Failure{Method: post, Break: true, AfterEffect: true},
			chatbot:    apitest.Failure{Method: post, Break: true, AfterEffect: true},
			sentences:  []string{"chatbot: cannot create a subscription: the connection to CHATBOT failed (EOF); " + unknown, "ndoto, account 1: cannot create a subscription: the connection to NDOTO failed (EOF); " + unknown},
			ndotoFirst: []string{post}, chatbotFirst: []string{post},
		},
		{
			name:    "5xx of update, before and after the effect",
			there:   true,
			ndoto:   apitest.Failure{Method: patch, Status: 503, Body: webPage},
			chatbot: apitest.Failure{Method: put, Status: 500, AfterEffect: true},
			sentences: []string{
				"chatbot: cannot update subscription a1: CHATBOT failed (500); " + unknown,
				"ndoto, account 1: cannot update subscription 7: NDOTO failed (503); " + unknown,
			},
			ndotoSecond: []string{patch}, chatbotFirst: []string{put},
		},
		{
			name:        "404 of update",
			there:       true,
			ndoto:       apitest.Failure{Method: patch, Status: 404, Body: webPage},
			sentences:   []string{"ndoto, account 1: cannot update subscription 7: it does not exist (404); run the command again, it checks first"},
			ndotoSecond: []string{patch}, chatbotFirst: []string{put},
		},
		{
			name:        "422 of create",
			ndoto:       apitest.Failure{Method: post, Status: 422, Body: `{"errors":[{"message":"url is not public"},"and more"]}`},
			sentences:   []string{"ndoto, account 1: cannot create a subscription: NDOTO rejected it (422: url is not public, and more)"},
			ndotoSecond: []string{post}, chatbotFirst: []string{post},
		},
		{
			name:    "a surplus that is not removed",
			there:   true,
			surplus: true,
			ndoto:   apitest.Failure{Method: remove, Status: 500},
			chatbot: apitest.Failure{Method: remove, Status: 500, AfterEffect: true},
			sentences: []string{
				"chatbot: cannot delete subscription a2: CHATBOT failed (500); " + unknown,
				"ndoto, account 1: cannot delete subscription 8: NDOTO failed (500); " + unknown,
			},
			ndotoFirst: []string{patch}, ndotoSecond: []string{remove},
			chatbotFirst: []string{put, remove},
		},
		{
			name:    "what was done cannot be looked at",
			there:   true,
			chatbot: apitest.Failure{Method: http.MethodGet, Path: "/webhooks/a1", Status: 502, AfterEffect: true},
			args:    []string{"chatbot"},
			sentences: []string{
				"chatbot: cannot read subscription a1: CHATBOT failed (502); try again later",
			},
			ndotoSecond: []string{patch}, chatbotSecond: []string{put},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSubscriptions(t, gatewayURL, bothSides)
			start(t, bothSides)
			if c.there {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
				s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
			}
			if c.surplus {
				s.ndoto.Add(ndotoWebhook(8, "subscriptions", []string{"message_created"}))
				s.chatbot.Add(chatbotWebhook("a2", "token", ofBefore))
			}
			if c.ndoto.Method != "" {
				s.ndoto.Fail(c.ndoto)
			}
			if c.chatbot.Method != "" {
				s.chatbot.Fail(c.chatbot)
			}
			for i, sentence := range c.sentences {
				c.sentences[i] = strings.NewReplacer("NDOTO", s.ndoto.URL, "CHATBOT", s.chatbot.URL).Replace(sentence)
			}
			r := s.run(append([]string{"apply", "--yes"}, c.args...)...).wantFailures(c.sentences...)
			for i, failure := range r.failures {
				if failure != c.sentences[i] {
					t.Errorf("error %q, want %q", failure, c.sentences[i])
				}
			}
			wantChanges(t, s.ndoto, c.ndotoFirst...)
			wantChanges(t, s.chatbot, c.chatbotFirst...)
			s.run("apply", "--yes").want(0)
			wantChanges(t, s.ndoto, c.ndotoSecond...)
			wantChanges(t, s.chatbot, c.chatbotSecond...)
			s.run("plan").want(0)
			onlyWebhook(t, s.ndoto)
			onlyWebhook(t, s.chatbot)
		})
	}
}

// TestSubscriptionsFailuresElsewhere shows failures of the commands that change
// nothing, and of those for one subscription.
func TestSubscriptionsFailuresElsewhere(t *testing.T) {
	s := newSubscribed(t, siteURL)
	for _, c := range []struct {
		name           string
		ndoto, chatbot apitest.Failure
		args           []string
		sentences      []string
	}{
		{
			name:      "plan",
			ndoto:     apitest.Failure{Method: http.MethodGet, Status: 500},
			chatbot:   apitest.Failure{Method: http.MethodGet, Status: 401},
			args:      []string{"plan"},
			sentences: []string{"chatbot: cannot list subscriptions: ", "ndoto, account 1: cannot list subscriptions: "},
		},
		{
			name:      "plan as JSON",
			ndoto:     apitest.Failure{Method: http.MethodGet, Status: 500},
			args:      []string{"plan", "--json"},
			sentences: []string{"(500); try again later"},
		},
		{
			name:      "a list that is none",
			ndoto:     apitest.Failure{Method: http.MethodGet, Status: 200, Body: `{"webhooks":[]}`},
			args:      []string{"list"},
			sentences: []string{"returned something other than a list; check `api`"},
		},
		{
			name:      "a subscription without an id",
			chatbot:   apitest.Failure{Method: http.MethodGet, Status: 200, Body: `[{"name":"x"}]`},
			args:      []string{"list"},
			sentences: []string{"chatbot: cannot list subscriptions: "},
		},
		{
			name:      "get",
			chatbot:   apitest.Failure{Method: http.MethodGet, Path: "/webhooks/a1", Status: 404},
			args:      []string{"get", "chatbot"},
			sentences: []string{"chatbot: cannot read subscription a1: it does not exist (404); run the command again, it checks first"},
		},
		{
			name:      "get by id",
			chatbot:   apitest.Failure{Method: http.MethodGet, Status: 429},
			args:      []string{"get", "chatbot", "a1"},
			sentences: []string{"(429); try again later"},
		},
		{
			name:      "delete by id",
			ndoto:     apitest.Failure{Method: http.MethodDelete, Status: 403},
			args:      []string{"delete", "ndoto", "7", "--yes"},
			sentences: []string{"(403); check `key` and `account`"},
		},
		{
			name:      "a redirect, which the API token must not follow",
			ndoto:     apitest.Failure{Method: http.MethodGet, Status: 302, Header: map[string]string{"Location": s.chatbot.URL}},
			args:      []string{"list", "ndoto"},
			sentences: []string{"redirects (302), which is not followed; set `api` to the URL of the API"},
		},
		{
			name:      "an answer that repeats the API token",
			ndoto:     apitest.Failure{Method: http.MethodGet, Status: 400, Body: `{"message":"no such token: ` + s.ndoto.Key + `"}`},
			args:      []string{"list", "ndoto"},
			sentences: []string{"rejected it (400"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *s
			s.t = t
			if c.ndoto.Method != "" {
				s.ndoto.Fail(c.ndoto)
			}
			if c.chatbot.Method != "" {
				s.chatbot.Fail(c.chatbot)
			}
			r := s.run(c.args...).wantFailures(c.sentences...)
			if slices.Contains(c.args, "--json") && !json.Valid([]byte(r.stdout)) {
				t.Errorf("no JSON: %s", r.stdout)
			}
			s.wantNoChanges()
		})
	}
	s.run("plan").want(0)
}

// notKnown is noted where nobody can tell that the gateway refuses what is to be
// registered.
const notKnown = "  ! could not check that the gateway accepts these credentials: `url` "

// refused is said where the gateway does.
const refused = "`url` rejects the credentials of this block (401); load this configuration into the gateway first, or check that `url` leads to this block"

// TestSubscriptionsChallengeFails shows what is said when ChatBot.com does not
// get its challenge back: a note before, since it may reach what cannot be
// reached from here, and then its refusal and what the URL does, in one sentence.
// Ndoto, which has no challenge, gets its own.
func TestSubscriptionsChallengeFails(t *testing.T) {
	notGateway := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		switch r.URL.Path {
		case "/words/chatbot":
			_, _ = io.WriteString(w, "hello")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	nobody := freeAddress(t)
	closed := "cannot be reached from here (dial tcp " + nobody + ": connect: connection refused); start the gateway, or check `url`"
	for _, c := range []struct {
		name, site, chatbot, ndoto, why string
	}{
		{"nobody is there", "http://" + nobody, closed, closed, "the url does not answer"},
		{
			"nothing is there", notGateway.URL, "answers the challenge with 404; check that `url` leads to this block",
			"answers a request without an event with 404; check that `url` leads to this block", "the url does not answer the challenge",
		},
		{
			"another is there", notGateway.URL + "/words", "does not return the challenge; check that `url` leads to this block",
			"answers a request without an event with 404; check that `url` leads to this block", "the url does not answer the challenge",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSubscriptions(t, c.site, bothSides)
			failure := "chatbot: cannot create a subscription: " + s.chatbot.URL + " rejected it (400: " + c.why + "); the provider calls `url` first, which " + c.chatbot
			for i := range 2 { // there is something to do for Ndoto, and nothing
				r := s.run("apply", "--yes").wantFailures(failure)
				if r.failures[0] != failure {
					t.Errorf("error %q, want %q", r.failures[0], failure)
				}
				notes := fmt.Sprint(notesIn(r.stdout))
				if want := fmt.Sprint([]string{notKnown + c.chatbot, notKnown + c.ndoto}); notes != want {
					t.Errorf("run %d has the notes %s, want %s", i, notes, want)
				}
				if strings.Contains(r.stdout, "accepts the credentials") || strings.Contains(r.stdout+r.errs, "challenge=") {
					t.Errorf("it says that it is accepted, or shows the query of the URL: %s%s", r.stdout, r.errs)
				}
			}
			wantChanges(t, s.chatbot, http.MethodPost, http.MethodPost) // both refused
			wantChanges(t, s.ndoto, http.MethodPost)
			if n := len(s.chatbot.Webhooks()); n != 0 {
				t.Errorf("ChatBot.com has %d webhooks", n)
			}
		})
	}
}

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

// TestSubscriptionsFailuresOnTheirOwn shows that each of several failures is a
// line of the log, and that the refusal of a provider and what its URL does stay
// one sentence, also in JSON.
func TestSubscriptionsFailuresOnTheirOwn(t *testing.T) {
	s := newSubscriptions(t, "http://"+freeAddress(t), bothSides)
	s.ndoto.Fail(apitest.Failure{Method: http.MethodPost, Status: 400, Body: `{"message":"no"}`, Times: 2})
	chatbot := "cannot create a subscription: " + s.chatbot.URL + " rejected it (400: the url does not answer); the provider calls `url` first, which cannot be reached from here ("
	ndoto := "cannot create a subscription: " + s.ndoto.URL + " rejected it (400: no)"
	for _, flag := range []string{"", "--json"} {
		r := s.run(append([]string{"apply", "--yes"}, strings.Fields(flag)...)...).wantFailures("chatbot: "+chatbot, "ndoto, account 1: "+ndoto)
		for i, failure := range r.failures {
			if strings.Contains(failure, "\n") || strings.HasPrefix(failure, "chatbot") != (i == 0) {
				t.Errorf("failure %d is no line of its own: %q", i, failure)
			}
		}
		if flag == "" {
			continue
		}
		got := r.decoded()
		if len(got.Subscriptions) != 2 || !strings.HasPrefix(got.Subscriptions[0].Error, chatbot) || got.Subscriptions[1].Error != ndoto {
			t.Errorf("in JSON: %s", r.stdout)
		}
	}
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

// TestSubscriptionsRotation shows that a new token is not registered before the
// gateway accepts it: until then the provider goes on with the old one, and no
// event is refused.
func TestSubscriptionsRotation(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	app := startApplication(t)
	g := start(t, bothSides+"\n"+app.proxy())
	s.run("apply", "--yes").want(0)
	wantChanges(t, s.ndoto, http.MethodPost)
	wantChanges(t, s.chatbot, http.MethodPost)
	before := fmt.Sprint(onlyWebhook(t, s.ndoto))
	s.deliverNdoto(http.StatusOK)

	t.Setenv("NDOTO_TOKEN_OF_BEFORE", os.Getenv("NDOTO_TOKEN"))
	secretIn(t, "NDOTO_TOKEN")
	g.site = edited(g.site, "token {env.NDOTO_TOKEN}", "token {env.NDOTO_TOKEN} {env.NDOTO_TOKEN_OF_BEFORE}")
	s.configure(g.config("rotated"))
	s.run("plan").want(2, "~ url  "+gatewayURL+"/ndoto?token=… (its query changes)\n", "= 58ee2e085d033800059a0001 is up to date")
	for _, args := range [][]string{{"apply"}, {"apply", "ndoto"}, {"update", "ndoto"}, {"update", "ndoto", "1"}} {
		r := s.run(append(args, "--yes")...).wantFailures("ndoto, account 1: " + refused)
		if r.failures[0] != "ndoto, account 1: "+refused || strings.Contains(r.stdout, "ndoto?token=… accepts") {
			t.Errorf("%s%s", r.failures[0], r.stdout)
		}
		if got := s.run(append(args, "--yes", "--json")...).wantFailures(refused).decoded(); got.Subscriptions[len(got.Subscriptions)-1].Error != refused || got.Subscriptions[len(got.Subscriptions)-1].Accepted {
			t.Errorf("in JSON: %+v", got)
		}
	}
	s.wantNoChanges()
	if after := fmt.Sprint(onlyWebhook(t, s.ndoto)); after != before {
		t.Error("the provider has something else than before")
	}
	s.deliverNdoto(http.StatusOK)

	// Where there is something to do for another block, that is not done either.
	s.chatbot.Set("token", ofBefore)
	r := s.run("apply", "--yes").wantFailures("ndoto, account 1: "+refused, nothingChanged)
	if !strings.Contains(r.stdout, "chatbot: \"gateway\" at "+gatewayURL+"/chatbot\n  ~ update ") {
		t.Errorf("it does not say what is not done: %s", r.stdout)
	}
	s.wantNoChanges()
	s.chatbot.Set("token", os.Getenv("CHATBOT_TOKEN"))

	g.load("rotated")
	s.deliverNdoto(http.StatusOK)
	s.run("apply", "--yes").want(0, "ndoto, account 1: updated 1\n", "ndoto?token=… accepts the credentials\n")
	wantBody(t, wantChanges(t, s.ndoto, http.MethodPatch)[0], map[string]any{
		"url": gatewayURL + "/ndoto?token=" + url.QueryEscape(os.Getenv("NDOTO_TOKEN")),
	})
	wantChanges(t, s.chatbot)
	s.deliverNdoto(http.StatusOK)
	app.want(t, 4)
}

// TestSubscriptionsDrift shows that what the command has in its environment is
// not registered when the gateway has something else, for all that ChatBot.com
// proves itself with: of these its challenge checks the token only.
func TestSubscriptionsDrift(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	app := startApplication(t)
	g := start(t, bothSides+"\n"+app.proxy())
	s.chatbot.Add(chatbotWebhook("a1"))
	for i, name := range []string{"CHATBOT_TOKEN", "CHATBOT_HEADER", "CHATBOT_USER", "CHATBOT_PASSWORD"} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.t = t
			secretIn(t, name)
			s.run("plan", "chatbot").want(2)
			answered := handshakes(t)
			for _, command := range []string{"apply", "update"} {
				r := s.run(command, "chatbot", "--yes").wantFailures("chatbot: " + refused)
				if r.failures[0] != "chatbot: "+refused || strings.Contains(r.stdout, "returns the challenge") {
					t.Errorf("%s%s", r.failures[0], r.stdout)
				}
			}
			want := 2 // the challenges of the command, which are answered
			if name == "CHATBOT_TOKEN" {
				want = 0
			}
			if n := handshakes(t) - answered; n != want {
				t.Errorf("the gateway answered %d challenges, want %d", n, want)
			}
			// With the other provider, nothing is done for that either.
			s.run("apply", "--yes").wantFailures("chatbot: "+refused, nothingChanged)
			s.wantNoChanges()
			s.deliverChatBot(http.StatusOK)
			app.want(t, i+1)
		})
	}
	t.Run("as the provider has it", func(t *testing.T) {
		s := *s
		s.t = t
		secretIn(t, "CHATBOT_HEADER")
		s.chatbot.Set("headers", chatbotWebhook("")["headers"])
		s.run("plan", "chatbot").want(0)
		s.run("apply", "chatbot", "--yes").wantFailures("chatbot: " + refused)
		s.run("delete", "chatbot", "--yes").want(0, "chatbot: deleted a1\n")
		wantChanges(t, s.chatbot, http.MethodDelete)
		s.run("create", "chatbot", "--yes").wantFailures("chatbot: " + refused)
		s.wantNoChanges()
		g.load("what the command has")
		s.run("create", "chatbot", "--yes").want(0, "chatbot: created ", "returns the challenge")
		s.deliverChatBot(http.StatusOK)
	})
}

// TestSubscriptionsElsewhere shows what is said of a URL that leads to something
// else than its block: a note, since somebody else may answer from here; unless
// that refuses.
func TestSubscriptionsElsewhere(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides+`
	webhooks /wotnot wotnot {
		token {env.NDOTO_TOKEN}
	}
	redir /moved /ndoto
	respond /text "hello"
	respond 404`)
	const check = "; check that `url` leads to this block"
	for _, c := range []struct{ provider, path, note string }{
		{"ndoto", "/text", "answers a request without an event with 200" + check},
		{"ndoto", "/nothing", "answers a request without an event with 404" + check},
		{"ndoto", "/moved", "answers a request without an event with 302" + check},
		{"ndoto", "/wotnot", "answers a request without an event with 200" + check},
		{"chatbot", "/text", "does not return the challenge" + check},
		{"chatbot", "/nothing", "answers the challenge with 404" + check},
		{"chatbot", "/ndoto", "answers the challenge with 405" + check},
	} {
		t.Run(c.provider+" at "+c.path, func(t *testing.T) {
			s := s.with(t, edited(bothSides, "{env.SITE}/"+c.provider, "{env.SITE}"+c.path))
			api := map[string]*apitest.API{"ndoto": s.ndoto, "chatbot": s.chatbot}[c.provider]
			// ChatBot.com refuses what does not answer its challenge.
			status := map[string]int{"ndoto": 0, "chatbot": 1}[c.provider]
			r := s.run("apply", c.provider, "--yes")
			if r.status != status || !slices.Equal(notesIn(r.stdout), []string{notKnown + c.note}) || strings.Contains(r.stdout, "accepts the credentials") {
				t.Errorf("exit status %d: %s%s", r.status, r.stdout, r.errs)
			}
			wantChanges(t, api, http.MethodPost)
			if c.provider == "chatbot" {
				return
			}
			// It is said again when there is nothing to do.
			if r := s.run("apply", "ndoto").want(0, "= "); !slices.Equal(notesIn(r.stdout), []string{notKnown + c.note}) || strings.Contains(r.stdout, "accepts the credentials") {
				t.Errorf("with nothing to do: %s", r.stdout)
			}
			got := s.run("apply", "ndoto", "--json").want(0).decoded().Subscriptions[0]
			if got.Accepted || got.Challenge || !slices.Contains(got.Notes, strings.TrimPrefix(notKnown+c.note, "  ! ")) {
				t.Errorf("in JSON: %+v", got)
			}
			s.run("delete", "ndoto", "--yes").want(0)
			wantChanges(t, api, http.MethodDelete)
		})
	}
	t.Run("a block that refuses", func(t *testing.T) {
		s := s.with(t, edited(bothSides, "{env.SITE}/ndoto", "{env.SITE}/chatbot"))
		s.run("apply", "ndoto", "--yes").wantFailures("ndoto, account 1: " + refused)
		s.wantNoChanges()
	})
}

// TestSubscriptionsSilentURL shows that a URL that does not answer is given up,
// and noted.
func TestSubscriptionsSilentURL(t *testing.T) {
	silent := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) { <-r.Context().Done() })
	s := newSubscriptions(t, silent.URL, bothSides)
	s.run("apply", "ndoto", "--yes", "--timeout", "300ms").want(0, "ndoto, account 1: created 1\n", notKnown+"cannot be reached from here (")
}

// TestSubscriptionsEmptyArgument shows that an empty argument, as of a variable
// that is not set, is not taken for one that is left out: `delete ndoto "$id"`
// would delete another one.
func TestSubscriptionsEmptyArgument(t *testing.T) {
	s := newSubscribed(t, nobodyURL)
	const sentence = "an argument is empty; leave it out, or give a provider and an id"
	for _, args := range [][]string{
		{"get", "ndoto", ""}, {"update", "ndoto", "", "--yes"}, {"delete", "ndoto", "", "--yes"}, {"delete", "", "7", "--yes"},
		{"delete", "", "--yes"}, {"apply", "", "--yes"}, {"create", "", "--yes"}, {"plan", ""}, {"list", ""}, {"get", ""},
	} {
		if r := s.run(args...).wantFailures(sentence); r.failures[0] != sentence || r.stdout != "" {
			t.Errorf("%q: %s%s", args, r.failures[0], r.stdout)
		}
	}
	if got := s.run("delete", "ndoto", "", "--yes", "--json").wantFailures(sentence).decoded(); got.Error != sentence || len(got.Subscriptions) != 0 {
		t.Errorf("in JSON: %+v", got)
	}
	s.wantNotCalled()
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

// TestSubscriptionsUnset shows that a variable that is not set, which one block
// needs, hides nothing of the others, and that nothing is changed for them
// either.
func TestSubscriptionsUnset(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
	s.chatbot.Add(chatbotWebhook("a1", "token", ofBefore))
	const (
		advice  = "{env.WEBHOOKS_TEST_UNSET} is not set, or empty; set that variable in the environment of this process"
		ndoto   = "webhooks ndoto: subscribe: `key`: " + advice
		chatbot = "webhooks chatbot: `basic_auth`: " + advice
	)
	unsetKey := []string{"{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"}
	unsetPassword := []string{"{env.CHATBOT_PASSWORD}", "{env.WEBHOOKS_TEST_UNSET}"}
	for _, c := range []struct {
		name, there string
		edits       []string
		failures    []string
	}{
		{"the one of Ndoto", "chatbot", unsetKey, []string{ndoto}},
		{"the one of ChatBot.com", "ndoto", unsetPassword, []string{chatbot}},
		{"both", "", slices.Concat(unsetKey, unsetPassword), []string{chatbot, ndoto}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.with(t, edited(bothSides, c.edits...))
			for _, command := range []string{"plan", "list", "get", "apply --yes", "update --yes", "create --yes", "delete --yes"} {
				failures := c.failures
				if c.there != "" && strings.HasSuffix(command, "--yes") {
					if command == "create --yes" {
						failures = append(slices.Clone(failures), c.there)
					} else {
						failures = append(slices.Clone(failures), nothingChanged)
					}
				}
				r := s.run(strings.Fields(command)...).wantFailures(failures...)
				isShown := c.there != "" && command != "create --yes"
				if (r.stdout != "") != isShown || isShown && !strings.HasPrefix(r.stdout, c.there) || strings.Contains(r.stdout, "apply` to apply them") {
					t.Errorf("%s prints %s", command, r.stdout)
				}
				got := s.run(append(strings.Fields(command), "--json")...).wantFailures(failures...).decoded()
				inAll := slices.Clone(c.failures) // that of a block stands in the block
				if slices.Contains(failures, nothingChanged) {
					inAll = append(inAll, nothingChanged)
				}
				for _, failure := range inAll {
					if !strings.Contains(got.Error, failure) {
						t.Errorf("%s --json has the error %q, without %q", command, got.Error, failure)
					}
				}
				if c.there == "" && len(got.Subscriptions) != 0 || c.there != "" && (len(got.Subscriptions) != 1 || got.Subscriptions[0].Provider != c.there) {
					t.Errorf("%s --json has %+v", command, got)
				}
			}
			s.wantNoChanges()
		})
	}
	t.Run("a block that is named", func(t *testing.T) {
		s := s.with(t, edited(bothSides, unsetKey...))
		s.run("apply", "chatbot", "--yes").want(0, "chatbot: updated a1\n")
		s.run("update", "--yes", "--url", gatewayURL+"/chatbot").want(0, "chatbot: updated a1\n")
		wantChanges(t, s.chatbot, http.MethodPut, http.MethodPut)
		wantChanges(t, s.ndoto)
	})
}

// TestSubscriptionsOfOneURL shows that with --url the other blocks are not
// forgotten: nobody is told to delete what they have made, and an id of theirs is
// not that of the block.
func TestSubscriptionsOfOneURL(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, twoOfEach)
	start(t, twoOfEach)
	s.run("apply", "ndoto", "--yes").want(0, "created 1\n", "created 2\n")
	wantChanges(t, s.ndoto, http.MethodPost, http.MethodPost)
	for i, path := range []string{"/ndoto", "/2"} {
		id, other := strconv.Itoa(i+1), strconv.Itoa(2-i)
		if s.ndoto.Webhooks()[0]["url"] != ndotoWebhook(0)["url"] {
			id, other = other, id
		}
		flag := []string{"--url", gatewayURL + path}
		for _, command := range []string{"plan", "apply", "plan ndoto"} {
			r := s.run(append(strings.Fields(command), flag...)...).want(0, "= "+id+" is up to date\n")
			if strings.Contains(r.stdout, "!") || strings.Contains(r.stdout, "delete") {
				t.Errorf("%s %v has a note on what another block has made:\n%s", command, flag, r.stdout)
			}
		}
		s.run(append([]string{"get", "ndoto", id}, flag...)...).want(0, "id      "+id+"\n", "ours    yes\n")
		s.run(append([]string{"get", "ndoto", other}, flag...)...).want(0, "id      "+other+"\n", "ours    no\n")
		// Without it, the block is the one whose own it is.
		s.run("get", "ndoto", id).want(0, "ndoto, account 1, \"caddy-webhooks\" at "+gatewayURL+path+"?token=…:\n", "ours    yes\n")
		s.run("update", "ndoto", id, "--yes").want(0, "ndoto, account 1, \"caddy-webhooks\" at "+gatewayURL+path+"?token=…: updated "+id+"\n")
		wantChanges(t, s.ndoto, http.MethodPatch)
	}
	// What nobody of this configuration has made is still noted.
	s.ndoto.Add(ndotoWebhook(9, "url", "https://other.example.com/ndoto"))
	s.run("plan", "--url", gatewayURL+"/2").want(0, "! 9 has this name, but sends to https://other.example.com/ndoto; ", "remove it with `delete ndoto 9`")

	s.run("plan", "--url", gatewayURL+"/3").wantFailures("has no block `webhooks` with a `subscribe` to " + gatewayURL + "/3; it has ")
	r := s.run("plan", "ndoto", "--url", gatewayURL+"/3?token=x").wantFailures("has no block `webhooks ndoto` with a `subscribe` to " + gatewayURL + "/3?token=…; it has ")
	for _, path := range []string{"/ndoto?token=…", "/2?token=…"} {
		if !strings.Contains(r.failures[0], gatewayURL+path) {
			t.Errorf("it does not name the URL with %s: %s", path, r.failures[0])
		}
	}
	s.run("plan", "wotnot", "--url", gatewayURL+"/3").wantFailures("; it has none")
}

// TestSubscriptionsStrictJSON shows that a configuration in JSON that the gateway
// would not load is none for the command either: a member that is misspelt is
// said, and nobody is called.
func TestSubscriptionsStrictJSON(t *testing.T) {
	s := newSubscribed(t, nobodyURL)
	adapted := string(adapt(t, siteURL+" {\n"+bothSides+"\n}\n"))
	for _, c := range []struct{ name, config, sentence string }{
		{"subscribe", edited(adapted, `"key":"{env.NDOTO_KEY}"`, `"key":"{env.NDOTO_KEY}","inbocks":"4"`), `a webhooks handler: json: unknown field "inbocks"`},
		{"a handler", edited(adapted, `"provider":"ndoto"`, `"provider":"ndoto","providers":"x"`), `a webhooks handler: json: unknown field "providers"`},
		{"the app", edited(adapted, `"apps":{`, `"apps":{"webhooks":{"surprise":1},`), `the webhooks app: json: unknown field "surprise"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *s
			s.t = t
			s.file = filepath.Join(t.TempDir(), "caddy.json")
			writeText(t, s.file, adapted)
			s.run("plan").want(0)
			s.wantNoChanges()
			writeText(t, s.file, c.config)
			if err := validateJSON(c.config); err == nil {
				t.Error("the gateway takes it")
			}
			for _, command := range []string{"plan chatbot", "list", "apply --yes", "delete --yes"} {
				if r := s.run(strings.Fields(command)...).wantFailures(c.sentence); r.stdout != "" {
					t.Errorf("%s prints %s", command, r.stdout)
				}
			}
			if got := s.run("apply", "--yes", "--json").wantFailures(c.sentence).decoded(); got.Error != c.sentence {
				t.Errorf("in JSON: %+v", got)
			}
			s.wantNotCalled()
		})
	}
}

// TestSubscriptionsConfigurations shows where blocks may stand, and which of
// them are meant.
func TestSubscriptionsConfigurations(t *testing.T) {
	s := newSubscribed(t, siteURL)
	const both = "  = a1 is up to date\nndoto, account 1: "
	t.Run("handle and route", func(t *testing.T) {
		s := s.with(t, "handle {\n"+bothSides+"\n}\nroute /other/* {\nhandle_path /other/* {\n"+bothSides+"\n}\n}")
		if r := s.run("plan").want(0, both); strings.Count(r.stdout, "\n") != 4 {
			t.Error(r.stdout)
		}
	})
	t.Run("a snippet imported twice", func(t *testing.T) {
		s := s.with(t, "{\n}\n(hooks) {\n"+bothSides+"\n}\nhttps://a.example.com, https://b.example.com {\nimport hooks\n}\nhttps://hooks.example.com {\nimport hooks\n}\n")
		if r := s.run("plan").want(0, both); strings.Count(r.stdout, "\n") != 4 {
			t.Error(r.stdout)
		}
	})
	t.Run("a snippet imported with different URLs", func(t *testing.T) {
		snippet := edited(bothSides, "{env.SITE}/ndoto", "{args[0]}/ndoto", "{env.SITE}/chatbot", "{args[0]}/chatbot")
		s := s.with(t, "{\n}\n(hooks) {\n"+snippet+"\n}\nhttps://hooks.example.com {\nimport hooks https://hooks.example.com\n}\nhttps://b.example.com {\nimport hooks https://b.example.com\n}\n")
		s.run("plan").want(2, "= a1 is up to date", "= 7 is up to date", "+ url     https://b.example.com/ndoto?token=…", "2 changes")
		s.run("plan", "--url", "https://HOOKS.example.com:443/ndoto?any=1").want(0, "= 7 is up to date")
		s.run("plan", "ndoto", "--url", "https://b.example.com/ndoto").want(2, "1 change;")
		s.run("plan", "ndoto", "--url", "https://b.example.com/nowhere?x=1").wantFailures("has no block `webhooks ndoto` with a `subscribe` to https://b.example.com/nowhere?x=…")
		s.run("get", "ndoto", "7", "--url", "https://b.example.com/ndoto").want(0, "id      7")
	})
	t.Run("JSON", func(t *testing.T) {
		s := s.with(t, bothSides)
		file := filepath.Join(t.TempDir(), "caddy.json")
		writeText(t, file, string(adapt(t, "https://hooks.example.com {\n"+bothSides+"\n}\n")))
		s.file = file
		s.run("plan").want(0, both)
	})
	t.Run("another adapter's name", func(t *testing.T) {
		s := s.with(t, bothSides)
		file := filepath.Join(t.TempDir(), "gateway.conf")
		writeText(t, file, "https://hooks.example.com {\n"+bothSides+"\n}\n")
		s.file = file
		s.run("plan", "--adapter", "caddyfile").want(0, both)
		s.run("plan").wantFailures("config is not valid JSON")
	})
	s.wantNoChanges()
}

// with returns the same providers for another test, with another configuration.
func (s *subscriptions) with(t *testing.T, config string) *subscriptions {
	t.Helper()
	other := *s
	other.t, other.file = t, filepath.Join(t.TempDir(), "Caddyfile")
	other.configure(config)
	return &other
}

// TestSubscriptionsConfigurationErrors shows what is said of a configuration
// with which the command can do nothing.
func TestSubscriptionsConfigurationErrors(t *testing.T) {
	s := newSubscribed(t, siteURL)
	t.Setenv("EMPTY", "")
	t.Setenv("NO_URL", "hooks.example.com")
	for _, c := range []struct {
		name, config string
		args         []string
		sentence     string
	}{
		{"no block", "respond hello", []string{"plan"}, "has no block `webhooks`"},
		{"no block of the provider", bothSides, []string{"plan", "notifly"}, "has no block `webhooks notifly`"},
		{"an unknown provider", bothSides, []string{"plan", "github"}, `unknown provider "github"; the closest are `},
		{"no such URL", bothSides, []string{"plan", "--url", "https://hooks.example.com/"}, "has no block `webhooks` with a `subscribe` to https://hooks.example.com/"},
		{"an unset key", edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `key`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty; set that variable"},
		{"an empty key", edited(bothSides, "{env.NDOTO_KEY}", "{env.EMPTY}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `key`: {env.EMPTY} is not set, or empty; set that variable"},
		{"an unset account", edited(bothSides, "account 1", "account {env.WEBHOOKS_TEST_UNSET}"), []string{"list", "ndoto"}, "webhooks ndoto: subscribe: `account`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"an unset token", edited(bothSides, "{env.CHATBOT_TOKEN}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "chatbot"}, "webhooks chatbot: `token`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"an unset header", edited(bothSides, "{env.CHATBOT_HEADER}", "{env.WEBHOOKS_TEST_UNSET}"), []string{"plan", "chatbot"}, "webhooks chatbot: `header`: {env.WEBHOOKS_TEST_UNSET} is not set, or empty"},
		{"a variable that is no URL", edited(bothSides, "{env.SITE}/ndoto", "{env.NO_URL}/ndoto"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `url`: it is not a URL"},
		{"a variable that is no inbox", edited(bothSides, "account 1", "account 1\n\t\t\tinbox {env.NO_URL}"), []string{"plan", "ndoto"}, "webhooks ndoto: subscribe: `inbox`: the value is not the number of an inbox"},
		{
			"two that differ", bothSides + edited(bothSides, "/ndoto ndoto", "/2 ndoto", "{env.NDOTO_TOKEN}", "{env.NDOTO_TOKEN}\n\t\tsource /2", "/chatbot chatbot {", "/3 chatbot {\n\t\tsource /3", "message_created ", ""),
			[]string{"plan"}, "two blocks of ndoto subscribe https://hooks.example.com/ndoto?token=… as \"caddy-webhooks\", and differ; change the `name` or `url` of one",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.with(t, c.config)
			r := s.run(c.args...).wantFailures(c.sentence)
			if r.stdout != "" {
				t.Errorf("it prints %s", r.stdout)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		runSubscriptions(t, "", "plan").wantFailures("no Caddyfile in this directory; set --config")
		runSubscriptions(t, "", "plan", "--config", "/nowhere/Caddyfile").wantFailures("no such file or directory")
	})
	s.wantNotCalled()
}

// TestSubscriptionsUsage shows that what is no command fails with status 1, not
// with that of a plan with changes.
func TestSubscriptionsUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show"}, "unknown command \"show\"; see caddy webhooks subscriptions --help"},
		{[]string{"plan", "ndoto", "7"}, "accepts at most 1 arg(s), received 2"},
		{[]string{"get", "ndoto", "7", "8"}, "accepts at most 2 arg(s), received 3"},
		{[]string{"plan", "--yes"}, "unknown flag: --yes"},
		{[]string{"plan", "--timeout", "0s"}, "--timeout must be above 0, such as 30s"},
		{[]string{"plan", "--timeout", "soon"}, "invalid argument \"soon\" for \"--timeout\""},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := runSubscriptions(t, "", c.args...)
			if r.status != 1 || !strings.Contains(r.errs, c.want) || r.stdout != "" {
				t.Errorf("exit status %d, %s%s", r.status, r.stdout, r.errs)
			}
		})
	}
}

// TestSubscriptionsServing shows that `subscribe` changes nothing in how a block
// serves: the gateway needs none of its variables, and calls nobody.
func TestSubscriptionsServing(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	app := startApplication(t)
	config := edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}", "account 1", "account {env.WEBHOOKS_TEST_UNSET}",
		"{env.SITE}/chatbot", "{env.WEBHOOKS_TEST_UNSET}/chatbot", "name gateway", "name {env.WEBHOOKS_TEST_UNSET}")
	g := start(t, config+"\n"+app.proxy())
	if err := validateJSON(string(adapt(t, g.config("")))); err != nil {
		t.Error(err)
	}
	s.ndoto.Add(ndotoWebhook(7))
	s.chatbot.Add(chatbotWebhook("a1"))
	s.deliverNdoto(http.StatusOK)
	s.deliverChatBot(http.StatusOK)
	g.site = bothSides + "\n" + app.proxy()
	g.load("with another subscribe")
	s.deliverNdoto(http.StatusOK)
	for _, api := range []*apitest.API{s.ndoto, s.chatbot} {
		if calls := api.Calls(); len(calls) > 0 {
			t.Errorf("the gateway called a provider: %v", calls)
		}
	}
	app.want(t, 3)
}

// TestSubscriptionsNotesCanBeFollowed shows that what a note advises is not
// refused, where the block has its own already and where it has none yet.
func TestSubscriptionsNotesCanBeFollowed(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.ndoto.Add(ndotoWebhook(70, "name", "by hand"))
	s.run("plan", "ndoto").want(2, "take it over with `update ndoto 70`")
	s.run("update", "ndoto", "70", "--yes").want(0)
	s.run("plan", "ndoto").want(0, "= 70 is up to date")
	s.ndoto.Add(ndotoWebhook(71, "name", "by hand"))
	s.run("plan", "ndoto").want(0, "remove it with `delete ndoto 71`")
	s.run("delete", "ndoto", "71", "--yes").want(0)
	onlyWebhook(t, s.ndoto)
}

// TestSubscriptionsIDOfOneBlock shows that no --url is needed where two blocks
// share an account: an id there is that of one subscription.
func TestSubscriptionsIDOfOneBlock(t *testing.T) {
	s := newSubscriptions(t, siteURL, twoOfEach)
	s.ndoto.Add(ndotoWebhook(7))
	s.ndoto.Add(ndotoWebhook(70, "name", "by hand"))
	s.run("get", "ndoto", "7").want(0, "ours  ")
	s.run("get", "ndoto", "70").want(0)
	s.run("delete", "ndoto", "70", "--yes").want(0)
}

// TestSubscriptionsUnverified shows that a block that checks nothing is
// subscribed without credentials, and gets its events.
func TestSubscriptionsUnverified(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	config := edited(bothSides, "token {env.NDOTO_TOKEN}", "unverified", "token      {env.CHATBOT_TOKEN}", "unverified",
		"header     X-Static {env.CHATBOT_HEADER}\n", "\n", "basic_auth {env.CHATBOT_USER} {env.CHATBOT_PASSWORD}\n", "\n")
	app := startApplication(t)
	start(t, config+"\n"+app.proxy())
	s = s.with(t, config)
	s.run("apply", "--yes").want(0, "returns the challenge, and accepts the credentials\n", "ndoto accepts the credentials\n")
	s.run("plan").want(0)
	s.deliverNdoto(200)
	s.deliverChatBot(200)
}

// TestSubscriptionsSigned shows that the URL of a provider that signs its events
// is not tried, since there is no event to sign: nobody says that it accepts
// them, and the application gets nothing.
func TestSubscriptionsSigned(t *testing.T) {
	app := startApplication(t)
	s := newSubscriptions(t, app.URL, bothSides)
	s = s.with(t, `{
	webhooks {
		provider signed {
			verify hmac sha256 {
				signature header X-Signature
			}
			key hash
			type type {
				message_created message.created
			}
			subscriptions {
				api    {$NDOTO_API}
				path   /api/v1/accounts/$account/webhooks
				key    header api_access_token
				list   payload
				update patch
				field  id     id
				field  name   name
				field  url    url
				field  events subscriptions
				field  active active
			}
		}
	}
}
https://hooks.example.com {
	webhooks signed {
		secret {env.NDOTO_TOKEN}
		subscribe {
			url     {env.SITE}/signed
			key     {env.NDOTO_KEY}
			account 1
		}
	}
}
`)
	for range 2 { // there is something to do, and nothing
		if r := s.run("apply", "--yes").want(0); strings.Contains(r.stdout, "accepts the credentials") {
			t.Errorf("it says that what was not tried is accepted:\n%s", r.stdout)
		}
	}
	if got := s.run("apply", "--yes", "--json").want(0).decoded().Subscriptions[0]; got.Accepted {
		t.Errorf("in JSON: %+v", got)
	}
	wantChanges(t, s.ndoto, http.MethodPost)
	app.want(t, 0)
}

// TestSubscriptionsKeepsActive shows that of two that are equal but for that, the
// one that sends is kept: with the other one nothing would arrive any more.
func TestSubscriptionsKeepsActive(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.ndoto.Add(ndotoWebhook(7, "active", false))
	s.ndoto.Add(ndotoWebhook(8))
	s.run("apply", "ndoto", "--yes").want(0)
	if kept := onlyWebhook(t, s.ndoto); kept["active"] != true {
		t.Errorf("it keeps the one that is not active: %v", kept["id"])
	}
}

// TestSubscriptionsNotesNotOfOtherBlocks shows that two blocks of one account may
// bear the same name, which is the default: nobody is told to delete what the
// other has made.
func TestSubscriptionsNotesNotOfOtherBlocks(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, twoOfEach)
	start(t, twoOfEach)
	s.run("apply", "ndoto", "--yes").want(0)
	if r := s.run("plan", "ndoto").want(0); strings.Contains(r.stdout, "`delete") {
		t.Errorf("it says that what a block of this configuration has made should be deleted:\n%s", r.stdout)
	}
	// Nor when what a block needs is not there, so that nobody knows what it made.
	s = s.with(t, edited(twoOfEach, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"))
	for _, args := range [][]string{{"plan", "ndoto"}, {"plan", "--url", gatewayURL + "/2"}, {"plan", "--url", gatewayURL + "/ndoto"}} {
		if r := s.run(args...); !strings.Contains(r.stdout, "is up to date") && r.failures == nil || strings.Contains(r.stdout, "`delete") {
			t.Errorf("%v says that what a block of this configuration has made should be deleted:\n%s", args, r.stdout)
		}
	}
}

// TestSubscriptionsAPISpelling shows that an API is the same with and without a
// slash at its end, so that two blocks that differ are found.
func TestSubscriptionsAPISpelling(t *testing.T) {
	s := newSubscribed(t, siteURL)
	s = s.with(t, bothSides+edited(bothSides, "/ndoto ndoto", "/2 ndoto", "{env.NDOTO_TOKEN}", "{env.NDOTO_TOKEN}\n\t\tsource /2",
		"/chatbot chatbot {", "/3 chatbot {\n\t\tsource /3", "message_created ", "", "{env.NDOTO_API}", "{env.NDOTO_API}/"))
	s.run("plan").wantFailures("two blocks of ndoto subscribe")
}

// TestSubscriptionsSelection: what is wrong with a block that is not meant does
// not matter.
func TestSubscriptionsSelection(t *testing.T) {
	s := newSubscribed(t, siteURL)
	s = s.with(t, edited(bothSides, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"))
	s.run("plan", "chatbot").want(0)
	s.run("plan", "--url", siteURL+"/chatbot").want(0)
}
