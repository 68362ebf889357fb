package subscription_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestSpelledDifferently shows that a provider may spell our URL in another way.
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

// TestRespelled pins the error for a provider that stores the URL in another
// spelling. The subscription is not ours then, and each run creates another one,
// which the notes name, until `url` has that spelling.
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

			// With that spelling, what was created is ours, and one of them is surplus.
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

// TestUserInURL shows that a URL with user and password differs from the wanted
// one.
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
