package subscription_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestFailureOfDelete makes the calls of a delete fail. A second delete removes
// what is left of ours, and nothing else.
func TestFailureOfDelete(t *testing.T) {
	ctx := context.Background()
	for name, start := range both {
		for _, after := range []bool{false, true} {
			s := start(t)
			s.add("7", s.words)
			s.add("8", s.otherWords)
			s.Add(map[string]any{"id": "9", "name": "Zap", "url": "https://else.example.com/"})
			s.Fail(apitest.Failure{Method: http.MethodDelete, Path: s.path("7"), Status: 503, AfterEffect: after})
			remove := func() error {
				plan, err := s.Delete(ctx, "")
				for _, change := range plan.Changes {
					if err == nil {
						err = s.Do(ctx, change)
					}
				}
				return err
			}
			checkError(t, remove(), "cannot delete subscription 7: "+s.API.URL+" failed (503); the outcome is unknown; run the command again, it checks first")
			if err := remove(); err != nil {
				t.Errorf("%s: again: %v", name, err)
			}
			if id := s.only(t)["id"]; id != "9" {
				t.Errorf("%s: %v is there", name, id)
			}
		}
	}
}

// TestFailureOfUpdate shows that surplus subscriptions remain when the update of
// the one to keep fails: events still arrive.
func TestFailureOfUpdate(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.add("one", s.otherWords)
			s.add("two", s.otherWords)
			before := inJSON(t, s.Webhooks())
			method := map[string]string{subscription.Patch: http.MethodPatch, subscription.Put: http.MethodPut}[s.Client.API.Update]
			s.Fail(apitest.Failure{Method: method, Path: s.path("one"), Status: 503})
			_, err := s.apply()
			checkError(t, err, "cannot update subscription one: "+s.API.URL+" failed (503); the outcome is unknown; run the command again, it checks first")
			if after := inJSON(t, s.Webhooks()); after != before {
				t.Errorf("there is %s, and was %s", after, before)
			}
			if changes := s.Changes(); len(changes) > 0 {
				t.Errorf("it calls %v", changes)
			}

			// Mended, the update goes before the delete.
			s.mustApplyCalls(t, method+" "+s.path("one"), "DELETE "+s.path("two"))
			if id := s.only(t)["id"]; id != "one" {
				t.Errorf("%v is there", id)
			}
		})
	}
}

// mustApplyCalls applies and checks which calls change something, in their order.
func (s *side) mustApplyCalls(t *testing.T, want ...string) {
	t.Helper()
	s.Calls()
	if _, err := s.apply(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, call := range s.Changes() {
		got = append(got, call.Method+" "+call.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("it calls %q, want %q", got, want)
	}
	s.checkDone(t)
}

// TestDeleteWithoutGet shows that a delete needs the list only: no GET of one
// subscription, and no limit on how many there are.
func TestDeleteWithoutGet(t *testing.T) {
	ctx := context.Background()
	const n = 30 // more than are looked at
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			for i := range n {
				s.add(strconv.Itoa(100+i), s.words)
			}
			s.Add(map[string]any{"id": "7", "name": "Zap", "url": "https://else.example.com/"})
			for _, id := range []string{"7", "100", "105"} {
				s.Fail(apitest.Failure{Method: http.MethodGet, Path: s.path(id), Status: 500, Times: 99})
			}
			for _, id := range []string{"105", "7"} {
				plan, err := s.Delete(ctx, id)
				if err != nil {
					t.Fatal(err)
				}
				checkPlan(t, plan, []string{"delete " + id}, nil)
				if err := s.Do(ctx, plan.Changes[0]); err != nil {
					t.Fatal(err)
				}
			}
			if left := s.Webhooks(); len(left) != n-1 {
				t.Errorf("%d webhooks are left", len(left))
			}
			plan, err := s.Delete(ctx, "")
			if err != nil || len(plan.Changes) != n-1 {
				t.Fatalf("%d changes, %v", len(plan.Changes), err)
			}
			for _, change := range plan.Changes {
				if err := s.Do(ctx, change); err != nil {
					t.Fatal(err)
				}
			}
			if left := s.Webhooks(); len(left) > 0 {
				t.Errorf("there is %v", left)
			}
			for _, call := range s.Calls() {
				if call.Method == http.MethodGet && call.Path != s.path("") {
					t.Errorf("it calls GET %s", call.Path)
				}
			}
		})
	}
}

// TestFailureOfCheck pins the error if all changes were made, and reading the
// result fails.
func TestFailureOfCheck(t *testing.T) {
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			plan, err := s.Plan(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			s.Fail(apitest.Failure{Method: http.MethodGet, Path: s.path(""), Status: 500})
			checkError(t, s.carryOut(plan), "all changes were made, but reading the result failed: cannot list subscriptions: "+s.API.URL+" failed (500); try again later")
			if plan := s.mustApply(t); len(plan.Changes) > 0 {
				t.Errorf("it does it again: %s", inJSON(t, plan))
			}
		})
	}
}

// TestGoneMeanwhile pins the error for a subscription that is deleted between
// plan and change.
func TestGoneMeanwhile(t *testing.T) {
	ctx := context.Background()
	for name, start := range both {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			s.add("7", s.otherWords)
			plan, err := s.Plan(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Client.Delete(ctx, "7"); err != nil {
				t.Fatal(err)
			}
			checkError(t, s.carryOut(plan), "cannot update subscription 7: "+gone)
			s.mustApply(t)
		})
	}
}
