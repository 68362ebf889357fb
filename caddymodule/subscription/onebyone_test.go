package subscription_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestOneByOne makes single changes without a plan of all, and pins the errors.
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
				t.Errorf("it is %v, and the plan has %s", id, plan.ID)
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
				if err = s.Do(ctx, change); err != nil {
					t.Fatal(err)
				}
			}
			if !reflect.DeepEqual(s.only(t), foreign) {
				t.Errorf("there is %v", s.only(t))
			}

			// By its id, whoever created it.
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
