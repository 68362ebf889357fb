package subscription_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestShownURL shows what of a URL may be seen: no value in its query, no user.
func TestShownURL(t *testing.T) {
	for s, want := range map[string]string{
		"https://hooks.example.com/in":                           "https://hooks.example.com/in",
		"https://hooks.example.com":                              "https://hooks.example.com",
		"https://hooks.example.com/in?token=secret":              "https://hooks.example.com/in?token=…",
		"https://hooks.example.com/in?token=a&b=c&token=d":       "https://hooks.example.com/in?token=…&b=…&token=…",
		"https://hooks.example.com/in?secret":                    "https://hooks.example.com/in?…",
		"https://hooks.example.com/in?secret&a=b&":               "https://hooks.example.com/in?…&a=…&",
		"https://hooks.example.com/in?c2VjcmV0MQ==":              "https://hooks.example.com/in?…", // padding, not a value
		"https://hooks.example.com/in?a=b=c":                     "https://hooks.example.com/in?a=…",
		"https://hooks.example.com/in?":                          "https://hooks.example.com/in?",
		"https://user:secret@hooks.example.com/in":               "https://…@hooks.example.com/in",
		"https://user@hooks.example.com/in":                      "https://…@hooks.example.com/in",
		"https://hooks.example.com/in#secret":                    "https://hooks.example.com/in",
		"https://hooks.example.com/in?a=b#secret":                "https://hooks.example.com/in?a=…",
		"https://hooks.example.com/a%20b/%C3%A9":                 "https://hooks.example.com/a%20b/%C3%A9",
		"https://hooks.example.com/in?token=%zz":                 "https://hooks.example.com/in?token=…",
		"https://hooks.example.com:x/?token=secret":              "(not a URL)",
		"https://hooks.example.com/\n":                           "(not a URL)",
		"mailto:secret@example.com":                              "(not a URL)",
		"":                                                       "",
		"https://hooks.example.com/" + strings.Repeat("a", 1000): "https://hooks.example.com/" + strings.Repeat("a", 273) + "…",
	} {
		if got := subscription.ShownURL(s); got != want {
			t.Errorf("%q is shown as %q, want %q", s, got, want)
		}
	}
}

// TestWithParameter shows how a token gets into a URL.
func TestWithParameter(t *testing.T) {
	for s, want := range map[string]string{
		"https://hooks.example.com":         "https://hooks.example.com?token=a%26b+c",
		"https://hooks.example.com/in":      "https://hooks.example.com/in?token=a%26b+c",
		"https://hooks.example.com/in?":     "https://hooks.example.com/in?token=a%26b+c",
		"https://hooks.example.com/in?b=c":  "https://hooks.example.com/in?b=c&token=a%26b+c",
		"https://hooks.example.com/in?b=c?": "https://hooks.example.com/in?b=c?&token=a%26b+c",
	} {
		if got := subscription.WithParameter(s, "token", "a&b c"); got != want {
			t.Errorf("%s becomes %s, want %s", s, got, want)
		}
	}
	// A name can have what separates parameters, too.
	const name = "a&b=c d#é"
	got := subscription.WithParameter("https://hooks.example.com/in?x=y", name, "z")
	if want := "https://hooks.example.com/in?x=y&a%26b%3Dc+d%23%C3%A9=z"; got != want {
		t.Errorf("it becomes %s, want %s", got, want)
	}
	u, err := url.Parse(got)
	if err != nil || u.Query().Get(name) != "z" || len(u.Query()) != 2 {
		t.Errorf("it has %v, %v", u, err)
	}
}

// TestCredentials lists what of a subscription must not be shown.
func TestCredentials(t *testing.T) {
	s := subscription.Subscription{
		Name: "a", URL: "b", Token: token,
		Headers:   []subscription.Header{{Name: "X-A", Value: headerValue}, {Name: "X-B", Value: otherValue}},
		BasicAuth: subscription.BasicAuth{Username: username, Password: password},
	}
	got := s.Credentials()
	for _, want := range []string{token, headerValue, otherValue, username, password, username + ":" + password} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	for _, other := range []string{"a", "b", "X-A", ":"} {
		if slices.Contains(got, other) {
			t.Errorf("%s is among %q", other, got)
		}
	}
}

// TestIsSamePlace shows which URLs are one, apart from their query.
func TestIsSamePlace(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://hooks.example.com/in", "https://hooks.example.com/in", true},
		{"https://hooks.example.com/in?token=a", "https://hooks.example.com/in?token=b", true},
		{"https://hooks.example.com/in#a", "https://hooks.example.com/in", true},
		{"https://hooks.example.com:443/in", "https://hooks.example.com/in", true},
		{"https://hooks.example.com:/in", "https://hooks.example.com/in", true},
		{"http://hooks.example.com:80/in", "http://hooks.example.com/in", true},
		{"HTTPS://HOOKS.example.COM/in", "https://hooks.example.com/in", true},
		{"https://hooks.example.com", "https://hooks.example.com/", true},
		{"https://hooks.example.com?a=b", "https://hooks.example.com/", true},
		{"https://[::1]:443/in", "https://[::1]/in", true},

		{"https://hooks.example.com/in", "http://hooks.example.com/in", false},
		{"https://hooks.example.com:80/in", "https://hooks.example.com/in", false},
		{"http://hooks.example.com:443/in", "https://hooks.example.com/in", false},
		{"https://hooks.example.com:8443/in", "https://hooks.example.com/in", false},
		{"https://hooks.example.org/in", "https://hooks.example.com/in", false},
		{"https://hooks.example.com/IN", "https://hooks.example.com/in", false},
		{"https://hooks.example.com/in/", "https://hooks.example.com/in", false},
		{"https://hooks.example.com/a%2Fb", "https://hooks.example.com/a/b", false},
		{"", "", false},
		{"not a URL", "not a URL", false},
		{"/in", "/in", false},
		{"https://%zz/", "https://%zz/", false},
	} {
		if got := subscription.IsSamePlace(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %v, want %v", test.a, test.b, got, test.want)
		}
		if got := subscription.IsSamePlace(test.b, test.a); got != test.want {
			t.Errorf("%q and %q: %v, want %v", test.b, test.a, got, test.want)
		}
	}
}

// TestIsSame shows what is ours: its name and its place.
func TestIsSame(t *testing.T) {
	const url = "https://hooks.example.com/in?token=a"
	want := &subscription.Subscription{Name: "a", URL: url}
	for _, test := range []struct {
		name, url string
		want      bool
	}{
		{"a", url, true},
		{"a", "https://hooks.example.com/in", true},
		{"A", url, false},
		{"a ", url, false},
		{"", url, false},
		{"a", "https://hooks.example.com/out?token=a", false},
		{"a", "", false},
	} {
		s := subscription.Subscription{Name: test.name, URL: test.url}
		if got := s.IsSame(want); got != test.want {
			t.Errorf("%q at %q: %v, want %v", test.name, test.url, got, test.want)
		}
	}
}

// TestCheckURL pins which URLs are refused, and why: no error repeats the URL.
func TestCheckURL(t *testing.T) {
	const (
		none  = "it is not a URL: one begins with https:// or http://, and names a host"
		query = "its query is not one: escape what stands in it"
		hash  = "it has a fragment, behind a #, which is never sent; remove it"
		user  = "it holds a user name before an @; remove that"
		api   = "it has a query, behind a ?; it is only where the API is, such as https://api.example.com"
		ascii = "its host is not spelled in ASCII; write the form that begins with xn--"
		dot   = "its host ends with a dot; remove that"
		dots  = "its path has a segment of dots; write the path that it leads to"
	)
	for _, test := range []struct{ url, want, wantOfAPI string }{
		{"https://hooks.example.com", "", ""},
		{"https://hooks.example.com/", "", ""},
		{"http://127.0.0.1:8080/in", "", ""},
		{"HTTPS://[::1]/in", "", ""},
		{"https://hooks.example.com/in?token=a&b=%20", "", api},
		{"https://hooks.example.com/in?", "", api},
		{"", none, none},
		{"hooks.example.com/in", none, none},
		{"//hooks.example.com/in", none, none},
		{"/in", none, none},
		{"ftp://hooks.example.com/in", none, none},
		{"https:hooks.example.com", none, none},
		{"https://", none, none},
		{"https:///in", none, none},
		{"https://:443/in", none, none},
		{"https://hooks example.com", none, none},
		{"https://hooks.example.com:port/", none, none},
		{"https://hooks.example.com/in\n", none, none},
		{"https://hooks.example.com/%zz", none, none},
		{"https://user@hooks.example.com", user, user},
		{"https://user:secret@hooks.example.com", user, user},
		{"https://hooks.example.com/in#", hash, hash},
		{"https://hooks.example.com/in#a", hash, hash},
		{"https://hooks.example.com/in?a=%zz", query, api},
		{"https://hooks.example.com/in?a;b", query, api},
		{"https://hööks.example.com/in", ascii, ascii},
		{"https://h%C3%B6%C3%B6ks.example.com/in", ascii, ascii},
		{"https://hooks。example.com/in", ascii, ascii},
		{"https://xn--hks-snaa.example.com/in", "", ""},
		{"https://hooks.example.com./in", dot, dot},
		{"https://hooks.example.com.:8443/in", dot, dot},
		{"https://./in", dot, dot},
		{"https://hooks.example.com/.", dots, dots},
		{"https://hooks.example.com/./in", dots, dots},
		{"https://hooks.example.com/a/../in", dots, dots},
		{"https://hooks.example.com/in/..", dots, dots},
		{"https://hooks.example.com/%2e%2E/in", dots, dots},
		{"https://hooks.example.com/a/.%2e/in?token=a", dots, api},
		{"https://hooks.example.com/.../in", "", ""},
		{"https://hooks.example.com/.in/in.", "", ""},
		{"https://hooks.example.com/in?a=../b", "", api},
		{"https://hooks.example.com/é", "", ""},
	} {
		for what, pair := range map[string][2]string{
			"as a URL":     {textOfError(subscription.CheckURL(test.url)), test.want},
			"as of an API": {textOfError(subscription.CheckAPI(test.url)), test.wantOfAPI},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%q %s: %q, want %q", test.url, what, pair[0], pair[1])
			}
		}
	}
}

func textOfError(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestValidate pins what is wrong with a description; those of the built-in
// providers are right.
func TestValidate(t *testing.T) {
	for name := range both {
		if err := description(t, name).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const path = ": it begins with a slash, and $account is all that may vary"
	for _, test := range []struct {
		name   string
		change func(*subscription.API)
		want   string
	}{
		{"no API", func(a *subscription.API) { a.API = "" }, "api: it is not a URL: one begins with https:// or http://, and names a host"},
		{"a query", func(a *subscription.API) { a.API += "?a" }, "api: it has a query, behind a ?; it is only where the API is, such as https://api.example.com"},
		{"no path", func(a *subscription.API) { a.Path = "" }, `path ""` + path},
		{"no slash", func(a *subscription.API) { a.Path = "webhooks" }, `path "webhooks"` + path},
		{"an account at once", func(a *subscription.API) { a.Path = "$account/webhooks" }, ""},
		{"nothing but an account", func(a *subscription.API) { a.Path = "$account" }, `path "$account"` + path},
		{"another variable", func(a *subscription.API) { a.Path = "/$tenant" }, `path "/$tenant"` + path},
		{"a query in the path", func(a *subscription.API) { a.Path = "/webhooks?a=b" }, `path "/webhooks?a=b"` + path},
		{"a fragment in the path", func(a *subscription.API) { a.Path = "/webhooks#a" }, `path "/webhooks#a"` + path},
		{"a space in the path", func(a *subscription.API) { a.Path = "/web hooks" }, `path "/web hooks"` + path},
		{"no key", func(a *subscription.API) { a.Key = subscription.Key{} }, "it needs a `key`: bearer, or header <name>"},
		{"two keys", func(a *subscription.API) { a.Key = subscription.Key{Bearer: true, Header: "X-Key"} }, "it needs a `key`: bearer, or header <name>"},
		{"an odd header", func(a *subscription.API) { a.Key = subscription.Key{Header: "X Key"} }, `key: header "X Key" is not the name of one`},
		{"an injected header", func(a *subscription.API) { a.Key = subscription.Key{Header: "X-Key\n"} }, `key: header "X-Key\n" is not the name of one`},
		{"a header with _", func(a *subscription.API) { a.Key = subscription.Key{Header: "x_key"} }, ""},
		{"no list", func(a *subscription.API) { a.List = "" }, "it needs a `list`: the member that holds the array, or . for the answer itself"},
		{"no update", func(a *subscription.API) { a.Update = "" }, "it needs an `update`: patch or put"},
		{"another update", func(a *subscription.API) { a.Update = "PATCH" }, "it needs an `update`: patch or put"},
		{"no id", func(a *subscription.API) { delete(a.Fields, "id") }, "it needs a `field id`: what the provider calls it"},
		{"no name", func(a *subscription.API) { a.Fields["name"] = "" }, "it needs a `field name`: what the provider calls it"},
		{"no URL", func(a *subscription.API) { delete(a.Fields, "url") }, "it needs a `field url`: what the provider calls it"},
		{"no fields", func(a *subscription.API) { a.Fields = nil }, "it needs a `field id`: what the provider calls it"},
		{"two fields in one", func(a *subscription.API) { a.Fields["url"] = a.Fields["name"] }, `field url: its member "name" is that of field name already`},
		{"only these fields", func(a *subscription.API) { a.Fields = map[string]string{"id": "a", "name": "b", "url": "c"} }, ""},
		{"an empty field", func(a *subscription.API) { a.Fields["token"] = "" }, "field token: what does the provider call it?"},
		{"an unknown field", func(a *subscription.API) { a.Fields["colour"] = "colour" }, `unknown field "colour": use id, name, url, events, inbox, token, header, basic_auth, active or error`},
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

// TestDescribes shows what of an API can be asked.
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

// notShownText replaces a text that may repeat a credential.
const notShownText = "message not shown: it may contain a credential"

// TestHide shows what becomes of a provider's text.
func TestHide(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a text", "the url is taken", "the url is taken"},
		{"lines", " the\r\n\turl  is\u00a0taken\v", "the url is taken"},
		{"a control character", "a\x00b\x07c\u0085d", "abc d"},
		{"an escape sequence", "\x1b[31mred\x1b[0m \x1b]0;title\x07", "[31mred[0m ]0;title"},
		{"what turns text round", "a\u202eb\u200bc\ufeff", "abc"},
		{"other letters", "l’adresse est déjà prise 🙂", "l’adresse est déjà prise 🙂"},
		{"a long text", strings.Repeat("é ", 400), strings.Repeat("é ", 149) + "é…"},
		{"the longest", strings.Repeat("é", 300), strings.Repeat("é", 300)},

		{"the API token", "not " + apiKey + "!", notShownText},
		{"a token", token, notShownText},
		{"the last one", "a " + password, notShownText},
		{"escaped for a query", "a=" + tokenInURL, notShownText},
		{"escaped for a path", "a/Tz3%2FtOk+eNo=fGt&hEw%25ebh", notShownText},
		{"escaped in small letters", "a=" + strings.ToLower("%2F") + "Tz3%2ftOk%2beNo%3dfGt%26hEw%25ebh", notShownText},
		{"escaped for HTML", strings.ReplaceAll(token, "&", "&amp;"), notShownText},
		{"in other letters", strings.ToUpper(token), notShownText},
		{"its begin", token[:12] + "…", notShownText},
		{"its end", "…" + token[len(token)-12:], notShownText},
		{"its middle", "…" + token[5:17] + "…", notShownText},
		{"little of it", "…" + token[:5] + "…", "…" + token[:5] + "…"},
		{"where a long text is cut", strings.Repeat("a ", 142) + token, notShownText},
		{"behind what is shown of a long text", strings.Repeat("a ", 5000) + token, strings.Repeat("a ", 149) + "a…"},
		{"in pieces", "Tz3/tOk+\x00eNo=\u200bfGt&\nhEw%ebh", notShownText},
		{"in a query", "GET https://hooks.example.com/in?token=" + token + " failed", "GET https://hooks.example.com/in?… failed"},
		{"in a query and behind it", "GET https://hooks.example.com/in?token=" + tokenInURL + " failed: " + token, notShownText},
		{"in a path", "GET https://hooks.example.com/" + tokenInURL + "?a=b failed", notShownText},
		{"in what is cut short of a query", strings.Repeat("a ", 140) + "/in?token=" + token, strings.Repeat("a ", 140) + "/in?…"},
		{"behind a long query", "GET /in?token=" + strings.Repeat("a", 1000) + " failed", "GET /in?… failed"},
		{"in JSON", inText(password), notShownText},
		{"in JSON in JSON", inText(inText(password)), notShownText},
		{"in JSON in JSON in JSON", inText(inText(inText(password))), notShownText},
		{"in JSON with each character escaped", units(password), notShownText},
		{"escaped twice", "a/" + url.QueryEscape(url.QueryEscape(token)), notShownText},
		{"escaped three times", "a/" + url.PathEscape(url.QueryEscape(url.QueryEscape(token))), notShownText},
		{"escaped for HTML twice", html.EscapeString(html.EscapeString(password)), notShownText},
		{"escaped for HTML three times", html.EscapeString(html.EscapeString(html.EscapeString(password))), notShownText},
		{"escaped for a query, in HTML, in JSON", inText(html.EscapeString(url.QueryEscape(token))), notShownText},
		{"in JSON, escaped for a query", "a/" + url.QueryEscape(inText(password)), notShownText},
		{"in base64", "not " + base64.StdEncoding.EncodeToString([]byte(token)), notShownText},
		{"in base64 without padding", "not " + base64.RawStdEncoding.EncodeToString([]byte(token)), notShownText},
		{"in base64 for URLs", "not " + base64.URLEncoding.EncodeToString([]byte(token)), notShownText},
		{"in base64 for URLs, without padding", "not " + base64.RawURLEncoding.EncodeToString([]byte(token)), notShownText},
		{"in base64 in a URL", "a/" + url.PathEscape(base64.StdEncoding.EncodeToString([]byte(token))), notShownText},
		{"basic auth", "not Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password)), notShownText},
		{"escaped, whatever that is", "%41", notShownText},
		{"escaped for HTML, whatever that is", "&#x41;", notShownText},
		{"escaped for JSON, whatever that is", `\u0041`, notShownText},
		{"not escaped", `%zz & ; 100% &; /`, `%zz & ; 100% &; /`},
		{"another's query", "GET https://else.example.com/in?token=abc&b=c failed", "GET https://else.example.com/in?… failed"},
		{"another's query, relative", `GET "/in?token=abc" failed`, `GET "/in?…" failed`},
		{"a question", "really? yes", "really? yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := &subscription.Client{Key: apiKey, Hidden: append([]string{"", username + ":" + password}, secrets[1:]...)}
			got := client.Hide(test.text)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if utf8.RuneCountInString(got) > 300 {
				t.Errorf("it has %d characters", utf8.RuneCountInString(got))
			}
		})
	}

	// Credentials in addition to the client's.
	client := &subscription.Client{Key: apiKey}
	if got := client.Hide("a "+otherToken, token, otherToken); got != notShownText {
		t.Errorf("of several: %q", got)
	}
	// No credential at all hides nothing.
	if got := new(subscription.Client).Hide("a text"); got != "a text" {
		t.Errorf("without a credential: %q", got)
	}
}

// inText is a JSON text with what a provider repeats.
func inText(s string) string {
	content, err := json.Marshal("not " + s)
	if err != nil {
		panic(err)
	}
	return string(content)
}

// units has each character as JSON can have it.
func units(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return b.String()
}

// TestHideShort shows that a short credential is hidden wherever it is, and how
// much of a long one may be seen.
func TestHideShort(t *testing.T) {
	for _, test := range []struct{ secret, text, want string }{
		{"abc", "abc", notShownText},
		{"abc", "the token abc is wrong", notShownText},
		{"abc", `token="abc"`, notShownText},
		{"abc", "an ABCDEF", notShownText},
		{"abc", "a bc", "a bc"},
		{"p4-w0/d", "not p4-w0/d, another", notShownText},
		{"!?!", "not !?!, another", notShownText},

		// Eight letters and digits are a part, seven are not.
		{"Zk4wq9x1vB", "not 4wq9x1vB", notShownText},
		{"Zk4wq9x1vB", "not wq9x1vB", "not wq9x1vB"},
		{"Zk&4wq<9x1", "not Zk&amp;4wq&lt;9x1", notShownText},
		{"Zk&4wq/9x1", "not Zk%264wq%2f9x1, 100%", notShownText},
		{"user:Zk4wq9x1vB", "Basic dXNlcjpaazR3cTl4MXZC", notShownText},
		{"abc", "not YWJj", notShownText},
		{"!?!", `not \u0021\u003f\u0021, another`, notShownText},
		{"p4-w0/d", "not p4-w0%252Fd, another", notShownText},
		{"Zk&4wq<9x1", `{\"error\":\"not Zk\\u00264wq\\u003c9x1\"}`, notShownText},

		// What looks as if it were escaped, and is not.
		{"Zk%41b&c9x1vB", "not Zk%41b&amp;c9x1vB", notShownText},
		{"Zk%41b&c9x1vB", "not Zk%2541b%26c9x1vB", notShownText},
		{"p4-w0/d", `{\"error\":\"not p4-w0\/d\"}`, notShownText},
	} {
		t.Run(fmt.Sprintf("%s in %s", test.secret, test.text), func(t *testing.T) {
			client := &subscription.Client{Key: test.secret}
			if got := client.Hide(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
