package subscription_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestForeign shows that a subscription of others is never changed, and that a
// note mentions one that has our name or our URL.
func TestForeign(t *testing.T) {
	const foreignID = "5a21a9e21ec94a0007f9ac19"
	for api, start := range both {
		for _, test := range []struct {
			name    string
			foreign func(*side) (name, url string)
			notes   []string
		}{
			{"all else", func(*side) (string, string) { return "Zap", "https://else.example.com/" }, nil},
			{
				"our name",
				func(s *side) (string, string) {
					auth := url.UserPassword("user", password)
					return s.Want.Name, "https://" + auth.String() + "@else.example.com/in?token=" + otherToken
				},
				[]string{foreignID + " has this name, but sends to https://…@else.example.com/in?token=…&…; if that is not another gateway, remove it with `delete " + api + " " + foreignID + "`"},
			},
			{
				"our URL", func(s *side) (string, string) { return "Zap\x1b[2J", s.Want.URL },
				[]string{foreignID + ", named \"Zap\\x1b[2J\", sends to this URL too; take it over with `update " + api + " " + foreignID + "`"},
			},
			{
				"our name in other letters", func(s *side) (string, string) { return "Caddy-Webhooks", s.Want.URL },
				[]string{foreignID + ", named \"Caddy-Webhooks\", sends to this URL too; take it over with `update " + api + " " + foreignID + "`"},
			},
			{"no name and no URL", func(*side) (string, string) { return "", "" }, nil},
		} {
			t.Run(api+"/"+test.name, func(t *testing.T) {
				s := start(t)
				foreign := map[string]any{"id": foreignID, "token": otherToken}
				foreign["name"], foreign["url"] = test.foreign(s)
				s.Add(foreign)
				plan, err := s.apply()
				if err != nil {
					t.Fatal(err)
				}
				if len(plan.Changes) != 1 || plan.Changes[0].Action != subscription.ActionCreate || plan.ID != "" {
					t.Errorf("the plan is %s", inJSON(t, plan))
				}
				if !slices.Equal(plan.Notes, test.notes) {
					t.Errorf("notes:\n%s\nwant:\n%s", strings.Join(plan.Notes, "\n"), strings.Join(test.notes, "\n"))
				}
				checkSafe(t, inJSON(t, plan))
				webhooks := s.Webhooks()
				if len(webhooks) != 2 || !reflect.DeepEqual(webhooks[0], foreign) {
					t.Errorf("there is %v", webhooks)
				}
				for _, call := range s.Calls() {
					if strings.HasSuffix(call.Path, foreignID) {
						t.Errorf("it calls %s %s", call.Method, call.Path)
					}
				}

				// A plan that deletes leaves it alone too.
				plan, err = s.Delete(context.Background(), "")
				if err == nil {
					for _, change := range plan.Changes {
						err = errors.Join(err, s.Do(context.Background(), change))
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(s.only(t), foreign) {
					t.Errorf("there is %v", s.only(t))
				}
			})
		}
	}
}

// TestForeignBesideOurs pins the notes on subscriptions with our name or our URL
// if ours exists: they cannot be taken over. There is no note on what another
// block wants.
func TestForeignBesideOurs(t *testing.T) {
	for api, start := range both {
		t.Run(api, func(t *testing.T) {
			s := start(t)
			s.add("7", s.words)
			s.Add(map[string]any{"id": "8", "name": "Zap", "url": s.Want.URL})
			s.Add(map[string]any{"id": "9", "name": s.Want.Name, "url": "https://else.example.com/"})
			s.Add(map[string]any{"id": "10", "name": s.Want.Name, "url": "https://third.example.com/?token=a"})
			s.Others = []subscription.Subscription{{Name: s.Want.Name, URL: "https://third.example.com/?token=b"}}
			before := s.Webhooks()
			checkPlan(t, s.mustApply(t), nil, []string{
				"8, named \"Zap\", sends to this URL too; remove it with `delete " + api + " 8`",
				"9 has this name, but sends to https://else.example.com/; if that is not another gateway, remove it with `delete " + api + " 9`",
			})
			if after := s.Webhooks(); !reflect.DeepEqual(after, before) {
				t.Errorf("there is %v, and was %v", after, before)
			}
		})
	}
}

// TestManyNotes shows that notes are limited, and so are subscriptions of ours.
func TestManyNotes(t *testing.T) {
	s := newNdoto(t)
	s.add(7, s.words)
	for i := range 30 {
		s.Add(map[string]any{"id": 100 + i, "name": strings.Repeat("x", 1000), "url": s.Want.URL})
	}
	plan := s.mustApply(t)
	if n := len(plan.Notes); n != 21 || plan.Notes[20] != "and 10 more notes; see `list`" || len(plan.Notes[0]) > 500 {
		t.Errorf("%d notes, with %q", n, plan.Notes[n-1])
	}

	s = newNdoto(t)
	for i := range 200 {
		s.add(i+1, s.words)
	}
	_, err := s.Plan(context.Background())
	checkError(t, err, s.API.URL+" has 200 subscriptions with this name and URL; remove them with `delete`")
	if changes := s.Changes(); len(changes) > 0 {
		t.Errorf("it calls %v", changes)
	}
}

// TestPlainHTTP shows that a plan warns of an API or a URL without TLS.
func TestPlainHTTP(t *testing.T) {
	const (
		plainAPI = "`api` is plain HTTP, which exposes the API token to the network; use https"
		plainURL = "`url` is plain HTTP, which exposes events and credentials to the network; use https"
	)
	for _, test := range []struct {
		api, url string
		notes    []string
	}{
		{"https://api.example.com", "https://hooks.example.com/", nil},
		{"http://api.example.com", "https://hooks.example.com/", []string{plainAPI}},
		{"https://api.example.com", "http://hooks.example.com/", []string{plainURL}},
		{"HTTP://192.0.2.7:80", "http://[2001:db8::7]/", []string{plainAPI, plainURL}},
		{"http://localhost:8080", "http://localhost/", nil},
		{"http://127.0.0.1", "http://[::1]:8080/", nil},
		{"http://127.0.0.1.example.com", "https://hooks.example.com/", []string{plainAPI}},
	} {
		target := &subscription.Target{
			Client: &subscription.Client{
				API: description(t, "ndoto"), URL: test.api,
				HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"payload":[]}`))}, nil
				})},
			},
			Want: subscription.Subscription{Name: "a", URL: test.url},
		}
		plan, err := target.Plan(context.Background())
		if err != nil || !slices.Equal(plan.Notes, test.notes) {
			t.Errorf("%s and %s: %q, %v", test.api, test.url, plan.Notes, err)
		}
	}
}

// TestNotes pins the notes on a subscription of ours that no change affects.
func TestNotes(t *testing.T) {
	t.Run("ndoto", func(t *testing.T) {
		s := newNdoto(t)
		s.add(7, s.words)
		s.Set("active", false)
		checkPlan(t, s.mustApply(t), nil, []string{"7 is inactive: enable it at the provider to get events"})
	})
	for name, test := range map[string]struct {
		noted any
		notes []string
	}{
		"none":      {map[string]any{}, nil},
		"null":      {nil, nil},
		"a text":    {"timeout of 10000ms exceeded", []string{"7: the last error at the provider: timeout of 10000ms exceeded"}},
		"no text":   {"", nil},
		"an object": {map[string]any{"date": "2017-12-04T15:06:12.053Z", "message": "timeout of 10000ms exceeded"}, []string{"7: the last error at the provider: timeout of 10000ms exceeded (2017-12-04T15:06:12.053Z)"}},
		"no date":   {map[string]any{"message": "refused"}, []string{"7: the last error at the provider: refused"}},
		"a token": {
			map[string]any{"message": "GET https://hooks.example.com/in failed\r\nAuthorization: " + password},
			[]string{"7: the last error at the provider: " + notShownText},
		},
		"lines and a query": {
			map[string]any{"message": "GET https://hooks.example.com/in?key=abc failed:\r\n\x1b[1mtimeout"},
			[]string{"7: the last error at the provider: GET https://hooks.example.com/in?… failed: [1mtimeout"},
		},
	} {
		t.Run("chatbot/"+name, func(t *testing.T) {
			s := newChatBot(t)
			s.add("7", s.words)
			s.Set("error", test.noted)
			checkPlan(t, s.mustApply(t), nil, test.notes)
		})
	}
}
