package caddymodule_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// TestSubscriptionsChallengeFails shows the report if ChatBot.com does not get its
// challenge back: notes before, since the provider may reach what the command
// cannot, then its rejection and what the URL does, in one line. Ndoto, which has no
// challenge, gets its subscription.
func TestSubscriptionsChallengeFails(t *testing.T) {
	notGateway := startApplication(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.URL.Path != "/chatbot" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "hello")
	})
	const (
		check   = "; check that `url` leads to this block"
		chatbot = "does not return the challenge" + check
		ndoto   = "answers a request without an event with 404" + check
	)
	s := newSubscriptions(t, notGateway.URL, bothSides)
	failure := "chatbot: cannot create a subscription: " + s.chatbot.URL + " rejected it (400: the url does not answer the challenge); the provider calls `url` first, which " + chatbot
	for i := range 2 { // there is something to do for Ndoto, and nothing
		r := s.run("apply", "--yes").wantFailures(failure)
		if r.failures[0] != failure {
			t.Errorf("error %q, want %q", r.failures[0], failure)
		}
		if notes := notesIn(r.stdout); !slices.Equal(notes, []string{notKnown + chatbot, notKnown + ndoto}) {
			t.Errorf("run %d has the notes %q", i, notes)
		}
		if strings.Contains(r.stdout, "accepts the credentials") || strings.Contains(r.stdout+r.errs, "challenge=") {
			t.Errorf("it reports that the URL accepts them, or shows its query: %s%s", r.stdout, r.errs)
		}
	}
	wantChanges(t, s.chatbot, http.MethodPost, http.MethodPost) // both rejected
	wantChanges(t, s.ndoto, http.MethodPost)
	if n := len(s.chatbot.Webhooks()); n != 0 {
		t.Errorf("ChatBot.com has %d webhooks", n)
	}
}

// TestSubscriptionsRotation shows that a new token is not registered before the
// gateway accepts it: until then the provider uses the old one, and no event is
// refused.
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

// TestSubscriptionsDrift shows that credentials from the environment of the
// command are not registered if the gateway has others: a token, which
// ChatBot.com's challenge checks, and a password, which it does not.
func TestSubscriptionsDrift(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	app := startApplication(t)
	g := start(t, bothSides+"\n"+app.proxy())
	s.chatbot.Add(chatbotWebhook("a1"))
	for i, name := range []string{"CHATBOT_TOKEN", "CHATBOT_PASSWORD"} {
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

// TestSubscriptionsElsewhere shows the note on a URL that leads elsewhere than to
// its block, and the error if that rejects the credentials. TestTry in
// subscription has all answers.
func TestSubscriptionsElsewhere(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides+`
	respond /text "hello"
	respond 404`)
	const check = "; check that `url` leads to this block"
	for _, c := range []struct{ provider, path, note string }{
		{"ndoto", "/text", "answers a request without an event with 200" + check},
		{"chatbot", "/text", "does not return the challenge" + check},
	} {
		t.Run(c.provider+" at "+c.path, func(t *testing.T) {
			v := s.with(t, edited(bothSides, "{env.SITE}/"+c.provider, "{env.SITE}"+c.path))
			api := map[string]*apitest.API{"ndoto": v.ndoto, "chatbot": v.chatbot}[c.provider]
			// ChatBot.com refuses what does not answer its challenge.
			status := map[string]int{"ndoto": 0, "chatbot": 1}[c.provider]
			r := v.run("apply", c.provider, "--yes")
			if r.status != status || !slices.Equal(notesIn(r.stdout), []string{notKnown + c.note}) || strings.Contains(r.stdout, "accepts the credentials") {
				t.Errorf("exit status %d: %s%s", r.status, r.stdout, r.errs)
			}
			wantChanges(t, api, http.MethodPost)
			if c.provider == "chatbot" {
				return
			}
			// It is said again when there is nothing to do.
			if r := v.run("apply", "ndoto").want(0, "= "); !slices.Equal(notesIn(r.stdout), []string{notKnown + c.note}) || strings.Contains(r.stdout, "accepts the credentials") {
				t.Errorf("with nothing to do: %s", r.stdout)
			}
			got := v.run("apply", "ndoto", "--json").want(0).decoded().Subscriptions[0]
			if got.Accepted || got.Challenge || !slices.Contains(got.Notes, strings.TrimPrefix(notKnown+c.note, "  ! ")) {
				t.Errorf("in JSON: %+v", got)
			}
			v.run("delete", "ndoto", "--yes").want(0)
			wantChanges(t, api, http.MethodDelete)
		})
	}
	t.Run("a block that refuses", func(t *testing.T) {
		v := s.with(t, edited(bothSides, "{env.SITE}/ndoto", "{env.SITE}/chatbot"))
		v.run("apply", "ndoto", "--yes").wantFailures("ndoto, account 1: " + refused)
		v.wantNoChanges()
	})
}
