package subscription_test

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/apitest"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// Credentials, with characters that are escaped in a URL, and without parts in
// common.
const (
	apiKey      = "Kq7/aXi+kZy=oJf&aWc%unt"
	token       = "Tz3/tOk+eNo=fGt&hEw%ebh"
	otherToken  = "Uw9/oVh+eRt=kMe&nBo%fUr"
	headerValue = "Hv5/vEl+uQo=hDe&aPd%erY"
	otherValue  = "Jw6/sEc+oNd=lVa&uGe%oTf"
	username    = "Bu8/uZe+rNa=mKf&tXe%auT"
	password    = "Cp2/pYs+sWo=rHd&oLf%bSi"
)

// The tokens as they are in a URL.
const (
	tokenInURL      = "Tz3%2FtOk%2BeNo%3DfGt%26hEw%25ebh"
	otherTokenInURL = "Uw9%2FoVh%2BeRt%3DkMe%26nBo%25fUr"
)

var secrets = []string{apiKey, token, otherToken, headerValue, otherValue, username, password}

// timeout is the timeout of a call that does not time out.
const timeout = 30 * time.Second

// side is a provider's API, and the subscription that a block wants there.
type side struct {
	*apitest.API
	*subscription.Target

	hook *hook // what ChatBot.com sends to; nil for Ndoto, see sendTo

	words, otherWords map[string]any // members of the wanted webhook, and of another one
}

// description returns the description of a built-in provider's API.
func description(t testing.TB, name string) *subscription.API {
	t.Helper()
	p, ok := provider.Get(name)
	if !ok || p.Spec().Subscriptions == nil {
		t.Fatalf("%s has no API", name)
	}
	return p.Spec().Subscriptions
}

// newNdoto starts Ndoto's API, without a webhook.
func newNdoto(t testing.TB) *side { return newNdotoThat(t, true) }

// newNdotoThat starts Ndoto's API, whose list has the inbox or not.
func newNdotoThat(t testing.TB, listsInbox bool) *side {
	api := apitest.Ndoto(t, apiKey, "17", listsInbox)
	s := &side{API: api, Target: &subscription.Target{
		Client:   newClient(t, api, "ndoto"),
		Provider: "ndoto",
		Present:  func(*http.Request) {}, // it is in the URL
		Want: subscription.Subscription{
			Name:   "caddy-webhooks",
			Events: []string{"message_created", "contact_created"},
		},
	}}
	s.Client.Account = "17"
	s.present(token)
	s.words = map[string]any{"subscriptions": []any{"message_created", "contact_created"}}
	s.otherWords = map[string]any{"subscriptions": []any{"message_created", "message_updated"}}
	return s
}

// present sets the token, in the URL too, as the gateway does.
func (s *side) present(token string) {
	s.Want.Token = token
	s.Want.URL = "https://hooks.example.com/ndoto?token=" + url.QueryEscape(token)
}

// sendTo makes Ndoto send to a hook that checks the token only.
func (s *side) sendTo(h *hook) {
	h.set(func(h *hook) { h.headers, h.basicAuth = nil, subscription.BasicAuth{} })
	s.hook = h
	s.Want.URL = h.URL + "/ndoto?token=" + url.QueryEscape(s.Want.Token)
}

// newChatBot starts ChatBot.com's API, without a webhook.
func newChatBot(t testing.TB) *side {
	api := apitest.ChatBot(t, apiKey)
	hook := newHook(t)
	s := &side{API: api, hook: hook, Target: &subscription.Target{
		Client:   newClient(t, api, "chatbot"),
		Provider: "chatbot",
		Want: subscription.Subscription{
			Name:      "caddy-webhooks",
			URL:       hook.URL + "/chatbot",
			Token:     token,
			Headers:   []subscription.Header{{Name: "X-Proof", Value: headerValue}},
			BasicAuth: subscription.BasicAuth{Username: username, Password: password},
		},
		Challenge: &subscription.Challenge{Parameter: "challenge", Token: "token"},
	}}
	s.Present = inQuery("token", &s.Want)
	members := func(token string) map[string]any {
		return map[string]any{
			"token":   token,
			"headers": []any{map[string]any{"name": "X-Proof", "value": headerValue}},
			"auth":    map[string]any{"username": username, "password": password},
		}
	}
	s.words, s.otherWords = members(token), members(otherToken)
	return s
}

// inQuery puts the token that is wanted into a parameter of a request.
func inQuery(name string, want *subscription.Subscription) func(*http.Request) {
	return func(r *http.Request) {
		query := r.URL.Query()
		query.Set(name, want.Token)
		r.URL.RawQuery = query.Encode()
	}
}

func newClient(t testing.TB, api *apitest.API, name string) *subscription.Client {
	client := subscription.NewHTTPClient(timeout)
	// The end of another server closes connections of the default transport.
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	client.Transport = transport
	return &subscription.Client{
		API: description(t, name), URL: api.URL, Key: apiKey, Hidden: secrets[1:],
		HTTP: client,
	}
}

// both are the two APIs.
var both = map[string]func(testing.TB) *side{"ndoto": newNdoto, "chatbot": newChatBot}

// add adds a webhook with our name and URL to what the provider has.
func (s *side) add(id any, members map[string]any) {
	webhook := map[string]any{"id": id, "name": s.Want.Name, "url": s.Want.URL, "active": true, "error": map[string]any{}}
	for name, value := range members {
		webhook[name] = value
	}
	s.Add(webhook)
}

// apply does what the command apply does: it reads, makes each change, and reads
// again.
func (s *side) apply() (subscription.Plan, error) {
	plan, err := s.Plan(context.Background())
	if err != nil {
		return plan, err
	}
	return plan, s.carryOut(plan)
}

func (s *side) carryOut(plan subscription.Plan) error {
	for _, change := range plan.Changes {
		if err := s.Do(context.Background(), change); err != nil {
			return err
		}
	}
	if len(plan.Changes) == 0 {
		return nil
	}
	_, err := s.Check(context.Background(), plan)
	return err
}

// mustApply applies, and checks that nothing is left to do.
func (s *side) mustApply(t *testing.T) subscription.Plan {
	t.Helper()
	plan, err := s.apply()
	if err != nil {
		t.Fatal(err)
	}
	checkSafe(t, inJSON(t, plan))
	s.checkDone(t)
	return plan
}

// checkDone checks that the provider has exactly one webhook of ours, as wanted,
// and that a plan finds nothing to do and makes no call but GET.
func (s *side) checkDone(t *testing.T) {
	t.Helper()
	var ours []map[string]any
	for _, webhook := range s.Webhooks() {
		if webhook["name"] == s.Want.Name && webhook["url"] == s.Want.URL {
			ours = append(ours, webhook)
		}
	}
	if len(ours) != 1 {
		t.Fatalf("%d webhooks are ours: %v", len(ours), ours)
	}
	for name, want := range s.words {
		if got := ours[0][name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	s.Calls()
	plan, err := s.Plan(context.Background())
	if err != nil || len(plan.Changes) > 0 {
		t.Errorf("a second plan: %s, %v", inJSON(t, plan), err)
	}
	if plan.ID == "" {
		t.Error("a plan names no subscription")
	}
	calls := s.Calls()
	for _, call := range calls {
		if call.Method != http.MethodGet {
			t.Errorf("a plan calls %s %s", call.Method, call.Path)
		}
	}
	if len(calls) == 0 {
		t.Error("a plan calls nothing")
	}
}

// only returns the only webhook that the provider has.
func (s *side) only(t *testing.T) map[string]any {
	t.Helper()
	webhooks := s.Webhooks()
	if len(webhooks) != 1 {
		t.Fatalf("%d webhooks: %v", len(webhooks), webhooks)
	}
	return webhooks[0]
}

// path returns the path of all webhooks, or of one.
func (s *side) path(id string) string {
	path := strings.ReplaceAll(s.Client.API.Path, "$account", s.Client.Account)
	if id != "" {
		path += "/" + id
	}
	return path
}
