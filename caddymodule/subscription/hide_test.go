package subscription_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// notShownText replaces a text that may repeat a credential.
const notShownText = "message not shown: it may contain a credential"

// TestHide shows how a provider's text is shown.
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
