package verify_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TestCauses shows that an error says what is wrong, so that it can be put right.
func TestCauses(t *testing.T) {
	signature := func(s verify.Signature, secrets ...string) verify.Verifier {
		t.Helper()
		v, err := verify.NewSignatureVerifier(s, secrets, 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	token := func(places []verify.Place, tokens ...string) verify.Verifier {
		t.Helper()
		v, err := verify.NewTokenVerifier(verify.Token{Places: places}, tokens)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	plain := signature(verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("x-sig"), Prefix: "sha256="}, "first", "second")
	listed := signature(verify.Signature{
		Algorithm: verify.HMACSHA256, Places: inHeader("X-Sig"), Separator: ",", Prefix: "v1=", Content: "$timestamp.$body",
		Timestamp: &verify.Timestamp{Prefix: "t="},
	}, "first")
	ofURL := signature(verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Sig"), Content: "$url$body"}, "first")
	signedAt := func(offset time.Duration) http.Header {
		r := newRequest()
		r.Time = r.Time.Add(offset)
		err := verify.Signature{
			Algorithm: verify.HMACSHA256, Places: inHeader("X-Sig"), Separator: ",", Prefix: "v1=", Content: "$timestamp.$body",
			Timestamp: &verify.Timestamp{Prefix: "t="},
		}.Sign(r, "first")
		if err != nil {
			t.Fatal(err)
		}
		return r.Header
	}
	ed := signature(verify.Signature{Algorithm: verify.Ed25519, Places: inHeader("X-Sig"), Encoding: verify.Base64}, strings.Repeat("00", 32))
	header := func(pairs ...string) http.Header {
		h := make(http.Header)
		for i := 0; i+1 < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	mac := strings.Repeat("0a", 32)
	places := []verify.Place{{Header: "Token"}, {Bearer: true}, {Query: "token"}, {Body: "token"}}
	basicAuth := verify.BasicAuth{Username: "acme", Password: "pass"}
	basicOf := func(both string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(both)) }

	for _, c := range []struct {
		name   string
		v      verify.Verifier
		header http.Header
		query  string
		want   string
	}{
		{"signature: none", plain, nil, "", "no credential presented: header X-Sig is not there, or empty"},
		{"signature: twice", plain, header("X-Sig", "a", "X-Sig", "b"), "", "credential does not match: header X-Sig is there more than once"},
		{"signature: no prefix", plain, header("X-Sig", mac), "", `credential does not match: header X-Sig holds no signature: it should begin with "sha256="`},
		{"signature: upper case", plain, header("X-Sig", "sha256="+strings.ToUpper(mac)), "", "credential does not match: the signature in header X-Sig is malformed: it should be 32 bytes in hex"},
		{"signature: short", plain, header("X-Sig", "sha256="+mac[2:]), "", "credential does not match: the signature in header X-Sig is malformed: it should be 32 bytes in hex"},
		{"signature: another key", plain, header("X-Sig", "sha256="+mac), "", "credential does not match: the signature in header X-Sig is well-formed, but not by any of the 2 configured keys over this content; compare the keys, and check that nothing changes the body on its way"},
		{"signature of the URL: another key", ofURL, header("X-Sig", mac), "", "credential does not match: the signature in header X-Sig is well-formed, but not by the configured key over this content; compare the keys, and check that `url` is the URL that the provider calls, and that nothing changes the body on its way"},
		{"ed25519: malformed", ed, header("X-Sig", mac), "", "credential does not match: the signature in header X-Sig is malformed: it should be 64 bytes in base64"},
		{"items: no timestamp", listed, header("X-Sig", "v1="+mac), "", `no credential presented: the timestamp, the item of header X-Sig that begins with "t=", is not there, or empty`},
		{"items: no signature", listed, header("X-Sig", "t=1"), "", `credential does not match: header X-Sig holds no signature: it should have an item that begins with "v1="`},
		{"items: too many", listed, header("X-Sig", strings.Repeat("v1=a,", 32)), "", "credential does not match: header X-Sig has more than 32 items"},
		{"items: another key", listed, header("X-Sig", "t=1,v1="+mac), "", "credential does not match: the signature in header X-Sig is well-formed, but not by the configured key over this content; compare the keys, and check that nothing changes the body on its way"},
		{"timestamp: old", listed, signedAt(-3*time.Hour - 7*time.Second), "", "timestamp out of tolerance: the timestamp is 3h0m7s old, and `tolerance` is 5m0s"},
		{"timestamp: in the future", listed, signedAt(6 * time.Minute), "", "timestamp out of tolerance: the timestamp is 6m0s in the future, and `tolerance` is 5m0s; compare the clocks"},
		{"token: none", token(places, "right"), nil, "a=b", "no credential presented: no token in header Token or header Authorization or query parameter token or member token of the body"},
		{"token: wrong", token(places, "right"), header("Token", "wrong"), "", "credential does not match: the token in header Token is not the configured one"},
		{"token: wrong in the query", token(places, "right", "other"), nil, "token=wrong", "credential does not match: the token in query parameter token is not one of the 2 configured ones"},
		{"token: twice", token(places, "right"), nil, "token=right&token=right", "credential does not match: query parameter token is there more than once"},
		{"basic auth: none", basicAuth, nil, "", "no credential presented: header Authorization is not there, or empty"},
		{"basic auth: a bearer", basicAuth, header("Authorization", "Bearer x"), "", "credential does not match: header Authorization holds no basic auth"},
		{"basic auth: wrong user", basicAuth, header("Authorization", basicOf("x:pass")), "", "credential does not match: another user name than in `basic_auth`"},
		{"basic auth: wrong password", basicAuth, header("Authorization", basicOf("acme:x")), "", "credential does not match: another password than in `basic_auth`"},
		{"basic auth: both", basicAuth, header("Authorization", basicOf("x:y")), "", "credential does not match: another user name and password than in `basic_auth`"},
		{"header: wrong", verify.StaticHeader{Name: "X-Static", Value: "v"}, header("X-Static", "w"), "", "credential does not match: header X-Static has another value than in `header`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRequest()
			r.Header, r.Query = c.header, c.query
			_, err := c.v.Verify(r)
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}
