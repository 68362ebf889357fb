package subscription_test

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestFromNothing creates the subscription at a provider that has none, as the
// provider's page describes: one POST with all members. After that there is
// nothing to do.
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

// TestChanges changes the wanted subscription. The plan lists the differences
// without credentials, and one call makes them. Ndoto's PATCH has only the member
// that changes.
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
		body   map[string]any // the members that differ in the PUT
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

// TestInbox shows that an inbox is removed as it was set. Where the provider does
// not report it, a plan lists it as unreported, and an update sends it.
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

// TestInboxGivenUp shows that an inbox that the provider does not report, and the
// block does not want any more, is listed as unreported, and not sent as null,
// which an API might refuse. `delete` and `apply` remove it.
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

// TestMalformed shows that a malformed field is not compared, even if another
// subscription of the list has a valid one, and that an update replaces it.
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
