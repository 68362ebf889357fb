package caddymodule_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// handshakes returns the number of challenges that the gateway has answered.
func handshakes(t *testing.T) int {
	t.Helper()
	n, _ := strconv.Atoi(metric(t, `caddy_webhooks_requests_total{outcome="handshake",provider="chatbot"}`))
	return n
}

// awkwardSecretIn is secretIn with characters that URLs and Caddyfiles escape.
func awkwardSecretIn(t *testing.T, name string) {
	t.Helper()
	secret := secretIn(t, name) + "+/=&?%25 {x}#ü"
	noteSecret(url.QueryEscape(secret))
	t.Setenv(name, secret)
}

// newPayload returns the payload of a fixture with another id, so that it is not
// a duplicate.
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

// TestSubscriptionsWholeWay subscribes both providers to a gateway with the same
// configuration: from nothing to events that arrive, through every kind of
// change, and back to nothing.
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

	// Other tokens. Events with the old ones are refused until the providers have the new ones.
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

// chatbotBody returns the body that ChatBot.com gets for bothSides, with the name
// of a header.
func chatbotBody(header string) map[string]any {
	body := chatbotWebhook("", "headers", []any{map[string]any{"name": header, "value": os.Getenv("CHATBOT_HEADER")}})
	delete(body, "id")
	delete(body, "error")
	return body
}

// TestSubscriptionsServing shows that `subscribe` does not affect a gateway: it
// needs none of its variables, and calls no provider.
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

// TestSubscriptionsUnverified shows that a block with `unverified` is subscribed
// without credentials, and gets its events.
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

// TestSubscriptionsSigned shows that the URL of a provider that signs is not
// tried, without an event to sign.
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
