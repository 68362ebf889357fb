package subscription_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestFromNothing makes the webhook at a provider that has none, as the
// provider's page says: one POST with all members, and nothing to do then.
func TestFromNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(testing.TB) *side
		plan  string
		calls []apitest.Call
	}{
		{
			"ndoto", newNdoto,
			"create [+name caddy-webhooks, +url https://hooks.example.com/ndoto?token=…, +events message_created, +events contact_created]",
			[]apitest.Call{
				{Method: "GET", Path: "/api/v1/accounts/17/webhooks"},
				{Method: "POST", Path: "/api/v1/accounts/17/webhooks", Body: map[string]any{
					"name":          "caddy-webhooks",
					"url":           "https://hooks.example.com/ndoto?token=" + tokenInURL,
					"subscriptions": []any{"message_created", "contact_created"},
				}},
				{Method: "GET", Path: "/api/v1/accounts/17/webhooks"},
			},
		},
		{
			"chatbot", newChatBot,
			"create [+name caddy-webhooks, +url {hook}/chatbot, +token, +header X-Proof, +basic_auth]",
			[]apitest.Call{
				{Method: "GET", Path: "/webhooks"},
				{Method: "POST", Path: "/webhooks", Body: map[string]any{
					"name":    "caddy-webhooks",
					"url":     "{hook}/chatbot",
					"token":   token,
					"headers": []any{map[string]any{"name": "X-Proof", "value": headerValue}},
					"auth":    map[string]any{"username": username, "password": password},
				}},
				{Method: "GET", Path: "/webhooks"},
				{Method: "GET", Path: "/webhooks/58ee2e085d033800059a0001"},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.start(t)
			plan, err := s.apply()
			if err != nil {
				t.Fatal(err)
			}
			if s.hook != nil {
				test.plan = strings.ReplaceAll(test.plan, "{hook}", s.hook.URL)
				test.calls[1].Body["url"] = s.hook.URL + "/chatbot"
			}
			checkPlan(t, plan, []string{test.plan}, nil)
			if got := s.Calls(); !reflect.DeepEqual(got, test.calls) {
				t.Errorf("calls:\n%v\nwant:\n%v", got, test.calls)
			}
			if s.only(t)["url"] != s.Want.URL {
				t.Errorf("the URL is %v", s.only(t)["url"])
			}
			s.checkDone(t)
		})
	}
}

// TestChanges changes what is wanted of a webhook that is there: the plan says
// what differs, without a value that is a credential, and one call makes it so.
// Ndoto's PATCH has exactly the member that changes.
func TestChanges(t *testing.T) {
	words := func(events ...any) map[string]any { return map[string]any{"subscriptions": events} }
	for _, test := range []struct {
		name   string
		change func(*side)
		plan   string         // "" when nothing is to be done
		body   map[string]any // of the PATCH
	}{
		{"nothing", func(*side) {}, "", nil},
		{
			"an event more", func(s *side) { s.Want.Events = []string{"message_created", "contact_created", "contact_updated"} },
			"update 1 [+events contact_updated]", words("message_created", "contact_created", "contact_updated"),
		},
		{
			"an event less", func(s *side) { s.Want.Events = []string{"contact_created"} },
			"update 1 [-events message_created]", words("contact_created"),
		},
		{
			"another event", func(s *side) { s.Want.Events = []string{"message_updated", "contact_created"} },
			"update 1 [+events message_updated, -events message_created]", words("message_updated", "contact_created"),
		},
		{"another order", func(s *side) { s.Want.Events = []string{"contact_created", "message_created"} }, "", nil},
		{
			"an inbox", func(s *side) { s.Want.Inbox = "4" },
			"update 1 [+inbox 4]", map[string]any{"inbox_id": 4.0},
		},
		{
			"another token", func(s *side) { s.present(otherToken) },
			"update 1 [~url https://hooks.example.com/ndoto?token=…]",
			map[string]any{"url": "https://hooks.example.com/ndoto?token=" + otherTokenInURL},
		},
		{
			"another parameter", func(s *side) { s.Want.URL += "&tenant=a" },
			"update 1 [~url https://hooks.example.com/ndoto?token=…&tenant=…]",
			map[string]any{"url": "https://hooks.example.com/ndoto?token=" + tokenInURL + "&tenant=a"},
		},
		{
			"two things", func(s *side) {
				s.present(otherToken)
				s.Want.Events = []string{"message_created"}
			},
			"update 1 [~url https://hooks.example.com/ndoto?token=…, -events contact_created]",
			map[string]any{
				"url":           "https://hooks.example.com/ndoto?token=" + otherTokenInURL,
				"subscriptions": []any{"message_created"},
			},
		},
	} {
		t.Run("ndoto/"+test.name, func(t *testing.T) {
			s := newNdoto(t)
			s.mustApply(t)
			test.change(s)
			s.words = map[string]any{"inbox_id": nil}
			if s.Want.Inbox != "" {
				s.words["inbox_id"] = test.body["inbox_id"]
			}
			s.changed(t, test.plan, http.MethodPatch, "1", test.body)
		})
	}

	for _, test := range []struct {
		name   string
		change func(*side)
		plan   string
		body   map[string]any // what is different in the PUT
	}{
		{"nothing", func(*side) {}, "", nil},
		{
			"another token", func(s *side) { s.hook.expect(otherToken); s.Want.Token = otherToken },
			"[~token]", map[string]any{"token": otherToken},
		},
		{
			"another value of a header", func(s *side) { s.Want.Headers = []subscription.Header{{Name: "X-Proof", Value: otherValue}} },
			"[~header X-Proof]", map[string]any{"headers": headers("X-Proof", otherValue)},
		},
		{
			"a header more", func(s *side) {
				s.Want.Headers = []subscription.Header{{Name: "X-Proof", Value: headerValue}, {Name: "X-More", Value: otherValue}}
			},
			"[+header X-More]", map[string]any{"headers": headers("X-Proof", headerValue, "X-More", otherValue)},
		},
		{
			"a second value of a header", func(s *side) {
				s.Want.Headers = []subscription.Header{{Name: "X-Proof", Value: headerValue}, {Name: "x-proof", Value: otherValue}}
			},
			"[~header X-Proof]", map[string]any{"headers": headers("X-Proof", headerValue, "x-proof", otherValue)},
		},
		{
			"another header", func(s *side) { s.Want.Headers = []subscription.Header{{Name: "X-Other", Value: headerValue}} },
			"[+header X-Other, -header X-Proof]", map[string]any{"headers": headers("X-Other", headerValue)},
		},
		{
			"no header", func(s *side) { s.Want.Headers = nil },
			"[-header X-Proof]", map[string]any{"headers": []any{}},
		},
		{"a header in other letters", func(s *side) { s.Want.Headers = []subscription.Header{{Name: "x-proof", Value: headerValue}} }, "", nil},
		{
			"another password", func(s *side) { s.Want.BasicAuth.Password = otherValue },
			"[~basic_auth]", map[string]any{"auth": map[string]any{"username": username, "password": otherValue}},
		},
		{
			"another user", func(s *side) { s.Want.BasicAuth.Username = otherValue },
			"[~basic_auth]", map[string]any{"auth": map[string]any{"username": otherValue, "password": password}},
		},
		{
			"no basic auth", func(s *side) { s.Want.BasicAuth = subscription.BasicAuth{} },
			"[-basic_auth]", map[string]any{"auth": map[string]any{}},
		},
	} {
		t.Run("chatbot/"+test.name, func(t *testing.T) {
			s := newChatBot(t)
			s.mustApply(t)
			test.change(s)
			body := s.words // of the first
			body["name"], body["url"] = s.Want.Name, s.Want.URL
			for name, value := range test.body {
				body[name] = value
			}
			plan := test.plan
			s.words = nil
			if plan != "" {
				plan = "update 58ee2e085d033800059a0001 " + plan
			}
			s.changed(t, plan, http.MethodPut, "58ee2e085d033800059a0001", body)
		})
	}
}

// headers are headers as ChatBot.com has them.
func headers(namesAndValues ...string) []any {
	var all []any
	for pair := range slices.Chunk(namesAndValues, 2) {
		all = append(all, map[string]any{"name": pair[0], "value": pair[1]})
	}
	return all
}

// changed applies and checks the plan and its one call.
func (s *side) changed(t *testing.T, want, method, id string, body map[string]any) {
	t.Helper()
	s.Calls()
	plan, err := s.apply()
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	var calls []apitest.Call
	if want != "" {
		changes = []string{want}
		calls = []apitest.Call{{Method: method, Path: s.path(id), Body: body}}
	}
	checkPlan(t, plan, changes, nil)
	if got := s.Changes(); !reflect.DeepEqual(got, calls) {
		t.Errorf("calls:\n%v\nwant:\n%v", got, calls)
	}
	if plan.ID != id {
		t.Errorf("the plan names %q", plan.ID)
	}
	s.checkDone(t)
}

// checkUnreported compares the fields that a plan calls unreported.
func checkUnreported(t *testing.T, plan subscription.Plan, want ...string) {
	t.Helper()
	if !slices.Equal(plan.Unreported, want) {
		t.Errorf("unreported: %q, want %q", plan.Unreported, want)
	}
}

// TestInbox shows that an inbox is given up as it was taken, and that where the
// provider does not report it, a plan says so instead of comparing it, and an
// update sends it and says so.
func TestInbox(t *testing.T) {
	t.Run("reported", func(t *testing.T) {
		s := newNdoto(t)
		s.Want.Inbox = "4"
		plan := s.mustApply(t)
		checkPlan(t, plan, []string{"create [+name caddy-webhooks, +url https://hooks.example.com/ndoto?token=…, +events message_created, +events contact_created, +inbox 4]"}, nil)
		if inbox := s.only(t)["inbox_id"]; inbox != 4.0 {
			t.Errorf("the inbox is %v", inbox)
		}

		s.Want.Inbox = "12"
		s.changed(t, "update 1 [+inbox 12, -inbox 4]", http.MethodPatch, "1", map[string]any{"inbox_id": 12.0})
		s.Want.Inbox = ""
		s.changed(t, "update 1 [-inbox 12]", http.MethodPatch, "1", map[string]any{"inbox_id": nil})
		checkUnreported(t, s.mustApply(t))
	})
	t.Run("not reported", func(t *testing.T) {
		s := newNdotoThat(t, false)
		s.Want.Inbox = "4"
		s.mustApply(t)
		if inbox := s.only(t)["inbox_id"]; inbox != 4.0 {
			t.Errorf("the inbox is %v", inbox)
		}

		s.Want.Inbox = "12"
		plan := s.mustApply(t)
		checkPlan(t, plan, nil, nil)
		checkUnreported(t, plan, "inbox")
		plan, err := s.Update(context.Background(), "")
		checkPlan(t, plan, []string{"update 1 [~inbox 12]"}, nil)
		if err == nil {
			err = s.carryOut(plan)
		}
		if err != nil {
			t.Fatal(err)
		}
		if inbox := s.only(t)["inbox_id"]; inbox != 12.0 {
			t.Errorf("the inbox is %v", inbox)
		}
	})
}

// TestSurplus shows that of several webhooks of ours an active one is kept, and of
// these the one with least to change; the others are deleted.
func TestSurplus(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.add("one", s.otherWords)
			s.add("two", s.words)
			s.add("three", s.otherWords)
			plan := s.mustApply(t)
			checkPlan(t, plan, []string{"delete one", "delete three"}, nil)
			if plan.ID != "two" || s.only(t)["id"] != "two" {
				t.Errorf("%s is kept, and %v is there", plan.ID, s.only(t)["id"])
			}
		})
		t.Run(name+", none right", func(t *testing.T) {
			s := start(t)
			s.add("one", s.otherWords)
			s.add("two", s.otherWords)
			plan := s.mustApply(t)
			var does []string
			for _, change := range plan.Changes {
				does = append(does, change.Action+" "+change.ID)
			}
			if want := []string{"update one", "delete two"}; !slices.Equal(does, want) {
				t.Errorf("it does %q, want %q", does, want)
			}
			if s.only(t)["id"] != "one" {
				t.Errorf("%v is there", s.only(t)["id"])
			}
		})
	}

	const inactive = " is inactive: enable it at the provider to get events"
	asleep := func(members map[string]any) map[string]any {
		members = maps.Clone(members)
		members["active"] = false
		return members
	}
	t.Run("ndoto, an active one is kept", func(t *testing.T) {
		s := newNdoto(t)
		s.add("one", asleep(s.words))
		s.add("two", s.otherWords)
		plan := s.mustApply(t)
		checkPlan(t, plan, []string{
			"update two [+events contact_created, -events message_updated]", "delete one",
		}, []string{"one" + inactive})
		if plan.ID != "two" || s.only(t)["id"] != "two" {
			t.Errorf("%s is kept, and %v is there", plan.ID, s.only(t)["id"])
		}
	})
	t.Run("ndoto, none active", func(t *testing.T) {
		s := newNdoto(t)
		s.add("one", asleep(s.otherWords))
		s.add("two", asleep(s.words))
		plan := s.mustApply(t)
		checkPlan(t, plan, []string{"delete one"}, []string{"one" + inactive, "two" + inactive})
		if plan.ID != "two" || s.only(t)["id"] != "two" {
			t.Errorf("%s is kept, and %v is there", plan.ID, s.only(t)["id"])
		}
	})
}

// TestForeign shows that a webhook of somebody else's is never touched, and that
// one which is close to ours is mentioned.
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

// TestForeignBesideOurs pins what is said of what is close to ours when ours is
// there: it cannot be taken over. What another block wants is not mentioned.
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

// TestManyNotes shows that notes do not run on, nor do webhooks of ours.
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

// TestShownAnother shows that nothing is done when a GET of one shows another
// one than the list does.
func TestShownAnother(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"another id":   {`{"id":"8","name":"caddy-webhooks","url":"{url}"}`, "cannot read subscription 7: {api} returned another subscription; check `api`"},
		"another name": {`{"id":"7","name":"Zap","url":"{url}"}`, "{api} returned subscription 7 with another name or URL than in its list; run the command again"},
		"another URL":  {`{"id":"7","name":"caddy-webhooks","url":"https://else.example.com/"}`, "{api} returned subscription 7 with another name or URL than in its list; run the command again"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChatBot(t)
			s.add("7", s.otherWords)
			s.Fail(apitest.Failure{Method: http.MethodGet, Path: "/webhooks/7", Status: 200, Body: strings.ReplaceAll(test.body, "{url}", s.Want.URL)})
			_, err := s.apply()
			checkError(t, err, strings.ReplaceAll(test.want, "{api}", s.API.URL))
			if changes := s.Changes(); len(changes) > 0 {
				t.Errorf("it calls %v", changes)
			}
			s.mustApply(t)
		})
	}
}

// TestSpelledDifferently shows that a provider may write our URL in another way.
func TestSpelledDifferently(t *testing.T) {
	for _, test := range []struct{ has, want string }{
		{"https://hooks.example.com:443/in?token=a%20b", "https://hooks.example.com/in?token=a+b"},
		{"HTTPS://Hooks.Example.COM/in?token=a", "https://hooks.example.com/in?token=a"},
		{"https://hooks.example.com?token=a", "https://hooks.example.com/?token=a"},
		{"https://hooks.example.com/in?tenant=b&token=a", "https://hooks.example.com/in?token=a&tenant=b"},
		{"https://hooks.example.com/in?token=%61%2F", "https://hooks.example.com/in?token=a/"},
	} {
		t.Run(test.has, func(t *testing.T) {
			s := newNdoto(t)
			s.add(7, s.words)
			s.Set("url", test.has)
			s.Want.URL = test.want
			plan, err := s.apply()
			if err != nil {
				t.Fatal(err)
			}
			checkPlan(t, plan, nil, nil)
			if plan.ID != "7" {
				t.Errorf("ours is %q", plan.ID)
			}
		})
	}
}

// TestNotes pins what a plan says of a webhook of ours that no change mends.
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

// TestOneByOne makes the calls for which there is no plan, and pins what refuses
// them.
func TestOneByOne(t *testing.T) {
	ctx := context.Background()
	for name, start := range both {
		t.Run(name+"/create", func(t *testing.T) {
			s := start(t)
			plan, err := s.Create(ctx)
			if err == nil {
				err = s.carryOut(plan)
			}
			if err != nil {
				t.Fatal(err)
			}
			s.checkDone(t)
			id := s.only(t)["id"]

			_, err = s.Create(ctx)
			checkError(t, err, "this block has subscription "+textOf(t, id)+" already; change it with `update`")
			if changes := s.Changes(); len(changes) > 0 {
				t.Errorf("it calls %v", changes)
			}
		})
		t.Run(name+"/create beside another", func(t *testing.T) {
			s := start(t)
			s.add("7", s.words)
			s.Set("name", "Zap")
			plan, err := s.Create(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Notes) != 1 || !strings.HasPrefix(plan.Notes[0], `7, named "Zap", sends to this URL too`) {
				t.Errorf("notes: %q", plan.Notes)
			}
			if err := s.carryOut(plan); err != nil {
				t.Fatal(err)
			}
			s.checkDone(t)
		})
		t.Run(name+"/update", func(t *testing.T) {
			s := start(t)
			_, err := s.Update(ctx, "")
			checkError(t, err, "this block has no subscription yet; create it with `create`, or give the id of another one after the provider")
			_, err = s.Update(ctx, "7")
			checkError(t, err, "no subscription has this id; see `list`")

			// It sends everything, whether or not that differs.
			s.mustApply(t)
			created := s.Changes()
			plan, err := s.Update(ctx, "")
			if err == nil {
				err = s.carryOut(plan)
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Changes) != 1 || plan.Changes[0].Differences != nil || plan.ID != plan.Changes[0].ID {
				t.Errorf("the plan is %s", inJSON(t, plan))
			}
			updated := s.Changes()
			if len(created) != 0 || len(updated) != 1 {
				t.Fatalf("calls: %v and %v", created, updated)
			}
			if got := updated[0].Body; got["url"] != s.Want.URL || got["name"] != s.Want.Name {
				t.Errorf("it sends %v", got)
			}
			for member, want := range s.words {
				if got := updated[0].Body[member]; !reflect.DeepEqual(got, want) {
					t.Errorf("it sends %s %v, want %v", member, got, want)
				}
			}
			s.checkDone(t)
		})
		t.Run(name+"/take over", func(t *testing.T) {
			s := start(t)
			s.add("7", s.otherWords)
			s.Set("name", "Zap")
			s.Set("url", "https://else.example.com/in?token="+token)
			plan, err := s.Update(ctx, "7")
			if err == nil {
				err = s.carryOut(plan)
			}
			if err != nil {
				t.Fatal(err)
			}
			if id := s.only(t)["id"]; id != "7" || plan.ID != "7" {
				t.Errorf("it is %v, and the plan says %s", id, plan.ID)
			}
			checkSafe(t, inJSON(t, plan))
			s.checkDone(t)
		})
		t.Run(name+"/take over a second", func(t *testing.T) {
			s := start(t)
			s.add("7", s.words)
			s.Add(map[string]any{"id": "8", "name": "Zap", "url": s.Want.URL})
			_, err := s.Update(ctx, "8")
			checkError(t, err, "this block has subscription 7 already; delete it before taking over another one")

			// Ours by its id is fine, also one of several.
			s.add("9", s.otherWords)
			plan, err := s.Update(ctx, "9")
			if err != nil || len(plan.Changes) != 1 || plan.Changes[0].ID != "9" || len(plan.Changes[0].Differences) == 0 {
				t.Errorf("got %s, %v", inJSON(t, plan), err)
			}
		})
		t.Run(name+"/delete", func(t *testing.T) {
			s := start(t)
			plan, err := s.Delete(ctx, "")
			if err != nil || len(plan.Changes) > 0 {
				t.Errorf("of none: %s, %v", inJSON(t, plan), err)
			}
			_, err = s.Delete(ctx, "7")
			checkError(t, err, "no subscription has this id; see `list`")

			foreign := map[string]any{"id": "6", "name": "Zap", "url": "https://else.example.com/in?token=" + otherToken}
			s.Add(foreign)
			s.add("7", s.words)
			s.add("8", s.otherWords)
			plan, err = s.Delete(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			checkPlan(t, plan, []string{"delete 7", "delete 8"}, nil)
			for _, change := range plan.Changes {
				if err := s.Do(ctx, change); err != nil {
					t.Fatal(err)
				}
			}
			if !reflect.DeepEqual(s.only(t), foreign) {
				t.Errorf("there is %v", s.only(t))
			}

			// By its id, whosever it is.
			plan, err = s.Delete(ctx, "6")
			if err != nil {
				t.Fatal(err)
			}
			checkPlan(t, plan, []string{"delete 6"}, nil)
			for range 2 { // the second time, it is gone
				if err := s.Do(ctx, plan.Changes[0]); err != nil {
					t.Fatal(err)
				}
			}
			if left := s.Webhooks(); len(left) > 0 {
				t.Errorf("there is %v", left)
			}
		})
		t.Run(name+"/get and list", func(t *testing.T) {
			s := start(t)
			_, err := s.Get(ctx, "")
			checkError(t, err, "this block has no subscription yet; create it with `create`, or give the id of another one after the provider")

			s.add("8", s.otherWords)
			s.Set("name", "Zap")
			s.add("7", s.words)
			ours, others, err := s.List(ctx)
			if err != nil || len(ours) != 1 || len(others) != 1 || ours[0].ID != "7" || others[0].ID != "8" || others[0].Name != "Zap" {
				t.Fatalf("ours %v, others %v, %v", ours, others, err)
			}
			if d := s.Differences(&ours[0]); len(d) > 0 {
				t.Errorf("ours differs: %v", d)
			}
			got, err := s.Get(ctx, "")
			if err != nil || !reflect.DeepEqual(got, ours[0]) {
				t.Errorf("got %v, %v, want %v", got, err, ours[0])
			}
			got, err = s.Get(ctx, "8")
			if err != nil || got.ID != "8" || len(s.Differences(&got)) < 2 {
				t.Errorf("got %v, %v", got, err)
			}
			_, err = s.Get(ctx, "9")
			if !errors.Is(err, subscription.ErrNoID) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func textOf(t *testing.T, id any) string { return strings.Trim(strings.TrimSpace(inJSON(t, id)), `"`) }

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestReports shows which fields the calls report: ChatBot.com's list lacks what its GET of
// one has.
func TestReports(t *testing.T) {
	s := newChatBot(t)
	s.add("7", s.words)
	list, err := s.Client.List(context.Background())
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	one, err := s.Client.Get(context.Background(), "7")
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string][2]bool{
		"id": {true, true}, "name": {true, true}, "url": {true, true}, "error": {true, true},
		"token": {false, true}, "header": {false, true}, "basic_auth": {false, true},
		"events": {false, false}, "inbox": {false, false}, "active": {false, false}, // although its answer has `active`
	} {
		if got := [2]bool{list[0].Reports(word), one.Reports(word)}; got != want {
			t.Errorf("%s: reported %v, want %v", word, got, want)
		}
	}
}

// TestOverlaps shows when two blocks would fight for one webhook.
func TestOverlaps(t *testing.T) {
	base := func() *subscription.Target {
		return &subscription.Target{
			Client: &subscription.Client{API: description(t, "ndoto"), URL: "https://api.example.com", Account: "17"},
			Want:   subscription.Subscription{Name: "a", URL: "https://hooks.example.com/in?token=a"},
		}
	}
	for _, test := range []struct {
		name   string
		change func(*subscription.Target)
		want   bool
	}{
		{"equal", func(*subscription.Target) {}, true},
		{"another token", func(u *subscription.Target) { u.Want.URL = "https://hooks.example.com/in?token=b" }, true},
		{"other events", func(u *subscription.Target) { u.Want.Events = []string{"a"} }, true},
		{"another path", func(u *subscription.Target) { u.Want.URL = "https://hooks.example.com/out?token=a" }, false},
		{"another name", func(u *subscription.Target) { u.Want.Name = "b" }, false},
		{"another account", func(u *subscription.Target) { u.Client.Account = "18" }, false},
		{"another API", func(u *subscription.Target) { u.Client.URL = "https://api.example.org" }, false},
		{"the API with a slash", func(u *subscription.Target) { u.Client.URL += "/" }, true},
		{"another key", func(u *subscription.Target) { u.Client.Key = "b" }, true}, // the account is in the path
	} {
		t.Run(test.name, func(t *testing.T) {
			u := base()
			test.change(u)
			if got := base().Overlaps(u); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if got := u.Overlaps(base()); got != test.want {
				t.Errorf("the other way round: got %v, want %v", got, test.want)
			}
		})
	}
}

// TestBeside shows which blocks are in one account, and that only their wishes
// are made known to one another: where no account is in the path, the API token
// says which it is.
func TestBeside(t *testing.T) {
	target := func(api, key, account, name string) *subscription.Target {
		return &subscription.Target{
			Client: &subscription.Client{API: description(t, api), URL: "https://api.example.com", Account: account, Key: key},
			Want:   subscription.Subscription{Name: name, URL: "https://hooks.example.com/in"},
		}
	}
	for _, test := range []struct {
		name string
		a, b *subscription.Target
		want bool
	}{
		{"ndoto", target("ndoto", "k", "17", "a"), target("ndoto", "k", "17", "b"), true},
		{"ndoto with another key", target("ndoto", "k", "17", "a"), target("ndoto", "l", "17", "b"), true},
		{"ndoto with another account", target("ndoto", "k", "17", "a"), target("ndoto", "k", "18", "b"), false},
		{"chatbot", target("chatbot", "k", "", "a"), target("chatbot", "k", "", "b"), true},
		{"chatbot with another key", target("chatbot", "k", "", "a"), target("chatbot", "l", "", "b"), false},
		{"two providers", target("ndoto", "k", "17", "a"), target("chatbot", "k", "17", "b"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if a, b := test.a.IsBeside(test.b), test.b.IsBeside(test.a); a != test.want || b != test.want {
				t.Errorf("got %v and %v, want %v", a, b, test.want)
			}
			same := *test.b
			same.Want.Name = test.a.Want.Name
			if got := test.a.Overlaps(&same); got != test.want {
				t.Errorf("of one name: they overlap %v, want %v", got, test.want)
			}
			var want []subscription.Subscription
			if test.want {
				want = []subscription.Subscription{test.b.Want}
			}
			test.a.Meet(test.a)
			test.a.Meet(test.b)
			if got := test.a.Others; !reflect.DeepEqual(got, want) {
				t.Errorf("it knows %v, want %v", got, want)
			}
		})
	}
}

// TestHas shows which ids there are and are ours, by the list alone.
func TestHas(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.add("7", s.otherWords)
			s.Add(map[string]any{"id": "8", "name": "Zap", "url": s.Want.URL})
			for id, want := range map[string][2]bool{"7": {true, true}, "8": {true, false}, "9": {false, false}, "": {false, false}} {
				isThere, isOurs, err := s.Has(context.Background(), id)
				if got := [2]bool{isThere, isOurs}; got != want || err != nil {
					t.Errorf("%q: %v, %v, want %v", id, got, err, want)
				}
			}
			for _, call := range s.Calls() {
				if call.Method != http.MethodGet || call.Path != s.path("") {
					t.Errorf("it calls %s %s", call.Method, call.Path)
				}
			}
		})
	}
}

// TestRespelled shows what is said of a provider that keeps the URL in a spelling
// of its own: what was made is not ours then, and each run would make another
// one, which the notes name; until `url` is spelled so.
func TestRespelled(t *testing.T) {
	ctx := context.Background()
	respell := func(s string) string {
		path, query, hasQuery := strings.Cut(s, "?")
		if hasQuery {
			query = "?" + query
		}
		return path + "/" + query
	}
	ids := map[string][]string{"ndoto": {"1", "2"}, "chatbot": {"58ee2e085d033800059a0001", "58ee2e085d033800059a0002"}}
	for name, start := range both {
		newSide := func(t *testing.T) (s *side, kept, shown string) {
			s = start(t)
			s.Respell(respell)
			shown = "https://hooks.example.com/ndoto/?token=…"
			if s.hook != nil {
				shown = s.hook.URL + "/chatbot/"
			}
			return s, respell(s.Want.URL), shown
		}
		says := func(id, shown string) string {
			return "the provider stored the URL of subscription " + id + " as " + shown + "; set `url` to that, or each run creates another subscription"
		}
		note := func(id, shown string) string {
			return id + " has this name, but sends to " + shown + "; if that is not another gateway, remove it with `delete " + name + " " + id + "`"
		}
		t.Run(name+"/create", func(t *testing.T) {
			s, kept, shown := newSide(t)
			var notes []string
			for _, id := range ids[name] {
				plan, err := s.apply()
				checkError(t, err, says(id, shown))
				checkSafe(t, err.Error())
				if !slices.Equal(plan.Notes, notes) {
					t.Errorf("notes: %q, want %q", plan.Notes, notes)
				}
				notes = append(notes, note(id, shown))
			}
			plan, err := s.Plan(ctx)
			if err != nil || !slices.Equal(plan.Notes, notes) {
				t.Errorf("notes: %q, %v, want %q", plan.Notes, err, notes)
			}

			// Spelled so, what was made is ours, and one of them is surplus.
			s.Respell(nil)
			s.Want.URL = kept
			s.mustApplyCalls(t, "DELETE "+s.path(ids[name][1]))
		})
		t.Run(name+"/take over", func(t *testing.T) {
			for _, oldName := range []string{"Zap", "caddy-webhooks"} {
				s, kept, shown := newSide(t)
				s.add("7", s.otherWords)
				s.Set("name", oldName)
				s.Set("url", "https://else.example.com/in")
				plan, err := s.Update(ctx, "7")
				if err != nil {
					t.Fatal(err)
				}
				checkError(t, s.carryOut(plan), says("7", shown))
				if url := s.only(t)["url"]; url != kept {
					t.Errorf("%s: it keeps %v", oldName, url)
				}
			}
		})
		t.Run(name+"/not the one that was there", func(t *testing.T) {
			s := start(t)
			s.Add(map[string]any{"id": "9", "name": s.Want.Name, "url": "https://else.example.com/"})
			s.Fail(apitest.Failure{Method: http.MethodPost, Status: 200, Body: "{}"})
			_, err := s.apply()
			checkError(t, err, notShown)
		})
	}
}

// TestRequest pins what each request carries: the API token where the provider
// wants it, spelled as it does, and nowhere else.
func TestRequest(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			seen := &recorder{RoundTripper: s.Client.HTTP.Transport}
			s.Client.HTTP.Transport = seen
			s.Client.URL += "/" // which is as good
			s.mustApply(t)
			for _, r := range seen.requests {
				want := http.Header{"Accept": {"application/json"}, "User-Agent": {"caddy-webhooks"}}
				if name == "ndoto" {
					want["api_access_token"] = []string{apiKey}
				} else {
					want["Authorization"] = []string{"Bearer " + apiKey}
				}
				if r.Method != http.MethodGet {
					want["Content-Type"] = []string{"application/json"}
				}
				if !strings.HasPrefix(r.URL.String(), s.API.URL+s.path("")) {
					if name == "chatbot" && strings.HasPrefix(r.URL.String(), s.hook.URL) {
						want = http.Header{} // the challenge
					} else {
						t.Errorf("it calls %s", r.URL)
					}
				} else {
					checkSafe(t, r.URL.String())
				}
				if !reflect.DeepEqual(r.Header, want) {
					t.Errorf("%s %s has %v, want %v", r.Method, r.URL.Path, r.Header, want)
				}
			}
			if len(seen.requests) == 0 {
				t.Error("it calls nothing")
			}
		})
	}
}

// recorder notes requests on their way.
type recorder struct {
	http.RoundTripper
	requests []*http.Request
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.requests = append(r.requests, request.Clone(request.Context()))
	return r.RoundTripper.RoundTrip(request)
}

// TestPathOfAccount shows that an account cannot lead to another path.
func TestPathOfAccount(t *testing.T) {
	var got string
	client := &subscription.Client{
		API: description(t, "ndoto"), URL: "https://api.example.com/base", Account: "a/b?c#d e",
		HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.URL.String()
			return nil, errors.New("enough")
		})},
	}
	_, err := client.List(context.Background())
	checkError(t, err, "cannot list subscriptions: the connection to https://api.example.com/base failed (enough); check `api`, or try again")
	if want := "https://api.example.com/base/api/v1/accounts/a%2Fb%3Fc%23d%20e/webhooks"; got != want {
		t.Errorf("it calls %s, want %s", got, want)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestInboxGivenUp shows that an inbox which the provider does not report, and the
// block no longer wants, is named as unreported, and is not sent as null, which an
// API might refuse: it is given up by `delete` and `apply`.
func TestInboxGivenUp(t *testing.T) {
	ctx := context.Background()
	s := newNdotoThat(t, false)
	s.Want.Inbox = "4"
	s.mustApply(t)
	s.Want.Inbox = ""
	plan := s.mustApply(t)
	checkPlan(t, plan, nil, nil)
	checkUnreported(t, plan, "inbox")
	s.Calls()
	plan, err := s.Update(ctx, "")
	if err == nil {
		checkPlan(t, plan, []string{"update 1"}, nil)
		err = s.carryOut(plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	changes := s.Changes()
	if len(changes) != 1 {
		t.Fatalf("it calls %v", changes)
	}
	if inbox, isSent := changes[0].Body["inbox_id"]; isSent {
		t.Errorf("it sends the inbox %v", inbox)
	}

	plan, err = s.Delete(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Do(ctx, plan.Changes[0]); err != nil {
		t.Fatal(err)
	}
	s.mustApply(t)
	if inbox := s.only(t)["inbox_id"]; inbox != nil {
		t.Errorf("the inbox is still %v", inbox)
	}
}

// TestMalformed shows that a field which is not as it should be is not compared,
// also where the list has another one that is; and that an update replaces it.
func TestMalformed(t *testing.T) {
	s := newNdoto(t)
	s.Want.Inbox = "4"
	s.add(7, s.words)
	s.Set("inbox_id", map[string]any{"id": 4})
	s.Add(map[string]any{"id": 8, "name": "Zap", "url": "https://else.example.com/", "inbox_id": 4})
	plan, err := s.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	checkPlan(t, plan, nil, nil)
	checkUnreported(t, plan, "inbox")
	plan, err = s.Update(context.Background(), "")
	if err == nil {
		checkPlan(t, plan, []string{"update 7 [~inbox 4]"}, nil)
		err = s.carryOut(plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err = s.Plan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	checkPlan(t, plan, nil, nil)
	checkUnreported(t, plan)
}

// TestListedTwice shows that a webhook which the provider lists twice, as one that
// moves between pages, is not deleted as its own surplus.
func TestListedTwice(t *testing.T) {
	s := newNdoto(t)
	s.add(7, s.words)
	one := strings.TrimSpace(inJSON(t, s.only(t)))
	s.Fail(apitest.Failure{Method: http.MethodGet, Status: 200, Body: `{"payload":[` + one + `,` + one + `]}`})
	plan, err := s.Plan(context.Background())
	if err != nil {
		return // refusing it is as good
	}
	for _, change := range plan.Changes {
		if change.Action == subscription.ActionDelete && change.ID == plan.ID {
			t.Errorf("the plan keeps %s and deletes it: %s", plan.ID, inJSON(t, plan))
		}
	}
}

// TestUserInURL shows that a URL with user and password, which the wanted one
// cannot have, does not pass for it.
func TestUserInURL(t *testing.T) {
	s := newNdoto(t)
	s.add(7, s.words)
	s.Set("url", strings.Replace(s.Want.URL, "https://", "https://user:pass@", 1))
	plan, err := s.Plan(context.Background())
	if err != nil || len(plan.Changes) == 0 {
		t.Errorf("nothing is to be done: %s, %v", inJSON(t, plan), err)
	}
}

// TestEscapesInPath shows that two spellings of one path are one place (RFC 3986,
// section 6.2.2): at a provider that writes the other one, each `apply` would make
// one more webhook.
func TestEscapesInPath(t *testing.T) {
	for a, b := range map[string]string{
		"https://hooks.example.com/%7Ein":  "https://hooks.example.com/~in",
		"https://hooks.example.com/%c3%a9": "https://hooks.example.com/%C3%A9",
		"https://hooks.example.com/é":      "https://hooks.example.com/%C3%A9",
	} {
		if !subscription.IsSamePlace(a, b) {
			t.Errorf("%s and %s are two places", a, b)
		}
	}
}
