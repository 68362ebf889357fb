package subscription_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestValidate pins the error for each invalid description. The built-in
// providers' are valid.
func TestValidate(t *testing.T) {
	for name := range both {
		if err := description(t, name).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const path = " must begin with a slash; its only variable is $account"
	for _, test := range []struct {
		name   string
		change func(*subscription.API)
		want   string
	}{
		{"no API", func(a *subscription.API) { a.API = "" }, "api: must be a URL with https:// or http:// and a host"},
		{"a query", func(a *subscription.API) { a.API += "?a" }, "api: has a query after a ?; give only the URL of the API, such as https://api.example.com"},
		{"no path", func(a *subscription.API) { a.Path = "" }, `path ""` + path},
		{"no slash", func(a *subscription.API) { a.Path = "webhooks" }, `path "webhooks"` + path},
		{"an account at once", func(a *subscription.API) { a.Path = "$account/webhooks" }, ""},
		{"nothing but an account", func(a *subscription.API) { a.Path = "$account" }, `path "$account"` + path},
		{"another variable", func(a *subscription.API) { a.Path = "/$tenant" }, `path "/$tenant"` + path},
		{"a query in the path", func(a *subscription.API) { a.Path = "/webhooks?a=b" }, `path "/webhooks?a=b"` + path},
		{"a fragment in the path", func(a *subscription.API) { a.Path = "/webhooks#a" }, `path "/webhooks#a"` + path},
		{"a space in the path", func(a *subscription.API) { a.Path = "/web hooks" }, `path "/web hooks"` + path},
		{"no key", func(a *subscription.API) { a.Key = subscription.Key{} }, "`key` is required: bearer, or header <name>"},
		{"two keys", func(a *subscription.API) { a.Key = subscription.Key{Bearer: true, Header: "X-Key"} }, "`key` is required: bearer, or header <name>"},
		{"an odd header", func(a *subscription.API) { a.Key = subscription.Key{Header: "X Key"} }, `key: "X Key" is not a header name`},
		{"an injected header", func(a *subscription.API) { a.Key = subscription.Key{Header: "X-Key\n"} }, `key: "X-Key\n" is not a header name`},
		{"a header with _", func(a *subscription.API) { a.Key = subscription.Key{Header: "x_key"} }, ""},
		{"no list", func(a *subscription.API) { a.List = "" }, "`list` is required: the member that holds the array, or . for the whole answer"},
		{"no update", func(a *subscription.API) { a.Update = "" }, "`update` is required: patch or put"},
		{"another update", func(a *subscription.API) { a.Update = "PATCH" }, "`update` is required: patch or put"},
		{"no id", func(a *subscription.API) { delete(a.Fields, "id") }, "`field id` is required: the provider's name for it"},
		{"no name", func(a *subscription.API) { a.Fields["name"] = "" }, "`field name` is required: the provider's name for it"},
		{"no URL", func(a *subscription.API) { delete(a.Fields, "url") }, "`field url` is required: the provider's name for it"},
		{"no fields", func(a *subscription.API) { a.Fields = nil }, "`field id` is required: the provider's name for it"},
		{"two fields in one", func(a *subscription.API) { a.Fields["url"] = a.Fields["name"] }, `field url: member "name" is used by field name`},
		{"only these fields", func(a *subscription.API) { a.Fields = map[string]string{"id": "a", "name": "b", "url": "c"} }, ""},
		{"an empty field", func(a *subscription.API) { a.Fields["token"] = "" }, "field token: the provider's name for it is missing"},
		{"an unknown field", func(a *subscription.API) { a.Fields["colour"] = "colour" }, `unknown field "colour"; use id, name, url, events, inbox, token, header, basic_auth, active or error`},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := *description(t, "chatbot")
			api.Fields = maps.Clone(api.Fields)
			test.change(&api)
			if got := textOfError(api.Validate()); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// TestDescribes shows what Has and HasAccounts report of each API.
func TestDescribes(t *testing.T) {
	for name, want := range map[string]struct {
		accounts bool
		has      []string
	}{
		"ndoto":   {true, []string{"id", "name", "url", "events", "inbox", "active"}},
		"chatbot": {false, []string{"id", "name", "url", "token", "header", "basic_auth", "error"}},
	} {
		api := description(t, name)
		if api.HasAccounts() != want.accounts {
			t.Errorf("%s: accounts %v", name, api.HasAccounts())
		}
		for _, word := range []string{"id", "name", "url", "events", "inbox", "token", "header", "basic_auth", "active", "error", "colour", ""} {
			if api.Has(word) != slices.Contains(want.has, word) {
				t.Errorf("%s: %s %v", name, word, api.Has(word))
			}
		}
	}
}
