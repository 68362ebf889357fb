package caddymodule_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// TestSubscriptionsFailures shows how failures of one API affect a run: one line
// for each provider, exit status 1, no change at the other provider if planning
// fails, and a second apply that finishes. TestFailures in subscription has all
// failures.
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
			name:         "a time-out after the effect",
			ndoto:        apitest.Failure{Method: post, AfterEffect: true},
			args:         []string{"--timeout", "500ms"},
			sentences:    []string{"ndoto, account 1: cannot create a subscription: NDOTO did not answer within 500ms; " + unknown},
			ndotoFirst:   []string{post},
			chatbotFirst: []string{post},
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

// TestSubscriptionsFailuresElsewhere shows failures of plan, and of a change by
// id.
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
			name:      "delete by id",
			ndoto:     apitest.Failure{Method: http.MethodDelete, Status: 403},
			args:      []string{"delete", "ndoto", "7", "--yes"},
			sentences: []string{"(403); check `key` and `account`"},
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

// TestSubscriptionsFailuresOnTheirOwn shows that each of several failures is one
// line of the log, and one field in JSON.
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

// webPage is an answer where JSON is expected.
const webPage = "<!DOCTYPE html>\n<html><title>Log in</title></html>"
