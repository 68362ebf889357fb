package subscription_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// Parts of what is reported of a URL that was tried.
const (
	refusal = "rejects the credentials of this block (401); load this configuration into the gateway first, or check that `url` leads to this block"
	unknown = "could not check that the gateway accepts these credentials: `url` "
	advice  = "; check that `url` leads to this block"
	reach   = "cannot be reached from here ("
	mend    = "); start the gateway, or check `url`"
)

// status answers with a status.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// redirect leads to another path, which answers 200.
func redirect(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/else" {
			http.Redirect(w, r, "/else", code)
		}
	}
}

// broken announces more than it sends.
func broken(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		w.WriteHeader(code)
		_, _ = w.Write([]byte("a"))
	}
}

// TestChallenge shows that ChatBot.com's challenge is tried before a subscription
// is registered, and after the provider rejected the URL. It pins what is
// reported of a URL that answers otherwise: only one that rejects the token is an
// error.
func TestChallenge(t *testing.T) {
	ctx := context.Background()
	const other = "does not return the challenge" + advice
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // of {url}
	}{
		{"401", status(401), refusal},
		{"404", status(404), "answers the challenge with 404" + advice},
		{"405", status(405), "answers the challenge with 405" + advice},
		{"500", status(500), "answers the challenge with 500" + advice},
		{"another status", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(202)
			_, _ = w.Write([]byte(r.URL.Query().Get("challenge")))
		}, "answers the challenge with 202" + advice},
		{"a redirect", redirect(302), "answers the challenge with 302" + advice},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, other},
		{"more", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Query().Get("challenge") + "\n"))
		}, other},
		{"in JSON", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"challenge":"` + r.URL.Query().Get("challenge") + `"}`))
		}, other},
		{"the token", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(r.URL.Query().Get("token")))
		}, other},
		{"a broken body", broken(200), reach + "unexpected EOF" + mend},
		{"a broken connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, reach + "EOF" + mend},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newChatBot(t)
			s.hook.say(test.answer)
			plan, err := s.Plan(ctx)
			if err != nil {
				t.Fatal(err)
			}
			note, err := s.Try(ctx)
			if test.want == refusal {
				checkError(t, err, "`url` "+refusal)
				err, note = nil, unknown+refusal // checked
			}
			if note != unknown+test.want || err != nil {
				t.Errorf("got %q, %v, want %q", note, err, unknown+test.want)
			}
			for _, visit := range s.hook.called() {
				if visit.method != http.MethodGet || visit.path != "/chatbot" {
					t.Errorf("it calls %s %s", visit.method, visit.path)
				}
			}
			err = s.Do(ctx, plan.Changes[0])
			refused := "(400: the url does not answer the challenge)"
			if strings.HasSuffix(test.name, "connection") {
				refused = "(400: the url does not answer)"
			}
			checkError(t, err, "cannot create a subscription: "+s.API.URL+" rejected it "+refused+"; the provider calls `url` first, which "+test.want)
			checkSafe(t, err.Error())
			if left := s.Webhooks(); len(left) > 0 {
				t.Errorf("there is %v", left)
			}

			// Once the URL answers, the subscription is created.
			s.hook.say(nil)
			if note, err := s.Try(ctx); note != "" || err != nil {
				t.Errorf("got %q, %v", note, err)
			}
			s.mustApply(t)
			if note, err := s.Try(ctx); note != "" || err != nil {
				t.Errorf("got %q, %v", note, err)
			}
		})
	}
}

// TestChallengeIsFresh shows what the challenge carries: the token, the URL's own
// parameters, and another challenge each time.
func TestChallengeIsFresh(t *testing.T) {
	s := newChatBot(t)
	s.Want.URL += "?tenant=a+b&token=of-another-time"
	var challenges []string
	for range 2 {
		if note, err := s.Try(context.Background()); note != "" || err != nil {
			t.Fatal(note, err)
		}
		called := s.hook.called()
		if len(called) != 2 {
			t.Fatalf("%d calls", len(called))
		}
		query := called[0].query
		if len(query) != 3 || query.Get("tenant") != "a b" || len(query["token"]) != 1 || query.Get("token") != token || len(query.Get("challenge")) < 20 {
			t.Errorf("the query is %v", query)
		}
		challenges = append(challenges, query.Get("challenge"))
	}
	if challenges[0] == challenges[1] {
		t.Error("the challenge is the same")
	}
}

// TestChallengeFromElsewhere shows that a URL which cannot be reached from here
// is no failure: the provider may reach it.
func TestChallengeFromElsewhere(t *testing.T) {
	for name, newSide := range both {
		t.Run(name, func(t *testing.T) {
			s := newSide(t)
			if s.hook == nil {
				s.sendTo(newHook(t))
			}
			s.hook.Close()
			note, err := s.Try(context.Background())
			if err != nil || !strings.HasPrefix(note, unknown+reach+"dial tcp ") || !strings.HasSuffix(note, mend) {
				t.Errorf("got %q, %v", note, err)
			}
			checkSafe(t, note)
		})
	}

	s := newChatBot(t)
	s.hook.Close()
	plan, err := s.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	err = s.Do(context.Background(), plan.Changes[0])
	const middle = " rejected it (400: the url does not answer); the provider calls `url` first, which " + reach + "dial tcp "
	if got := textOfError(err); !strings.HasPrefix(got, "cannot create a subscription: "+s.API.URL+middle) || !strings.HasSuffix(got, mend) {
		t.Errorf("got %v", err)
	}
}

// TestChallengeOfRotation shows that another token is accepted only where the
// gateway takes it already, and that the old one stays until then.
func TestChallengeOfRotation(t *testing.T) {
	s := newChatBot(t)
	s.mustApply(t)
	s.Want.Token = otherToken
	_, err := s.Try(context.Background())
	checkError(t, err, "`url` "+refusal)
	_, err = s.apply()
	checkError(t, err, "cannot update subscription 58ee2e085d033800059a0001: "+s.API.URL+" rejected it (400: the url does not answer the challenge); the provider calls `url` first, which "+refusal)
	if got := s.only(t)["token"]; got != token {
		t.Errorf("the token is %v", got)
	}
	s.hook.expect(otherToken)
	if note, err := s.Try(context.Background()); note != "" || err != nil {
		t.Errorf("got %q, %v", note, err)
	}
	s.words["token"] = otherToken
	s.mustApply(t)
}

// TestNoChallengeOfOthers shows that the URL is not tried after failures other
// than a rejection.
func TestNoChallengeOfOthers(t *testing.T) {
	ctx := context.Background()
	s := newChatBot(t)
	s.Want.Headers[0].Value = ""
	plan, err := s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, s.Do(ctx, plan.Changes[0]), "cannot create a subscription: "+s.API.URL+" rejected it (422: a header is too short or too long)")

	s = newNdoto(t)
	s.Want.Events = nil
	plan, err = s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, s.Do(ctx, plan.Changes[0]), "cannot create a subscription: "+s.API.URL+" rejected it (422: url and subscriptions are required)")
}
