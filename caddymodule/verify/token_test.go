package verify_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Two tokens of different length, as in a rotation; the second needs escapes in
// a query.
const (
	oldToken = "tok_4f9c1b"
	newToken = "tok+/=& 77d0e2a8"
)

func newTokenVerifier(t testing.TB, places ...verify.Place) *verify.TokenVerifier {
	t.Helper()
	v, err := verify.NewTokenVerifier(verify.Token{Places: places}, []string{oldToken, newToken})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// tokenPlace is a place where a token may be, and how a test puts values
// there.
type tokenPlace struct {
	name  string
	place verify.Place
	put   func(r *verify.Request, values ...string)
}

func header(name, before string) func(*verify.Request, ...string) {
	return func(r *verify.Request, values ...string) {
		for _, value := range values {
			r.Header.Add(name, before+value)
		}
	}
}

func query(name string) func(*verify.Request, ...string) {
	return func(r *verify.Request, values ...string) {
		r.Query = "a=b&" + url.Values{name: values}.Encode() + "&c"
	}
}

func jsonBody(name string) func(*verify.Request, ...string) {
	return func(r *verify.Request, values ...string) {
		r.Body = []byte(`{"a":{"token":"` + values[0] + `x"},"` + name + `": "` + values[0] + `", "z":[]}`)
	}
}

var tokenPlaces = []tokenPlace{
	{"bare Authorization", verify.Place{Bearer: true}, header("Authorization", "")},
	{"Bearer", verify.Place{Bearer: true}, header("Authorization", "Bearer ")},
	{"bearer in lower case", verify.Place{Bearer: true}, header("Authorization", "bearer ")},
	{"Bearer and more spaces", verify.Place{Bearer: true}, header("Authorization", "BEARER   ")},
	{"header", verify.Place{Header: "x-wotnot-token"}, header("X-Wotnot-Token", "")},
	{"query", verify.Place{Query: "token"}, query("token")},
	{"body", verify.Place{Body: "token"}, jsonBody("token")},
	{"body, a name with signs of paths", verify.Place{Body: `to\.k\*n\?\#\|\@`}, jsonBody("to.k*n?#|@")},
}

func TestToken(t *testing.T) {
	for _, place := range tokenPlaces {
		t.Run(place.name, func(t *testing.T) {
			v := newTokenVerifier(t, place.place)
			for i, token := range []string{oldToken, newToken} {
				r := newRequest()
				place.put(r, token)
				checkProof(t, v, r, verify.Proof{Ordinal: i + 1, Token: token})
			}
		})
	}
}

func TestTokenRefused(t *testing.T) {
	for _, place := range tokenPlaces {
		t.Run(place.name, func(t *testing.T) {
			v := newTokenVerifier(t, place.place)
			t.Run("missing", func(t *testing.T) {
				checkRefused(t, v, newRequest(), verify.ErrMissing, oldToken, newToken)
			})
			for name, token := range map[string]string{
				"wrong":      "tok_4f9c1c",
				"truncated":  oldToken[:len(oldToken)-1],
				"longer":     oldToken + "0",
				"wrong case": strings.ToUpper(oldToken),
				"both":       oldToken + "," + newToken,
				"over-long":  oldToken + megabyte,
			} {
				t.Run(name, func(t *testing.T) {
					r := newRequest()
					place.put(r, token)
					checkRefused(t, v, r, verify.ErrBad, oldToken, newToken)
				})
			}
			if place.place.Body != "" {
				return
			}
			// Whoever reads the other one of the two would see something else.
			for name, values := range map[string][]string{
				"doubled":                      {oldToken, oldToken},
				"doubled, the right one first": {oldToken, "x"},
				"doubled, the right one last":  {"x", oldToken},
				"doubled, both of a rotation":  {oldToken, newToken},
			} {
				t.Run(name, func(t *testing.T) {
					r := newRequest()
					place.put(r, values...)
					checkRefused(t, v, r, verify.ErrBad, oldToken, newToken)
				})
			}
		})
	}
}

// Each place has oddities of its own.
func TestTokenPlaces(t *testing.T) {
	authorization := func(value string) func(*verify.Request) {
		return func(r *verify.Request) { r.Header["Authorization"] = []string{value} }
	}
	inQuery := func(query string) func(*verify.Request) {
		return func(r *verify.Request) { r.Query = query }
	}
	inBody := func(body string) func(*verify.Request) {
		return func(r *verify.Request) { r.Body = []byte(body) }
	}
	bearer, token, body := verify.Place{Bearer: true}, verify.Place{Query: "token"}, verify.Place{Body: "token"}
	deep := verify.Place{Body: "a.token"}
	for _, test := range []struct {
		name  string
		place verify.Place
		put   func(*verify.Request)
		want  error
	}{
		{"authorization: empty", bearer, authorization(""), verify.ErrMissing},
		{"authorization: another scheme", bearer, authorization("Token " + oldToken), verify.ErrBad},
		{"authorization: Bearer without a space", bearer, authorization("Bearer" + oldToken), verify.ErrBad},
		{"authorization: Bearer twice", bearer, authorization("Bearer Bearer " + oldToken), verify.ErrBad},
		{"authorization: Bearer only", bearer, authorization("Bearer "), verify.ErrBad},
		{"authorization: space behind", bearer, authorization("Bearer " + oldToken + " "), verify.ErrBad},

		{"query: empty", token, inQuery(""), verify.ErrMissing},
		{"query: empty value", token, inQuery("token="), verify.ErrMissing},
		{"query: no value", token, inQuery("token"), verify.ErrMissing},
		{"query: name in another case", token, inQuery("Token=" + oldToken), verify.ErrMissing},
		{"query: name escaped", token, inQuery("%74oken=" + oldToken), nil},
		{"query: value escaped", token, inQuery("token=%74ok_4f9c1b"), nil},
		{"query: name escaped, doubled", token, inQuery("%74oken=" + oldToken + "&token=x"), verify.ErrBad},
		{"query: value that cannot be unescaped", token, inQuery("token=" + oldToken + "%zz"), verify.ErrMissing},
		{"query: beside a pair that cannot be unescaped", token, inQuery("a=%zz&token=" + oldToken), nil},
		{"query: a semicolon separates nothing", token, inQuery("a=b;token=" + oldToken), verify.ErrMissing},
		{"query: in the body only", token, inBody("token=" + oldToken), verify.ErrMissing},

		{"body: empty", body, inBody(""), verify.ErrMissing},
		{"body: empty text", body, inBody(`{"token":""}`), verify.ErrMissing},
		{"body: null", body, inBody(`{"token":null}`), verify.ErrMissing},
		{"body: number", body, inBody(`{"token":1}`), verify.ErrMissing},
		{"body: object", body, inBody(`{"token":{"token":"` + oldToken + `"}}`), verify.ErrMissing},
		{"body: array", body, inBody(`{"token":["` + oldToken + `"]}`), verify.ErrMissing},
		{"body: deeper", body, inBody(`{"a":{"token":"` + oldToken + `"}}`), verify.ErrMissing},
		{"body: in an array", body, inBody(`[{"token":"` + oldToken + `"}]`), verify.ErrMissing},
		{"body: in a string", body, inBody(`{"a":"\"token\":\"` + oldToken + `\""}`), verify.ErrMissing},
		{"body: name in another case", body, inBody(`{"Token":"` + oldToken + `"}`), verify.ErrMissing},
		{"body: name escaped", body, inBody(`{"\u0074oken":"` + oldToken + `"}`), nil},
		{"body: value escaped", body, inBody(`{"token":"\u0074ok_4f9c1b"}`), nil},
		{"body: a text", body, inBody(`"` + oldToken + `"`), verify.ErrMissing},
		{"body: not JSON", body, inBody("token=" + oldToken), verify.ErrMissing},
		{"body: a megabyte of brackets", body, inBody(strings.Repeat("[", 1<<20)), verify.ErrMissing},
		{"body: a megabyte of braces", body, inBody(strings.Repeat(`{"":`, 1<<18)), verify.ErrMissing},
		{"body: in an object", deep, inBody(`{"a":{"token":"` + oldToken + `"}}`), nil},
		{"body: the path as a name", deep, inBody(`{"a.token":"` + oldToken + `"}`), verify.ErrMissing},
		{"body: through an array", deep, inBody(`{"a":[{"token":"` + oldToken + `"}]}`), verify.ErrMissing},
		{"body: two objects on the path", deep, inBody(`{"a":{"token":"` + oldToken + `"},"a":{}}`), verify.ErrBad},
		{"body: a dot in a name", verify.Place{Body: `a\.token`}, inBody(`{"a.token":"` + oldToken + `"}`), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newTokenVerifier(t, test.place)
			r := newRequest()
			test.put(r)
			if test.want != nil {
				checkRefused(t, v, r, test.want, oldToken, newToken)
				return
			}
			checkProof(t, v, r, verify.Proof{Ordinal: 1, Token: oldToken})
		})
	}
}

// A provider that documents no place is looked for everywhere: what is right
// somewhere is right, and is the one that is echoed.
func TestTokenSeveralPlaces(t *testing.T) {
	v := newTokenVerifier(t,
		verify.Place{Bearer: true}, verify.Place{Header: "Token"}, verify.Place{Query: "token"}, verify.Place{Body: "token"})
	oldProof := verify.Proof{Ordinal: 1, Token: oldToken}
	newProof := verify.Proof{Ordinal: 2, Token: newToken}
	for _, test := range []struct {
		name                        string
		bearer, header, query, body string
		want                        verify.Proof
		err                         error
	}{
		{name: "nowhere", err: verify.ErrMissing},
		{name: "first", bearer: "Bearer " + oldToken, want: oldProof},
		{name: "last", body: `{"token":"` + newToken + `"}`, want: newProof},
		{name: "everywhere", bearer: oldToken, header: oldToken, query: "token=" + oldToken, body: `{"token":"` + oldToken + `"}`, want: oldProof},
		{name: "wrong before", bearer: "Basic eDp5", query: "token=" + oldToken, want: oldProof},
		{name: "wrong after", header: newToken, body: `{"token":"x"}`, want: newProof},
		{name: "wrong around", bearer: "x", header: "x", query: "token=" + oldToken, body: `{"token":"x"}`, want: oldProof},
		{name: "both, the first place counts", header: newToken, query: "token=" + oldToken, want: newProof},
		{name: "wrong somewhere", query: "token=x", err: verify.ErrBad},
		{name: "wrong and empty", header: "x", query: "token=", err: verify.ErrBad},
		{name: "wrong everywhere", bearer: "x", header: "x", query: "token=x", body: `{"token":"x"}`, err: verify.ErrBad},
		{name: "doubled and missing", query: "token=" + oldToken + "&token=" + oldToken, err: verify.ErrBad},
		{name: "halves", header: oldToken[:5], query: "token=" + oldToken[5:], err: verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Header["Authorization"] = []string{test.bearer}
			r.Header["Token"] = []string{test.header}
			r.Query, r.Body = test.query, []byte(test.body)
			if test.err != nil {
				checkRefused(t, v, r, test.err, oldToken, newToken)
				return
			}
			checkProof(t, v, r, test.want)
		})
	}
}

func TestNewTokenVerifierErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		tokens []string
	}{
		{"no token", nil},
		{"empty token", []string{""}},
		{"empty token in a rotation", []string{oldToken, ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := verify.NewTokenVerifier(verify.Token{Places: []verify.Place{{Bearer: true}}}, test.tokens)
			if v != nil {
				t.Fatal("NewTokenVerifier() returned a verifier")
			}
			checkMessage(t, err)
			checkQuiet(t, err, oldToken)
		})
	}
}

// Without a place there is nothing to prove by.
func TestTokenWithoutPlaceIsRefused(t *testing.T) {
	r := newRequest()
	r.Header["Authorization"] = []string{oldToken}
	checkRefused(t, newTokenVerifier(t), r, verify.ErrMissing)
}

// What is presented as samples must be what is verified.
func TestPresent(t *testing.T) {
	for _, place := range []verify.Place{{Bearer: true}, {Header: "x-token"}, {Query: "token"}} {
		r, err := http.NewRequest(http.MethodPost, "https://hooks.example.com/acme?token=x&a=b", strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		place.Present(r, newToken)
		checkProof(t, newTokenVerifier(t, place),
			&verify.Request{Method: r.Method, URI: r.URL.RequestURI(), Query: r.URL.RawQuery, Header: r.Header, Body: []byte(payload), Time: now},
			verify.Proof{Ordinal: 2, Token: newToken})
	}
}
