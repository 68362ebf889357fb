package caddymodule_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestSubscriptionsOfOneURL shows that --url does not forget the other blocks: no
// note advises to delete their webhooks, and their ids are not the block's.
func TestSubscriptionsOfOneURL(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, twoOfEach)
	start(t, twoOfEach)
	s.run("apply", "ndoto", "--yes").want(0, "created 1\n", "created 2\n")
	wantChanges(t, s.ndoto, http.MethodPost, http.MethodPost)
	for i, path := range []string{"/ndoto", "/2"} {
		id, other := strconv.Itoa(i+1), strconv.Itoa(2-i)
		if s.ndoto.Webhooks()[0]["url"] != ndotoWebhook(0)["url"] {
			id, other = other, id
		}
		flag := []string{"--url", gatewayURL + path}
		for _, command := range []string{"plan", "apply", "plan ndoto"} {
			r := s.run(append(strings.Fields(command), flag...)...).want(0, "= "+id+" is up to date\n")
			if strings.Contains(r.stdout, "!") || strings.Contains(r.stdout, "delete") {
				t.Errorf("%s %v has a note on what another block has made:\n%s", command, flag, r.stdout)
			}
		}
		s.run(append([]string{"get", "ndoto", id}, flag...)...).want(0, "id      "+id+"\n", "ours    yes\n")
		s.run(append([]string{"get", "ndoto", other}, flag...)...).want(0, "id      "+other+"\n", "ours    no\n")
		// Without it, the block is the one whose own it is.
		s.run("get", "ndoto", id).want(0, "ndoto, account 1, \"caddy-webhooks\" at "+gatewayURL+path+"?token=…:\n", "ours    yes\n")
		s.run("update", "ndoto", id, "--yes").want(0, "ndoto, account 1, \"caddy-webhooks\" at "+gatewayURL+path+"?token=…: updated "+id+"\n")
		wantChanges(t, s.ndoto, http.MethodPatch)
	}
	// What nobody of this configuration has made is still noted.
	s.ndoto.Add(ndotoWebhook(9, "url", "https://other.example.com/ndoto"))
	s.run("plan", "--url", gatewayURL+"/2").want(0, "! 9 has this name, but sends to https://other.example.com/ndoto; ", "remove it with `delete ndoto 9`")

	s.run("plan", "--url", gatewayURL+"/3").wantFailures("has no block with a `subscribe` to " + gatewayURL + "/3; it has ")
	r := s.run("plan", "ndoto", "--url", gatewayURL+"/3?token=x").wantFailures("has no block `webhooks ndoto` with a `subscribe` to " + gatewayURL + "/3?token=…; it has ")
	for _, path := range []string{"/ndoto?token=…", "/2?token=…"} {
		if !strings.Contains(r.failures[0], gatewayURL+path) {
			t.Errorf("it does not name the URL with %s: %s", path, r.failures[0])
		}
	}
	s.run("plan", "wotnot", "--url", gatewayURL+"/3").wantFailures("has no block `webhooks wotnot`; it has `webhooks chatbot`, `webhooks ndoto`")
}

// TestSubscriptionsIDOfOneBlock shows that --url is not needed if two blocks
// share an account: an id is unique there.
func TestSubscriptionsIDOfOneBlock(t *testing.T) {
	s := newSubscriptions(t, siteURL, twoOfEach)
	s.ndoto.Add(ndotoWebhook(7))
	s.ndoto.Add(ndotoWebhook(70, "name", "by hand"))
	s.run("get", "ndoto", "7").want(0, "ours  ")
	s.run("get", "ndoto", "70").want(0)
	s.run("delete", "ndoto", "70", "--yes").want(0)
}

// TestSubscriptionsNotesNotOfOtherBlocks shows that no note advises to delete the
// webhook of another block with the same name.
func TestSubscriptionsNotesNotOfOtherBlocks(t *testing.T) {
	s := newSubscriptions(t, gatewayURL, twoOfEach)
	start(t, twoOfEach)
	s.run("apply", "ndoto", "--yes").want(0)
	if r := s.run("plan", "ndoto").want(0); strings.Contains(r.stdout, "`delete") {
		t.Errorf("it says that what a block of this configuration has made should be deleted:\n%s", r.stdout)
	}
	// Nor when what a block needs is not there, so that nobody knows what it made.
	s = s.with(t, edited(twoOfEach, "{env.NDOTO_KEY}", "{env.WEBHOOKS_TEST_UNSET}"))
	for _, args := range [][]string{{"plan", "ndoto"}, {"plan", "--url", gatewayURL + "/2"}, {"plan", "--url", gatewayURL + "/ndoto"}} {
		if r := s.run(args...); !strings.Contains(r.stdout, "is up to date") && r.failures == nil || strings.Contains(r.stdout, "`delete") {
			t.Errorf("%v says that what a block of this configuration has made should be deleted:\n%s", args, r.stdout)
		}
	}
}
