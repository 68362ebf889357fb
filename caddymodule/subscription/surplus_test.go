package subscription_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestSurplus shows which of several subscriptions of ours is kept: an active
// one, and of these the one with the fewest differences. The others are deleted.
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

// TestListedTwice shows that a subscription that the provider lists twice, as one
// that moves between pages, is not deleted as surplus.
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
