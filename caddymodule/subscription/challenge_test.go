package subscription_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// TestChallenge shows that ChatBot.com's challenge is tried as it does, after it
// was answered and after it refused the URL, and pins what is said of a URL that
// answers otherwise.
func TestChallenge(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // of {url}
	}{
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "does not accept the token (401); load this configuration into the gateway"},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "answers the challenge with 404; check that `url` leads to this block"},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "answers the challenge with 500; check that `url` leads to this block"},
		{"another status", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(202)
			_, _ = w.Write([]byte(r.URL.Query().Get("challenge")))
		}, "answers the challenge with 202; check that `url` leads to this block"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/else" {
				http.Redirect(w, r, "/else", http.StatusFound)
			}
		}, "answers the challenge with a redirect (302); give `url` the address that it leads to"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "answers the challenge with something else; check that `url` leads to this block"},
		{"more", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Query().Get("challenge") + "\n"))
		}, "answers the challenge with something else; check that `url` leads to this block"},
		{"in JSON", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"challenge":"` + r.URL.Query().Get("challenge") + `"}`))
		}, "answers the challenge with something else; check that `url` leads to this block"},
		{"the token", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Query().Get("token")))
		}, "answers the challenge with something else; check that `url` leads to this block"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newChatBot(t)
			s.hook.say(test.answer)
			plan, err := s.Plan(ctx)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Do(ctx, plan.Changes[0])
			checkError(t, err, "cannot create a subscription: "+s.API.URL+" does not accept it (400: the url does not answer the challenge); it tries the URL first, which "+test.want)
			checkSafe(t, err.Error())
			_, err = s.Try(ctx)
			checkError(t, err, "the URL "+test.want)
			if left := s.Webhooks(); len(left) > 0 {
				t.Errorf("there is %v", left)
			}

			// Mended, it is done and said.
			s.hook.say(nil)
			s.mustApply(t)
			if note, err := s.Try(ctx); note != "" || err != nil {
				t.Errorf("got %q, %v", note, err)
			}
		})
	}
}

// TestChallengeIsFresh shows what the challenge carries: the token, the URL's own
// parameters, another challenge each time, and not the API token.
func TestChallengeIsFresh(t *testing.T) {
	s := newChatBot(t)
	s.Want.URL += "?tenant=a+b&token=of-another-time"
	for range 2 {
		if note, err := s.Try(context.Background()); note != "" || err != nil {
			t.Fatal(note, err)
		}
	}
	called := s.hook.called()
	if len(called) != 2 {
		t.Fatalf("%d calls", len(called))
	}
	for _, query := range called {
		if len(query) != 3 || query.Get("tenant") != "a b" || len(query["token"]) != 1 || query.Get("token") != token || len(query.Get("challenge")) < 20 {
			t.Errorf("the query is %v", query)
		}
	}
	if called[0].Get("challenge") == called[1].Get("challenge") {
		t.Error("the challenge is the same")
	}
	recorder := &recorder{RoundTripper: s.Client.HTTP.Transport}
	s.Client.HTTP.Transport = recorder
	if _, err := s.Try(context.Background()); err != nil {
		t.Fatal(err)
	}
	if header := recorder.requests[0].Header; len(header) > 0 {
		t.Errorf("it has %v", header)
	}
}

// TestChallengeFromElsewhere shows that a URL which cannot be reached from here
// is no failure: the provider may reach it.
func TestChallengeFromElsewhere(t *testing.T) {
	s := newChatBot(t)
	s.hook.Close()
	note, err := s.Try(context.Background())
	const begin = "whether the URL answers the challenge is not known: it cannot be reached from here (dial tcp "
	if err != nil || !strings.HasPrefix(note, begin) {
		t.Errorf("got %q, %v", note, err)
	}
	checkSafe(t, note)

	plan, err := s.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	err = s.Do(context.Background(), plan.Changes[0])
	const middle = " does not accept it (400: the url does not answer); it tries the URL first, which cannot be reached from here (dial tcp "
	if err == nil || !strings.HasPrefix(err.Error(), "cannot create a subscription: "+s.API.URL+middle) {
		t.Errorf("got %v", err)
	}
}

// TestChallengeOfRotation shows that another token is accepted only where the
// gateway takes it already, and that the old one stays until then.
func TestChallengeOfRotation(t *testing.T) {
	s := newChatBot(t)
	s.mustApply(t)
	s.Want.Token = otherToken
	_, err := s.apply()
	checkError(t, err, "cannot update subscription 58ee2e085d033800059a0001: "+s.API.URL+" does not accept it (400: the url does not answer the challenge); it tries the URL first, which does not accept the token (401); load this configuration into the gateway")
	if got := s.only(t)["token"]; got != token {
		t.Errorf("the token is %v", got)
	}
	s.hook.expect(otherToken)
	s.words["token"] = otherToken
	s.mustApply(t)
}

// TestNoChallengeOfOthers shows that a refusal which says why is not explained
// by a challenge where the URL answers it, nor at a provider without one.
func TestNoChallengeOfOthers(t *testing.T) {
	ctx := context.Background()
	s := newChatBot(t)
	s.Want.Headers[0].Value = ""
	plan, err := s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, s.Do(ctx, plan.Changes[0]), "cannot create a subscription: "+s.API.URL+" does not accept it (422: a header is too short or too long)")

	s = newNdoto(t)
	s.Want.Events = nil
	plan, err = s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, s.Do(ctx, plan.Changes[0]), "cannot create a subscription: "+s.API.URL+" does not accept it (422: url and subscriptions are required)")
}
