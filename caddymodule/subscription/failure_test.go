package subscription_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
)

// apiCall is a call that an `apply` makes, and what there is before.
type apiCall struct {
	name, api string
	method    string
	id        string // "" for the path of all
	does      string // in the sentence
	before    func(*side)
}

func (c apiCall) changes() bool { return c.method != http.MethodGet }

// apiCalls are all of them, of each API.
var apiCalls = []apiCall{
	{"list", "ndoto", http.MethodGet, "", "list subscriptions", func(*side) {}},
	{"create", "ndoto", http.MethodPost, "", "create a subscription", func(*side) {}},
	{"update", "ndoto", http.MethodPatch, "7", "update subscription 7", func(s *side) { s.add(7, s.otherWords) }},
	{"delete", "ndoto", http.MethodDelete, "8", "delete subscription 8", func(s *side) { s.add(7, s.words); s.add(8, s.otherWords) }},

	{"list", "chatbot", http.MethodGet, "", "list subscriptions", func(*side) {}},
	{"get", "chatbot", http.MethodGet, "7", "read subscription 7", func(s *side) { s.add("7", s.otherWords) }},
	{"create", "chatbot", http.MethodPost, "", "create a subscription", func(*side) {}},
	{"update", "chatbot", http.MethodPut, "7", "update subscription 7", func(s *side) { s.add("7", s.otherWords) }},
	{"delete", "chatbot", http.MethodDelete, "8", "delete subscription 8", func(s *side) { s.add("7", s.words); s.add("8", s.otherWords) }},
}

// asked is the failure of a call, and the error that it leads to.
type asked struct {
	name    string
	failure apitest.Failure

	// want is the error after "cannot <does>: ". {api}, {path} and {timeout} are
	// replaced by their values, {again} by the advice for an unknown outcome, {account}
	// by the advice on the account if the API has accounts.
	want string

	// of has the errors for some calls instead, by their names; "" is success.
	of map[string]string
}

// Sentences of several calls.
const (
	gone     = "it does not exist (404); run the command again, it checks first"
	notShown = "the provider reported success, but its list does not have the change; see `plan`"
)

// silent completes of for an answer without content: a change counts as made
// until the provider's list lacks it.
func silent(of map[string]string) map[string]string {
	for _, name := range []string{"create", "update", "delete"} {
		of[name] = notShown
	}
	return of
}

func failures(elsewhere string) []asked {
	reason := func(text string) string { return `{"message":"` + text + `"}` }
	return []asked{
		{"401", apitest.Failure{Status: 401, Body: reason("the token is wrong")}, "{api} rejected the API token (401); check `key`", nil},
		{"403", apitest.Failure{Status: 403}, "{api} does not allow this with this API token (403); check `key`{account}", nil},
		{
			"404", apitest.Failure{Status: 404, Body: "<html>Not found</html>"}, "{api} has no {path} (404); check `api`{account}",
			map[string]string{"get": gone, "update": gone, "delete": notShown},
		},
		{"422", apitest.Failure{Status: 422, Body: reason("url is taken")}, "{api} rejected it (422: url is taken)", nil},
		{"422 without a reason", apitest.Failure{Status: 422}, "{api} rejected it (422)", nil},
		{"422 with several", apitest.Failure{Status: 422, Body: `{"errors":{"message":"not\nthat"},"error":["url","is\ttaken"],"code":7}`}, "{api} rejected it (422: url, is taken, not that)", nil},
		{"422 with a credential", apitest.Failure{Status: 422, Body: reason("not " + strings.Join(secrets, ", not "))}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with an escaped credential", apitest.Failure{Status: 422, Body: reason(url.QueryEscape(token) + " or " + url.PathEscape(password))}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with a part of a credential", apitest.Failure{Status: 422, Body: reason("not " + apiKey[:12] + "..., not that")}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with the end of a credential", apitest.Failure{Status: 422, Body: reason("not ..." + headerValue[len(headerValue)-12:])}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with a URL", apitest.Failure{Status: 422, Body: reason("GET https://hooks.example.com/in?token=" + token[:7] + "&tenant=a answers 500")}, "{api} rejected it (422: GET https://hooks.example.com/in?… answers 500)", nil},
		{"422 with a credential in a query", apitest.Failure{Status: 422, Body: reason("GET https://hooks.example.com/in?token=" + tokenInURL + " answers 500")}, "{api} rejected it (422: GET https://hooks.example.com/in?… answers 500)", nil},
		{"422 with a credential in a path", apitest.Failure{Status: 422, Body: reason("GET https://hooks.example.com/" + tokenInURL + "?a=b answers 500")}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with a text", apitest.Failure{Status: 422, Body: "url is\r\ntaken\n"}, "{api} rejected it (422: url is taken)", nil},
		{"422 with a credential in a text", apitest.Failure{Status: 422, Body: "not " + apiKey}, "{api} rejected it (422: " + notShownText + ")", nil},
		{"422 with a page", apitest.Failure{Status: 422, Body: " <html><h1>url is taken</h1></html>"}, "{api} rejected it (422)", nil},
		{"422 with a type", apitest.Failure{Status: 422, Body: `{"status":{"code":422,"type":"error"}}`}, "{api} rejected it (422: error)", nil},
		{"429 with seconds", apitest.Failure{Status: 429, Header: map[string]string{"Retry-After": "30"}}, "{api} got too many requests (429); try again in 30 s", nil},
		{"429 with a date", apitest.Failure{Status: 429, Header: map[string]string{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}}, "{api} got too many requests (429); try again after 2026-10-21 07:28:00 UTC", nil},
		{"429 with neither", apitest.Failure{Status: 429, Body: reason("slowly")}, "{api} got too many requests (429); try again later", nil},
		{"429 with garbage", apitest.Failure{Status: 429, Header: map[string]string{"Retry-After": "soon, " + apiKey}}, "{api} got too many requests (429); try again later", nil},
		{"500", apitest.Failure{Status: 500, Body: reason("the database is away")}, "{api} failed (500: the database is away); {later}", nil},
		{"503 with a page", apitest.Failure{Status: 503, Body: "<html><h1>" + apiKey + "</h1></html>"}, "{api} failed (503); {later}", nil},
		{"a time-out", apitest.Failure{}, "{api} did not answer within {timeout}; {again}", nil},
		{"a broken connection", apitest.Failure{Break: true}, "the connection to {api} failed (EOF); {again}", nil},
		{"a broken answer", apitest.Failure{Status: 200, Header: map[string]string{"Content-Length": "9"}, Body: "[]"}, "the connection to {api} failed (unexpected EOF); {again}", nil},
		{"a page", apitest.Failure{Status: 200, Body: "\n<!DOCTYPE html><title>Sign in</title>"}, "{api} returned a web page instead of JSON; set `api` to the URL of the API, not of the dashboard{; again}", nil},
		{"a text", apitest.Failure{Status: 200, Body: "OK " + apiKey}, "{api} returned something that is not JSON; set `api` to the URL of the API, not of the dashboard{; again}", nil},
		{
			"nothing", apitest.Failure{Status: 200, Body: "\n"}, "{api} returned something that is not JSON; set `api` to the URL of the API, not of the dashboard",
			silent(map[string]string{}),
		},
		{
			"204", apitest.Failure{Status: 204}, "{api} returned something that is not JSON; set `api` to the URL of the API, not of the dashboard",
			silent(map[string]string{}),
		},
		{
			"an object of another shape", apitest.Failure{Status: 200, Body: `{"result":[{"key":7}]}`}, "{api} returned something other than a list; check `api`",
			silent(map[string]string{"get": "{api} returned a subscription without an id; check `api`"}),
		},
		{
			"a list of another shape", apitest.Failure{Status: 200, Body: `["` + apiKey + `"]`}, "{api} returned a subscription that is not an object; check `api`",
			silent(map[string]string{
				"ndoto list": "{api} returned something other than an object with payload; check `api`",
				"get":        "{api} returned a subscription that is not an object; check `api`",
			}),
		},
		{"a redirect of a GET", apitest.Failure{Status: 302, Header: map[string]string{"Location": elsewhere}}, "{api} redirects (302), which is not followed; set `api` to the URL of the API", nil},
		{"a redirect of any method", apitest.Failure{Status: 307, Header: map[string]string{"Location": elsewhere}}, "{api} redirects (307), which is not followed; set `api` to the URL of the API", nil},
		{"a long answer", apitest.Failure{Status: 200, Body: "[" + strings.Repeat(" ", longest-1) + "]"}, "{api} returned more than 1 MiB; set `api` to the URL of the API, not of the dashboard{; again}", nil},
	}
}

// TestFailures makes each call of each API fail in each way, before its effect
// and after it. The error is one line without a credential, no other host gets a
// request, and the same command again ends with exactly one subscription, as
// wanted.
func TestFailures(t *testing.T) {
	var requests atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(func() { // after the parallel ones
		elsewhere.Close()
		if n := requests.Load(); n > 0 {
			t.Errorf("another host got %d requests", n)
		}
	})
	for _, test := range failures(elsewhere.URL + "/webhooks") {
		for _, call := range apiCalls {
			name := test.name + "/" + call.api + "/" + call.name
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testFailure(t, test, call)
			})
			if call.changes() {
				after := test // which the parallel test keeps
				after.failure.AfterEffect = true
				t.Run(name+"/after its effect", func(t *testing.T) {
					t.Parallel()
					testFailure(t, after, call)
				})
			}
		}
	}
}

func testFailure(t *testing.T, test asked, call apiCall) {
	s := both[call.api](t)
	call.before(s)
	reached := make(chan struct{}, 1)
	failure := test.failure
	failure.Method, failure.Path, failure.Reached = call.method, s.path(call.id), reached
	failure.Times = 9 // net/http makes a GET again whose connection breaks
	s.Fail(failure)

	s.Calls()
	err := s.failing(t, call, failure)
	select {
	case <-reached: // a call that times out may have its effect later
	case <-time.After(30 * time.Second):
		t.Fatal("no call has reached its failure")
	}
	s.Mend()
	hadEffect := slices.ContainsFunc(s.Calls(), func(c apitest.Call) bool {
		return c.Method == failure.Method && c.Path == failure.Path
	})
	if hadEffect != failure.AfterEffect {
		t.Errorf("the call had its effect: %v, want %v", hadEffect, failure.AfterEffect)
	}
	want := s.expectation(test, call)
	if failure.AfterEffect && want == notShown {
		want = "" // it was done
	}
	got := ""
	if err != nil {
		got = strings.ReplaceAll(err.Error(), s.API.URL, "{api}")
	}
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if strings.ContainsFunc(got, unicode.IsControl) {
		t.Errorf("it is not one line: %q", got)
	}
	checkSafe(t, got)

	plan, err := s.apply()
	if err != nil {
		t.Fatalf("again: %v", err)
	}
	if failure.AfterEffect && len(plan.Changes) > 0 {
		t.Errorf("what had its effect is done again: %s", inJSON(t, plan))
	}
	s.checkDone(t)
	if n := len(s.Webhooks()); n != 1 {
		t.Errorf("%d webhooks", n)
	}
}

// failing applies. Only a call that times out has a short time, so that a slow
// machine does not fail another one.
func (s *side) failing(t *testing.T, call apiCall, failure apitest.Failure) error {
	t.Helper()
	timesOut := failure.Status == 0 && !failure.Break
	short := func() {
		if timesOut {
			s.Client.HTTP.Timeout = shortTimeout
		}
	}
	defer func() { s.Client.HTTP.Timeout = timeout }()
	switch {
	case call.changes():
		plan, err := s.Plan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		short()
		return s.carryOut(plan)
	case call.id != "":
		// The list goes before it.
		transport := s.Client.HTTP.Transport
		s.Client.HTTP.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			response, err := transport.RoundTrip(r)
			short()
			return response, err
		})
	default:
		short()
	}
	_, err := s.apply()
	return err
}

// longest is the longest answer that is read.
const longest = 1 << 20

const shortTimeout = 150 * time.Millisecond

// expectation returns the error that a failure leads to.
func (s *side) expectation(test asked, call apiCall) string {
	want := test.want
	for _, name := range []string{call.name, call.api + " " + call.name} {
		if other, ok := test.of[name]; ok {
			want = other
		}
	}
	if want == notShown {
		return want
	}
	again, later, also := "check `api`, or try again", "try again later", ""
	if call.changes() {
		again = "the outcome is unknown; run the command again, it checks first"
		later, also = again, "; "+again
	}
	account := ""
	if call.api == "ndoto" {
		account = " and `account`"
	}
	return "cannot " + call.does + ": " + strings.NewReplacer(
		"{again}", again, "{; again}", also, "{later}", later, "{account}", account,
		"{path}", s.path(""), "{timeout}", shortTimeout.String(),
	).Replace(want)
}
