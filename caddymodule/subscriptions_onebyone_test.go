package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestSubscriptionsOneByOne shows the commands for single subscriptions: each
// changes the block's, or the one with an id, and nothing else.
func TestSubscriptionsOneByOne(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, bothSides)
	start(t, bothSides)
	s.chatbot.Add(chatbotWebhook("b1", "name", "by hand", "token", ofBefore))
	s.ndoto.Add(ndotoWebhook(70, "name", "by hand", "url", gatewayURL+"/ndoto"))

	s.run("get", "chatbot").wantFailures("chatbot: this block has no subscription yet; create it with `create`")
	s.run("update", "ndoto", "--yes").wantFailures("ndoto, account 1: this block has no subscription yet; create it with `create`")
	s.run("create", "--yes").want(0, "chatbot: created 58ee2e085d033800059a0001\n", "ndoto, account 1: created 1\n", "returns the challenge")
	wantChanges(t, s.chatbot, http.MethodPost)
	wantChanges(t, s.ndoto, http.MethodPost)
	s.run("create", "--yes").wantFailures(
		"chatbot: this block has subscription 58ee2e085d033800059a0001 already; change it with `update`",
		"ndoto, account 1: this block has subscription 1 already; change it with `update`")
	s.wantNoChanges()

	s.run("list", "chatbot").want(0, "58ee2e085d033800059a0001  yes", "b1                        no ")
	s.run("get", "chatbot").want(0, "id          58ee2e085d033800059a0001", "ours        yes")
	s.run("get", "chatbot", "b1").want(0, "id          b1", "ours        no")
	s.run("get", "ndoto", "70").want(0, "id      70", "ours    no")
	for _, command := range []string{"get ndoto 71", "delete ndoto 71 --yes", "update ndoto 71 --yes"} {
		s.run(strings.Fields(command)...).wantFailures("ndoto: no subscription 71; see `list`")
	}
	s.run("get", "ndoto", "../../2/webhooks").wantFailures("ndoto: no subscription ../../2/webhooks; see `list`")

	// What is there already is sent again, all of it also to Ndoto.
	s.run("update", "ndoto", "--yes").want(0, "~ update 1\n", "with the values that it has\n", "ndoto, account 1: updated 1\n")
	patch := wantChanges(t, s.ndoto, http.MethodPatch)[0]
	all := []string{"name", "subscriptions", "url"}
	if sent := slices.Sorted(maps.Keys(patch.Body)); !slices.Equal(sent, all) {
		t.Errorf("update sends %v, want %v", sent, all)
	}
	wantChanges(t, s.chatbot)

	// A foreign one is taken over by its id if there is none of ours.
	s.run("update", "chatbot", "b1", "--yes").wantFailures("this block has subscription 58ee2e085d033800059a0001 already; delete it before taking over another one")
	s.wantNoChanges()
	s.run("delete", "chatbot", "--yes").want(0, "chatbot: deleted 58ee2e085d033800059a0001\n")
	s.run("update", "chatbot", "b1", "--yes").want(0,
		"~ update b1\n", "+ name   gateway\n", "- name   by hand\n", "~ token  (not shown)\n", "returns the challenge")
	changes := wantChanges(t, s.chatbot, http.MethodDelete, http.MethodPut)
	if changes[0].Path != "/webhooks/58ee2e085d033800059a0001" || changes[1].Path != "/webhooks/b1" {
		t.Errorf("%s, %s", changes[0].Path, changes[1].Path)
	}
	wantBody(t, changes[1], chatbotBody("X-Static"))
	s.run("plan", "chatbot").want(0, "= b1 is up to date")

	// A foreign one is removed by its id, and ours is not.
	s.run("delete", "ndoto", "70", "--yes").want(0, "- delete 70, \"by hand\" at "+gatewayURL+"/ndoto\n", "ndoto, account 1: deleted 70\n")
	if path := wantChanges(t, s.ndoto, http.MethodDelete)[0].Path; path != "/api/v1/accounts/1/webhooks/70" {
		t.Error(path)
	}
	s.run("plan").want(0, "= b1 is up to date", "= 1 is up to date")
	s.run("delete", "ndoto", "--yes").want(0, "ndoto, account 1: deleted 1\n")
	s.run("delete", "ndoto", "--yes").want(0, "nothing to do")
	wantChanges(t, s.ndoto, http.MethodDelete)
}

// TestSubscriptionsConfirmation shows that nothing changes without a
// confirmation.
func TestSubscriptionsConfirmation(t *testing.T) {
	for _, command := range []string{"apply", "create", "update", "delete"} {
		t.Run(command, func(t *testing.T) {
			s := newSubscriptions(t, gatewayURL, bothSides)
			start(t, bothSides)
			if command != "create" {
				s.ndoto.Add(ndotoWebhook(7, "subscriptions", []string{"message_created"}))
			}
			before := fmt.Sprint(s.ndoto.Webhooks())
			for answer, sentence := range map[string]string{
				"":               "nothing was changed; pass --yes to run without a prompt",
				"n\n":            "nothing was changed",
				"\n":             "nothing was changed",
				"yesterday\ny\n": "nothing was changed",
			} {
				r := s.answer(answer, command, "ndoto").wantFailures(sentence)
				if r.failures[0] != sentence {
					t.Errorf("with %q it says %q, want %q", answer, r.failures[0], sentence)
				}
				if strings.Count(r.errs, question) != 1 || r.stdout == "" {
					t.Errorf("with %q it asks nothing, or does not say about what: %s%s", answer, r.stdout, r.errs)
				}
			}
			s.answer("n\n", command, "ndoto", "--json").wantFailures("nothing was changed")
			s.wantNoChanges()
			if after := fmt.Sprint(s.ndoto.Webhooks()); after != before {
				t.Errorf("it changed from %s to %s", before, after)
			}
			r := s.answer("Y\n", command, "ndoto", "--json").want(0)
			if !json.Valid([]byte(r.stdout)) {
				t.Errorf("no JSON: %s", r.stdout)
			}
			if n := len(s.ndoto.Changes()); n != 1 {
				t.Errorf("%d changes, want 1", n)
			}
		})
	}
	t.Run("two providers", func(t *testing.T) {
		s := newSubscribed(t, siteURL)
		s.answer("yes\n", "delete").want(0, "chatbot: deleted a1\n", "ndoto, account 1: deleted 7\n")
		wantChanges(t, s.ndoto, http.MethodDelete)
		wantChanges(t, s.chatbot, http.MethodDelete)
	})
}

// TestSubscriptionsEmptyArgument shows that an empty argument, as of an unset
// variable, is an error: `delete ndoto "$id"` would delete another webhook.
func TestSubscriptionsEmptyArgument(t *testing.T) {
	s := newSubscribed(t, nobodyURL)
	const sentence = "an argument is empty; leave it out, or give a provider and an id"
	for _, args := range [][]string{
		{"get", "ndoto", ""}, {"update", "ndoto", "", "--yes"}, {"delete", "ndoto", "", "--yes"}, {"delete", "", "7", "--yes"},
		{"delete", "", "--yes"}, {"apply", "", "--yes"}, {"create", "", "--yes"}, {"plan", ""}, {"list", ""}, {"get", ""},
	} {
		if r := s.run(args...).wantFailures(sentence); r.failures[0] != sentence || r.stdout != "" {
			t.Errorf("%q: %s%s", args, r.failures[0], r.stdout)
		}
	}
	if got := s.run("delete", "ndoto", "", "--yes", "--json").wantFailures(sentence).decoded(); got.Error != sentence || len(got.Subscriptions) != 0 {
		t.Errorf("in JSON: %+v", got)
	}
	s.wantNotCalled()
}

// TestSubscriptionsUsage shows that wrong usage has exit status 1, not that of
// changes.
func TestSubscriptionsUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show"}, "unknown command \"show\"; see caddy webhooks subscriptions --help"},
		{[]string{"plan", "ndoto", "7"}, "plan takes at most one provider"},
		{[]string{"get", "ndoto", "7", "8"}, "get takes at most a provider and an id"},
		{[]string{"plan", "--yes"}, "unknown flag: --yes"},
		{[]string{"plan", "--timeout", "0s"}, "--timeout must be above 0, such as 30s"},
		{[]string{"plan", "--timeout", "soon"}, "invalid argument \"soon\" for \"--timeout\""},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := runSubscriptions(t, "", c.args...)
			if r.status != 1 || !strings.Contains(r.errs, c.want) || r.stdout != "" {
				t.Errorf("exit status %d, %s%s", r.status, r.stdout, r.errs)
			}
		})
	}
}
