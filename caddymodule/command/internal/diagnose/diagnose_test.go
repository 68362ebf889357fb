package diagnose_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/diagnose"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

const secret = "correct horse battery"

var scheme = verify.Signature{Algorithm: verify.HMACSHA256, Places: []verify.SignaturePlace{{Header: "X-Signature"}}}

// request is the POST of a body with headers.
func request(header http.Header, query string, body []byte) *verify.Request {
	return &verify.Request{Method: http.MethodPost, URI: "/?" + query, Query: query, Header: header, Body: body, Time: time.Unix(1700000000, 0)}
}

// causes returns why a body that was signed by one scheme is refused by another.
func causes(t *testing.T, signed verify.Signature, with, signedBody string, refused verify.Signature, secrets []string, body string) string {
	t.Helper()
	header := make(http.Header)
	if err := signed.Sign(request(header, "", []byte(signedBody)), with); err != nil {
		t.Fatal(err)
	}
	r := diagnose.Refused{
		Proof: provider.Verify{Signature: &refused}, Secrets: secrets, Body: []byte(body),
		Request: func(body []byte) *verify.Request { return request(header, "", body) },
	}
	text := strings.Join(r.Causes(), "\n")
	for _, s := range append(secrets, with, header.Get("X-Signature")) {
		if strings.Contains(text, s) {
			t.Errorf("it holds a credential: %s", text)
		}
	}
	return text
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ signed, body, want string }{
		{`{"a":1}`, "{\"a\":1}\n", "The signature is right for the body without the line end at its end; an editor or a tool has added it."},
		{`{"a":1}`, "{\"a\":1}\r\n", "The signature is right for the body without the line end at its end; an editor or a tool has added it."},
		{"{\"a\":1}\n", `{"a":1}`, "The signature is right for the body with a line feed at its end; something has removed it."},
		{"{\"a\":1}\r\n", `{"a":1}`, "The signature is right for the body with CRLF at its end; something has removed it."},
		{"{\n\"a\":1}", "{\r\n\"a\":1}", "The signature is right for the body with LF instead of CRLF."},
		{"{\r\n\"a\":1\r\n}", "{\n\"a\":1\n}", "The signature is right for the body with CRLF instead of LF."},
		{`{"a":1}`, "\ufeff{\"a\":1}", "The signature is right for the body without its byte order mark."},
		{`{"a":1,"b":[2]}`, "{\"a\": 1,\n \"b\": [2]}", "The signature is right for the same JSON without spaces; something has re-encoded it."},
		{`{"a": "b,c:\",", "d": [1, 2]}`, `{"a":"b,c:\",","d":[1,2]}`, "The signature is right for the same JSON with a space after each comma and colon; something has re-encoded it."},
		{"{\n  \"a\": 1\n}", `{"a":1}`, "The signature is right for the same JSON, indented by two spaces; something has re-encoded it."},
		{"{\n    \"a\": 1\n}", `{"a":1}`, "The signature is right for the same JSON, indented by four spaces; something has re-encoded it."},
		{"{\n\t\"a\": 1\n}", `{"a":1}`, "The signature is right for the same JSON, indented by tabs; something has re-encoded it."},
		{`{"a":"b\/c"}`, `{"a":"b/c"}`, `The signature is right for the same JSON with \/ instead of /; something has re-encoded it.`},
		{`{"a":"b/c"}`, `{"a":"b\/c"}`, `The signature is right for the same JSON with / instead of \/; something has re-encoded it.`},
		{`{"a":1}`, `{"a":2}`, ""},
		{"a", "b", ""},
		{"", "", ""},
	} {
		secrets := []string{secret}
		if c.signed == c.body {
			secrets = []string{"another"}
		}
		if got := causes(t, scheme, secret, c.signed, scheme, secrets, c.body); got != c.want {
			t.Errorf("%q for %q: %q, want %q", c.body, c.signed, got, c.want)
		}
	}
}

func TestBodyWithTimestamp(t *testing.T) {
	stamped := scheme
	stamped.Content, stamped.Timestamp = "$timestamp.$body", &verify.Timestamp{Header: "X-Time"}
	want := "The signature is right for the body without the line end at its end; an editor or a tool has added it."
	if got := causes(t, stamped, secret, "{}", stamped, []string{"old", secret}, "{}\n"); got != want {
		t.Errorf("%q", got)
	}
}

func TestSecret(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))
	based, based64URL, hexed, prefixed := scheme, scheme, scheme, scheme
	based.Key, based64URL.Key, hexed.Key = verify.Base64, verify.Base64URL, verify.Hex
	prefixed.Key, prefixed.KeyPrefix = verify.Base64, "whsec_"
	for name, c := range map[string]struct {
		signed verify.Signature
		with   string
		scheme verify.Signature
		secret string
		want   string
	}{
		"space":     {scheme, secret, scheme, secret + "\n", "The signature is right with the secret without the space around it; remove it."},
		"quotes":    {scheme, secret, scheme, `"` + secret + `"`, "The signature is right with the secret without the quotes around it; remove them."},
		"a prefix":  {scheme, secret, scheme, "whsec_" + secret, "The signature is right with the secret without its prefix; remove it."},
		"base64":    {based, encoded, scheme, encoded, "The signature is right with the secret decoded from base64."},
		"base64url": {based64URL, "_-8", scheme, "_-8", "The signature is right with the secret decoded from base64url."},
		"hex":       {hexed, hex.EncodeToString([]byte(secret)), scheme, hex.EncodeToString([]byte(secret)), "The signature is right with the secret decoded from hex."},
		"raw":       {scheme, "whsec_" + encoded, prefixed, "whsec_" + encoded, "The signature is right with the secret as it is written, not decoded."},
		"another":   {scheme, secret, scheme, "another", ""},
	} {
		if got := causes(t, c.signed, c.with, "{}", c.scheme, []string{"old", c.secret}, "{}"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestScheme(t *testing.T) {
	based, sha1 := scheme, scheme
	based.Encoding, sha1.Algorithm = verify.Base64, verify.HMACSHA1
	for want, signed := range map[string]verify.Signature{
		"The signature is right in base64, and hex is expected.":            based,
		"The signature is right by hmac-sha1, and hmac-sha256 is expected.": sha1,
	} {
		if got := causes(t, signed, secret, "{}", scheme, []string{secret}, "{}"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestJWT shows what can be wrong with a token: one claim, its algorithm, or the secret.
func TestJWT(t *testing.T) {
	expected := verify.JWT{
		Algorithms: []string{"hs256"}, Places: []verify.Place{{Bearer: true}},
		Claims: []verify.Claim{{Name: "body", Value: "$hex($sha256($body))"}, {Name: "method", Value: "$method"}},
	}
	sha512 := expected
	sha512.Algorithms = []string{"hs512"}
	for name, c := range map[string]struct {
		signed verify.JWT
		method string
		body   string
		secret string
		want   string
	}{
		"claim":      {expected, http.MethodPut, "{}", secret, "The signature is right but for claim method."},
		"algorithm":  {sha512, http.MethodPost, "{}", secret, "The signature is right by hs512, and hs256 is expected."},
		"body":       {expected, http.MethodPost, "{}\n", secret, "The signature is right for the body with a line feed at its end; something has removed it.\nThe signature is right but for claim body."},
		"secret":     {expected, http.MethodPost, "{}", secret + " ", "The signature is right with the secret without the space around it; remove it."},
		"two claims": {expected, http.MethodPut, "{ }", secret, ""},
		"another":    {expected, http.MethodPost, "{}", "another", ""},
	} {
		header := make(http.Header)
		signed := request(header, "", []byte(c.body))
		signed.Method = c.method
		if err := c.signed.Sign(signed, secret); err != nil {
			t.Fatal(err)
		}
		r := diagnose.Refused{
			Proof: provider.Verify{JWT: &expected}, Secrets: []string{"old", c.secret}, Body: []byte("{}"),
			Request: func(body []byte) *verify.Request { return request(header, "", body) },
		}
		if got := strings.Join(r.Causes(), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		query  string
		body   string
		token  string
		want   string
	}{
		"another header": {http.Header{"X-Other": {secret}}, "", "{}", secret, "The token is in header X-Other."},
		"query":          {nil, "t=correct+horse+battery", "{}", secret, "The token is in query parameter t."},
		"body":           {nil, "", `{"token":"correct horse battery"}`, secret, "The token is in member token of the body."},
		"space":          {http.Header{"X-Token": {secret}}, "", "{}", secret + "\n", "The token in header X-Token is right without the space around the configured one; remove it."},
		"a word":         {http.Header{"X-Token": {"Bearer " + secret}}, "", "{}", secret, "The token in header X-Token is right, but there is a word before it."},
		"nowhere":        {http.Header{"X-Token": {"another"}}, "t=1", `{"token":2}`, secret, ""},
		"no JSON":        {nil, "", `{"token":"correct horse battery"`, secret, ""},
	} {
		r := diagnose.Refused{
			Proof:   provider.Verify{Token: &verify.Token{Places: []verify.Place{{Header: "X-Token"}}}},
			Tokens:  []string{"old", c.token},
			Body:    []byte(c.body),
			Request: func(body []byte) *verify.Request { return request(c.header, c.query, body) },
		}
		if got := strings.Join(r.Causes(), "\n"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
