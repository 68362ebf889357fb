package subscription_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// TestShownURL shows which parts of a URL are shown: no value in its query, and
// no user.
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

// TestCredentials lists which values of a subscription must not be shown.
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

// TestIsSame shows that name and place identify a subscription.
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

// TestCheckURL pins which URLs are refused, and why. No error repeats the URL.
func TestCheckURL(t *testing.T) {
	const (
		none  = "must be a URL with https:// or http:// and a host"
		query = "has an invalid query; escape its values"
		hash  = "has a fragment after a #, which is never sent; remove it"
		user  = "has a user name before an @; remove it"
		api   = "has a query after a ?; give only the URL of the API, such as https://api.example.com"
		ascii = "has a host that is not ASCII; use the form that begins with xn--"
		dot   = "has a host that ends with a dot; remove the dot"
		dots  = "has a dot segment in its path; use the path that it resolves to"
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
