package caddymodule_test

import "testing"

// subscribeJSON is a handler with a subscription; more are further settings.
func subscribeJSON(provider, subscribe, more string) string {
	return `{"handler":"webhooks","provider":"` + provider + `","tokens":["{env.SECRET}"],"subscribe":` + subscribe + more + `}`
}

// TestSubscribeJSON shows that a subscription is checked in JSON as it is in a
// Caddyfile, where no word can be empty.
func TestSubscribeJSON(t *testing.T) {
	t.Setenv("SECRET", "x")
	const (
		in      = `"url":"https://hooks.example.com/in"`
		key     = `"key":"{env.UNSET}"`
		account = `"account":"1"`
	)
	for _, c := range []struct{ provider, subscribe, more, want string }{
		{"ndoto", `null`, "", ""},
		{"ndoto", `{` + in + `,` + key + `,` + account + `}`, "", ""},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"events":[],"inbox":"","name":"","api":""}`, "", ""},
		{"chatbot", `{` + in + `,` + key + `}`, `,"headers":[{"name":"X-Static","value":"{env.SECRET}"}]`, ""},
		{"chatbot", `{` + in + `,` + key + `,"account":"","events":[]}`, "", ""},

		{"ndoto", `{}`, "", "webhooks ndoto: subscribe: `url` is required"},
		{"ndoto", `{"url":"",` + key + `,` + account + `}`, "", "subscribe: `url` is required"},
		{"ndoto", `{` + in + `,"key":"",` + account + `}`, "", "subscribe: `key` is required"},
		{"ndoto", `{` + in + `,` + key + `,"account":""}`, "", "subscribe: `account` is required"},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"events":[""]}`, "", "subscribe: `events`: ndoto has no \"\"; use conversation_created, "},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"inbox":"-1"}`, "", "subscribe: `inbox`: the value is not the number of an inbox"},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"inbox":2}`, "", "cannot unmarshal"},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"surprise":1}`, "", `unknown field "surprise"`},
		{"ndoto", `{"url":"/in",` + key + `,` + account + `}`, "", "subscribe: `url`: must be a URL"},
		{"ndoto", `{"url":"https://hooks.example.com/in#",` + key + `,` + account + `}`, "", "subscribe: `url`: has a fragment"},
		{"ndoto", `{"url":"https://hooks.example.com/in?token",` + key + `,` + account + `}`, "", "subscribe: `url` has \"token\" in its query"},
		{"ndoto", `{` + in + `,` + key + `,` + account + `,"api":"https://api.example.com/?"}`, "", "subscribe: `api`: has a query"},
		{"ndoto", `{` + in + `,` + key + `,` + account + `}`, `,"headers":[{"name":"X-Static","value":"{env.SECRET}"}]`, "subscribe: the API of ndoto cannot set the `header`"},
		{"chatbot", `{` + in + `,` + key + `,` + account + `}`, "", "subscribe: `account` has no effect: the API of chatbot"},
		{"wotnot", `{` + in + `,` + key + `}`, "", "subscribe: wotnot has no API that this module knows"},
	} {
		wantLoad(t, routesJSON(subscribeJSON(c.provider, c.subscribe, c.more)), c.want)
	}
}

// TestSubscriptionsJSON shows that the API of a provider of one's own is checked
// in JSON as it is in a Caddyfile, where each word has the right number of
// arguments.
func TestSubscriptionsJSON(t *testing.T) {
	const (
		at     = `"api":"https://api.example.com","path":"/hooks"`
		key    = `"key":{"bearer":true}`
		rest   = `"list":"hooks","update":"put"`
		fields = `"fields":{"id":"id","name":"name","url":"url","token":"token"}`
	)
	for subscriptions, want := range map[string]string{
		`null`: "",
		`{` + at + `,` + key + `,` + rest + `,` + fields + `}`: "",
		`{}`: "subscriptions: api: must be a URL",
		`{"api":"https://api.example.com?a=b","path":"/hooks",` + key + `,` + rest + `,` + fields + `}`:                 "subscriptions: api: has a query",
		`{"api":"https://api.example.com",` + key + `,` + rest + `,` + fields + `}`:                                     `subscriptions: path "" must begin with a slash`,
		`{"api":"https://api.example.com","path":"/$id",` + key + `,` + rest + `,` + fields + `}`:                       `subscriptions: path "/$id"`,
		`{` + at + `,` + rest + `,` + fields + `}`:                                                                      "subscriptions: `key` is required",
		`{` + at + `,"key":{"bearer":true,"header":"X-Key"},` + rest + `,` + fields + `}`:                               "subscriptions: `key` is required",
		`{` + at + `,"key":{"header":"X Key"},` + rest + `,` + fields + `}`:                                             `subscriptions: key: "X Key" is not a header name`,
		`{` + at + `,` + key + `,"update":"put",` + fields + `}`:                                                        "subscriptions: `list` is required",
		`{` + at + `,` + key + `,"list":".",` + fields + `}`:                                                            "subscriptions: `update` is required",
		`{` + at + `,` + key + `,"list":".","update":"post",` + fields + `}`:                                            "subscriptions: `update` is required",
		`{` + at + `,` + key + `,` + rest + `}`:                                                                         "subscriptions: `field id` is required",
		`{` + at + `,` + key + `,` + rest + `,"fields":{"id":"id","name":"","url":"url","token":"token"}}`:              "subscriptions: `field name` is required",
		`{` + at + `,` + key + `,` + rest + `,"fields":{"id":"id","name":"name","url":"url","token":"t","inbox":""}}`:   "subscriptions: field inbox: the provider's name for it is missing",
		`{` + at + `,` + key + `,` + rest + `,"fields":{"id":"id","name":"name","url":"url","token":"t","colour":"c"}}`: `subscriptions: unknown field "colour"; use id, `,
		`{` + at + `,` + key + `,` + rest + `,"fields":{"id":"id","name":"name","url":"url"}}`:                          "subscriptions: the token cannot be registered",
		`{` + at + `,` + key + `,` + rest + `,` + fields + `,"surprise":1}`:                                             `unknown field "surprise"`,
	} {
		wantLoad(t, `{"apps":{"webhooks":{"providers":[{"name":"acme","verify":{"token":{"places":[{"header":"X-Token"}]}},`+
			`"id":{"paths":["id"]},"type":{"paths":["type"]},"subscriptions":`+subscriptions+`}]}}}`, want)
	}
}
