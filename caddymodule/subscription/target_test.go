package subscription_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestShownAnother shows that nothing is changed if a GET of one subscription
// returns another one than the list does.
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

// TestReports shows which fields the calls report: ChatBot.com's list lacks some
// that its GET of one has.
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

// TestBeside shows which blocks are in one account, and that only those learn of
// each other. If no account is in the path, the API token identifies it.
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

// TestHas shows which ids exist and are ours, by the list alone.
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
