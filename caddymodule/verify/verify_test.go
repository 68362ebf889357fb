package verify_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// now is when the requests of these tests were received.
var now = time.Unix(1_700_000_000, 0)

const (
	tolerance = 5 * time.Minute
	payload   = `{"id":"a056V7R7NmNRjl70","type":"message.updated"}`
)

// megabyte is longer than any credential; a server lets a header of that length
// through.
var megabyte = strings.Repeat("a", 1<<20)

// newRequest returns a request without any credential.
func newRequest() *verify.Request {
	return &verify.Request{
		Method: http.MethodPost,
		URI:    "/hooks/acme?x=1&y=%2F",
		Query:  "x=1&y=%2F",
		Header: http.Header{"Webhook-Id": {"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"}},
		Body:   []byte(payload),
		Time:   now,
	}
}

// checkProof wants a request to be proved.
func checkProof(t *testing.T, v verify.Verifier, r *verify.Request, want verify.Proof) {
	t.Helper()
	got, err := v.Verify(r)
	if err != nil || got != want {
		t.Errorf("Verify() = %+v, %v; want %+v", got, err, want)
	}
}

// checkRefused wants a request to be refused with exactly one of the package's
// errors, nothing proved, and no secret revealed.
func checkRefused(t *testing.T, v verify.Verifier, r *verify.Request, want error, secrets ...string) {
	t.Helper()
	got, err := v.Verify(r)
	if err == nil {
		t.Fatalf("Verify() = %+v; want error %q", got, want)
	}
	if got != (verify.Proof{}) {
		t.Errorf("Verify() = %+v beside the error %q", got, err)
	}
	for _, e := range []error{verify.ErrMissing, verify.ErrBad, verify.ErrStale} {
		if errors.Is(err, e) != errors.Is(want, e) {
			t.Errorf("Verify() = %q; want %q", err, want)
		}
	}
	checkQuiet(t, err, secrets...)
}

// checkQuiet wants the text of an error to hold none of the secrets.
func checkQuiet(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("the error %q tells the secret %q", err, secret)
		}
	}
}

func basic(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

func TestBasicAuth(t *testing.T) {
	v := verify.BasicAuth{Username: "acme", Password: "pa:ss"}
	for _, test := range []struct {
		name   string
		values []string
		want   error // nil = proved
	}{
		{"right", []string{basic("acme:pa:ss")}, nil},
		{"scheme in lower case", []string{"basic " + base64.StdEncoding.EncodeToString([]byte("acme:pa:ss"))}, nil},
		{"missing", nil, verify.ErrMissing},
		{"empty", []string{""}, verify.ErrMissing},
		{"wrong user", []string{basic("acmf:pa:ss")}, verify.ErrBad},
		{"wrong password", []string{basic("acme:pa:st")}, verify.ErrBad},
		{"truncated password", []string{basic("acme:pa:s")}, verify.ErrBad},
		{"longer password", []string{basic("acme:pa:sss")}, verify.ErrBad},
		{"wrong case", []string{basic("ACME:pa:ss")}, verify.ErrBad},
		{"empty password", []string{basic("acme:")}, verify.ErrBad},
		{"empty both", []string{basic(":")}, verify.ErrBad},
		{"no colon", []string{basic("acme")}, verify.ErrBad},
		{"swapped", []string{basic("pa:ss:acme")}, verify.ErrBad},
		{"not base64", []string{"Basic acme:pa:ss"}, verify.ErrBad},
		{"truncated base64", []string{strings.TrimRight(basic("acme:pa:s"), "=")[:12]}, verify.ErrBad},
		{"no scheme", []string{base64.StdEncoding.EncodeToString([]byte("acme:pa:ss"))}, verify.ErrBad},
		{"another scheme", []string{"Bearer " + base64.StdEncoding.EncodeToString([]byte("acme:pa:ss"))}, verify.ErrBad},
		{"over-long", []string{basic("acme:pa:ss" + megabyte)}, verify.ErrBad},
		{"doubled", []string{basic("acme:pa:ss"), basic("acme:pa:ss")}, verify.ErrBad},
		{"doubled, one empty", []string{basic("acme:pa:ss"), ""}, verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Header["Authorization"] = test.values
			if test.want != nil {
				checkRefused(t, v, r, test.want, v.Password)
				return
			}
			// No secret matched: none was asked for.
			checkProof(t, v, r, verify.Proof{})
		})
	}
}

func TestStaticHeader(t *testing.T) {
	// The name is as a user writes it, the header as net/http has it.
	v := verify.StaticHeader{Name: "x-acme-key", Value: "s3cret value"}
	for _, test := range []struct {
		name   string
		values []string
		want   error
	}{
		{"right", []string{"s3cret value"}, nil},
		{"missing", nil, verify.ErrMissing},
		{"empty", []string{""}, verify.ErrMissing},
		{"wrong", []string{"s3cret valuf"}, verify.ErrBad},
		{"truncated", []string{"s3cret valu"}, verify.ErrBad},
		{"longer", []string{"s3cret value "}, verify.ErrBad},
		{"wrong case", []string{"S3CRET VALUE"}, verify.ErrBad},
		{"over-long", []string{"s3cret value" + megabyte}, verify.ErrBad},
		{"doubled", []string{"s3cret value", "s3cret value"}, verify.ErrBad},
		{"doubled, the wrong one first", []string{"no", "s3cret value"}, verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Header["X-Acme-Key"] = test.values
			if test.want != nil {
				checkRefused(t, v, r, test.want, v.Value)
				return
			}
			checkProof(t, v, r, verify.Proof{})
		})
	}
}

// A header that was configured without a value must not let requests through
// that lack it, or have it empty.
func TestStaticHeaderWithoutValueProvesNothing(t *testing.T) {
	v := verify.StaticHeader{Name: "X-Acme-Key"}
	r := newRequest()
	checkRefused(t, v, r, verify.ErrMissing)
	r.Header["X-Acme-Key"] = []string{""}
	checkRefused(t, v, r, verify.ErrMissing)
}

// TestAllPresented shows which requests are not without a credential: those with the first
// one, or with a wrong one of the others.
func TestAllPresented(t *testing.T) {
	r := newRequest()
	r.Header["X-Key"] = []string{"key"}
	right := verify.StaticHeader{Name: "X-Key", Value: "key"}
	wrong := verify.StaticHeader{Name: "X-Key", Value: "other"}
	none := verify.StaticHeader{Name: "X-None", Value: "key"}
	for _, test := range []struct {
		name string
		all  verify.All
		want bool
	}{
		{"nothing is asked for", nil, false},
		{"none", verify.All{none}, false},
		{"right", verify.All{right}, true},
		{"wrong", verify.All{wrong}, true},
		{"right, and no other", verify.All{right, none}, true},
		{"none, and another", verify.All{none, right}, false},
		{"none, and another is wrong", verify.All{none, right, wrong}, true},
	} {
		if got := test.all.Presented(r); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestAll(t *testing.T) {
	token := func(place verify.Place, tokens ...string) verify.Verifier {
		v, err := verify.NewTokenVerifier(verify.Token{Places: []verify.Place{place}}, tokens)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	r := newRequest()
	r.Header["X-Key"] = []string{"key"}
	r.Header["X-Token"] = []string{"second"}
	r.Query = "token=third"
	key := verify.StaticHeader{Name: "X-Key", Value: "key"}
	wrongKey := verify.StaticHeader{Name: "X-Key", Value: "other"}
	noKey := verify.StaticHeader{Name: "X-None", Value: "key"}
	second := token(verify.Place{Header: "X-Token"}, "first", "second")
	third := token(verify.Place{Query: "token"}, "third")

	for _, test := range []struct {
		name string
		all  verify.All
		want verify.Proof
		err  error
	}{
		{"none asked for", nil, verify.Proof{}, nil},
		{"without a secret", verify.All{key}, verify.Proof{}, nil},
		{"the token's result, before the static one", verify.All{second, key}, verify.Proof{Ordinal: 2, Token: "second"}, nil},
		{"the token's result, after the static one", verify.All{key, second}, verify.Proof{Ordinal: 2, Token: "second"}, nil},
		{"the first token's result", verify.All{second, third}, verify.Proof{Ordinal: 2, Token: "second"}, nil},
		{"the last one fails", verify.All{second, wrongKey}, verify.Proof{}, verify.ErrBad},
		{"the first one fails", verify.All{wrongKey, second}, verify.Proof{}, verify.ErrBad},
		{"the first failure counts", verify.All{noKey, wrongKey}, verify.Proof{}, verify.ErrMissing},
		{"within another", verify.All{verify.All{key}, verify.All{second, wrongKey}}, verify.Proof{}, verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.err != nil {
				checkRefused(t, test.all, r, test.err, "key", "second", "third")
				return
			}
			checkProof(t, test.all, r, test.want)
		})
	}
}
