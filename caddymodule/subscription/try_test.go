package subscription_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestTry shows what is reported of a URL that is sent the credentials: it
// accepts them, rejects them, or that is unknown.
func TestTry(t *testing.T) {
	ctx := context.Background()
	answers := func(code int) string {
		return fmt.Sprintf("%sanswers a request without an event with %d%s", unknown, code, advice)
	}
	// Only to a POST: the challenge is answered.
	toPost := func(answer http.HandlerFunc) func(*side) {
		return func(s *side) {
			s.hook.say(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					_, _ = w.Write([]byte(r.URL.Query().Get("challenge")))
					return
				}
				answer(w, r)
			})
		}
	}
	expects := func(change func(*hook)) func(*side) { return func(s *side) { s.hook.set(change) } }
	for _, test := range []struct {
		name   string
		change func(*side)
		note   string
		err    string
		only   string // of which API, "" of both
	}{
		{name: "accepted", change: func(*side) {}},
		{name: "another token", change: expects(func(h *hook) { h.token = otherToken }), err: "`url` " + refusal},
		{name: "another value of a header", only: "chatbot", change: expects(func(h *hook) { h.headers[0].Value = otherValue }), err: "`url` " + refusal},
		{name: "another header", change: expects(func(h *hook) { h.headers = []subscription.Header{{Name: "X-Else", Value: headerValue}} }), err: "`url` " + refusal},
		{name: "a header less", only: "chatbot", change: func(s *side) { s.Want.Headers = nil }, err: "`url` " + refusal},
		{name: "another password", change: expects(func(h *hook) { h.basicAuth = subscription.BasicAuth{Username: username, Password: otherValue} }), err: "`url` " + refusal},
		{name: "another user", change: expects(func(h *hook) { h.basicAuth = subscription.BasicAuth{Username: otherValue, Password: password} }), err: "`url` " + refusal},
		{name: "no basic auth", only: "chatbot", change: func(s *side) { s.Want.BasicAuth = subscription.BasicAuth{} }, err: "`url` " + refusal},
		{name: "a token that is not presented", only: "chatbot", change: func(s *side) { s.Present = func(*http.Request) {} }, err: "`url` " + refusal},
		{name: "a token in another parameter", only: "chatbot", change: func(s *side) { s.Present = inQuery("key", &s.Want) }, err: "`url` " + refusal},
		{name: "two headers of one name", only: "chatbot", change: func(s *side) {
			both := []subscription.Header{{Name: "X-Proof", Value: headerValue}, {Name: "x-proof", Value: otherValue}}
			s.Want.Headers = both
			s.hook.say(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodGet:
					_, _ = w.Write([]byte(r.URL.Query().Get("challenge")))
				case slices.Equal(r.Header.Values("X-Proof"), []string{headerValue, otherValue}):
					w.WriteHeader(400)
				default:
					w.WriteHeader(401)
				}
			})
		}},
		{name: "401 by a page", change: toPost(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = w.Write([]byte("<html>no</html>"))
		}), err: "`url` " + refusal},
		{name: "400 with a broken body", change: toPost(broken(400))}, // the status is enough
		{name: "200", change: toPost(status(200)), note: answers(200)},
		{name: "204", change: toPost(status(204)), note: answers(204)},
		{name: "403", change: toPost(status(403)), note: answers(403)},
		{name: "404", change: toPost(status(404)), note: answers(404)},
		{name: "405", change: toPost(status(405)), note: answers(405)},
		{name: "422", change: toPost(status(422)), note: answers(422)},
		{name: "500", change: toPost(status(500)), note: answers(500)},
		{name: "503 with a broken body", change: toPost(broken(503)), note: answers(503)},
		{name: "a redirect to a GET", change: toPost(redirect(302)), note: answers(302)},
		{name: "a redirect of any method", change: toPost(redirect(307)), note: answers(307)},
		{name: "a broken connection", change: toPost(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), note: unknown + reach + "EOF" + mend},
		{name: "an empty one is taken", change: func(s *side) {
			s.TakesEmpty = true
			s.hook.set(func(h *hook) { h.takesEmpty = true })
		}},
		{name: "an empty one could be taken", change: func(s *side) { s.TakesEmpty = true }},
		{name: "an empty one is taken by another one", change: expects(func(h *hook) { h.takesEmpty = true }), note: answers(200)},
		{name: "an empty one is taken otherwise", change: func(s *side) { s.TakesEmpty = true; toPost(status(204))(s) }, note: answers(204)},
		{name: "an empty one is refused", change: func(s *side) {
			s.TakesEmpty = true
			s.hook.set(func(h *hook) { h.takesEmpty, h.token = true, otherToken })
		}, err: "`url` " + refusal},
		{name: "no URL", change: func(s *side) { s.Want.URL = "http://[::1/in?token=" + tokenInURL }, note: unknown + "cannot be called"},
		{name: "a header that cannot be sent", change: func(s *side) {
			s.Want.Headers = []subscription.Header{{Name: "X-Proof", Value: headerValue + "\n"}}
		}, note: unknown + reach + `net/http: invalid header field value for "X-Proof"` + mend},
	} {
		for name, newSide := range both {
			if test.only != "" && test.only != name {
				continue
			}
			t.Run(name+"/"+test.name, func(t *testing.T) {
				s := newSide(t)
				if s.hook == nil {
					s.sendTo(newHook(t))
				}
				test.change(s)
				note, err := s.Try(ctx)
				if note != test.note || textOfError(err) != test.err {
					t.Errorf("got:\n%q, %v\nwant:\n%q, %v", note, err, test.note, test.err)
				}
				checkSafe(t, note+" "+textOfError(err))
				for _, visit := range s.hook.called() {
					if visit.path != "/"+name {
						t.Errorf("it calls %s %s", visit.method, visit.path)
					}
				}
				if calls := s.Calls(); len(calls) > 0 {
					t.Errorf("it calls the API: %v", calls)
				}
			})
		}
	}
}

// TestTryCalls pins the requests to the URL: the challenge, if the provider has
// one, then an empty request with all credentials. After a rejected challenge
// there is no other request, and the API token is in none.
func TestTryCalls(t *testing.T) {
	chatbot := newChatBot(t)
	chatbot.Want.URL += "?tenant=a+b"
	ndoto := newNdoto(t)
	ndoto.sendTo(newHook(t))
	ndoto.Want.URL += "&tenant=a+b"
	for name, test := range map[string]struct {
		s    *side
		want []string
	}{
		"chatbot": {chatbot, []string{"GET challenge tenant token", "POST tenant token"}},
		"ndoto":   {ndoto, []string{"POST tenant token"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.s
			seen := &recorder{RoundTripper: s.Client.HTTP.Transport}
			s.Client.HTTP.Transport = seen
			if note, err := s.Try(context.Background()); note != "" || err != nil {
				t.Fatal(note, err)
			}
			var got []string
			for _, visit := range s.hook.called() {
				var names []string
				for parameter, values := range visit.query {
					names = append(names, parameter)
					if want := map[string]string{"token": token, "tenant": "a b"}[parameter]; len(values) != 1 || want != "" && values[0] != want {
						t.Errorf("%s %s is %q", visit.method, parameter, values)
					}
				}
				slices.Sort(names)
				got = append(got, visit.method+" "+strings.Join(names, " "))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("it calls %q, want %q", got, test.want)
			}
			for _, r := range seen.requests {
				want := http.Header{}
				if r.Method == http.MethodPost {
					want = http.Header{"Content-Type": {"application/json"}}
				}
				if r.Method == http.MethodPost && name == "chatbot" {
					want["X-Proof"] = []string{headerValue}
					with := &http.Request{Header: want}
					with.SetBasicAuth(username, password)
				}
				if !reflect.DeepEqual(r.Header, want) {
					t.Errorf("%s has %v, want %v", r.Method, r.Header, want)
				}
				if s := r.URL.String(); repeated(s, apiKey) != "" {
					t.Errorf("it calls %s", s)
				}
			}
		})
	}

	chatbot.hook.expect(otherToken)
	if _, err := chatbot.Try(context.Background()); err == nil {
		t.Error("no error")
	}
	if called := chatbot.hook.called(); len(called) != 1 || called[0].method != http.MethodGet {
		t.Errorf("after a refusal, it calls %v", called)
	}
}

// TestTryPresents shows that the token is presented as the provider does, beside
// the other credentials, and that no request is sent if that cannot be done.
func TestTryPresents(t *testing.T) {
	s := newChatBot(t)
	s.Challenge = nil
	s.Present = func(r *http.Request) { r.Header.Set("X-Token", s.Want.Token) }
	s.hook.say(func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusUnauthorized
		if r.Header.Get("X-Token") == token && r.Header.Get("X-Proof") == headerValue && r.URL.RawQuery == "" {
			code = http.StatusBadRequest
		}
		w.WriteHeader(code)
	})
	if note, err := s.Try(context.Background()); note != "" || err != nil {
		t.Errorf("got %q, %v", note, err)
	}
	s.Want.Token = otherToken
	_, err := s.Try(context.Background())
	checkError(t, err, "`url` "+refusal)
	if n := len(s.hook.called()); n != 2 {
		t.Errorf("%d calls", n)
	}

	s = newChatBot(t)
	s.Present = nil
	s.hook.set(func(h *hook) { h.basicAuth.Password = otherValue })
	note, err := s.Try(context.Background())
	if note != "" || err != nil {
		t.Errorf("got %q, %v", note, err)
	}
	if called := s.hook.called(); len(called) != 1 || called[0].method != http.MethodGet {
		t.Errorf("it calls %v", called)
	}
	s.hook.expect(otherToken)
	_, err = s.Try(context.Background())
	checkError(t, err, "`url` "+refusal)
}

// TestTryTimeout shows that a URL that does not answer is not an error.
func TestTryTimeout(t *testing.T) {
	done := make(chan struct{})
	defer close(done)
	s := newNdoto(t)
	s.sendTo(newHook(t))
	s.hook.say(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	s.Client.HTTP.Timeout = shortTimeout
	note, err := s.Try(context.Background())
	if err != nil || !strings.HasPrefix(note, unknown+reach+"context deadline exceeded") || !strings.HasSuffix(note, mend) {
		t.Errorf("got %q, %v", note, err)
	}
	checkSafe(t, note)
}
