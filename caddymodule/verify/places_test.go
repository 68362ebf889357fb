package verify_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TestPlaces signs in each kind of place, and refuses each part of the proof broken.
func TestPlaces(t *testing.T) {
	body := func(replace, by string) func(*verify.Request) {
		return func(r *verify.Request) { r.Body = []byte(strings.Replace(string(r.Body), replace, by, 1)) }
	}
	form := func(r *verify.Request) { r.Form = func() (string, bool) { return "", true } }
	for name, test := range map[string]struct {
		spec   verify.Signature
		body   string
		spoils map[string]func(*verify.Request)
	}{
		"headers": {
			verify.Signature{Places: inHeader("X-Docusign-Signature-*"), Encoding: verify.HexUpper}, "{}",
			map[string]func(*verify.Request){
				"body":         func(r *verify.Request) { r.Body = []byte("[]") },
				"none":         func(r *verify.Request) { r.Header = http.Header{} },
				"another name": func(r *verify.Request) { r.Header = http.Header{"X-Other-1": r.Header["X-Docusign-Signature-1"]} },
				"twice":        func(r *verify.Request) { r.Header.Add("X-Docusign-Signature-1", "A") },
				"lower case": func(r *verify.Request) {
					r.Header.Set("X-Docusign-Signature-1", strings.ToLower(r.Header.Get("X-Docusign-Signature-1")))
				},
			},
		},
		"query": {
			verify.Signature{Places: []verify.SignaturePlace{{Query: "sig"}}, Content: "$timestamp$body", Timestamp: &verify.Timestamp{Query: "ts"}}, "{}",
			map[string]func(*verify.Request){
				"body": func(r *verify.Request) { r.Body = nil },
				"time": func(r *verify.Request) { r.Query = strings.Replace(r.Query, "ts=1", "ts=2", 1) },
				"none": func(r *verify.Request) { r.Query = "" },
			},
		},
		"body": {
			verify.Signature{
				Places: []verify.SignaturePlace{{Body: "s.value"}}, Content: "$timestamp$body(s.token)", Timestamp: &verify.Timestamp{Body: "s.ts"},
			}, `{"s":{"token":"t","ts":1},"id":1}`,
			map[string]func(*verify.Request){
				"token":   body(`"token":"t"`, `"token":"u"`),
				"time":    body(`"ts":1`, `"ts":2`),
				"none":    body(`"value"`, `"other"`),
				"twice":   body(`"token"`, `"token":"t","token"`),
				"objects": body(`"s":`, `"s":{},"s":`),
			},
		},
		"each": {
			verify.Signature{Places: []verify.SignaturePlace{{Body: "sig"}}, Content: "$body(id):$body(amount.value)", Each: "items.#.item"},
			`{"items":[{"item":{"id":1,"amount":{"value":2}}},{"item":{"id":3}}]}`,
			map[string]func(*verify.Request){
				"first":    body(`"id":1`, `"id":2`),
				"last":     body(`"id":3`, `"id":4`),
				"one more": body(`[`, `[{"item":{"id":9}},`),
				"a number": body(`[`, `[1,`),
				"twice":    body(`"items"`, `"items":[],"items"`),
				"none":     func(r *verify.Request) { r.Body = []byte(`{"items":[]}`) },
				"nothing":  func(r *verify.Request) { r.Body = nil },
			},
		},
		"body hash": {
			verify.Signature{Places: inHeader("X-Sig"), Content: "$url$form", BodyHash: "hash"}, "{}",
			map[string]func(*verify.Request){
				"body":         func(r *verify.Request) { r.Body = []byte("[]") },
				"no body":      func(r *verify.Request) { r.Body = nil },
				"hash":         func(r *verify.Request) { r.Query = strings.Replace(r.Query, "hash=", "hash=0", 1) },
				"no hash":      func(r *verify.Request) { r.Query = "" },
				"URL":          func(r *verify.Request) { r.URL += "x" },
				"another form": func(r *verify.Request) { r.Body = []byte("&"); form(r) },
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.spec.Algorithm = verify.HMACSHA256
			signed := func() *verify.Request {
				r := newRequest()
				r.URL, r.Body = "https://example.com/hook?x=1&y=%2F", []byte(test.body)
				if err := test.spec.Sign(r, "secret"); err != nil {
					t.Fatal(err)
				}
				return r
			}
			v := newVerifier(t, test.spec, "other", "secret")
			checkProof(t, v, signed(), verify.Proof{Ordinal: 2})
			checkRefused(t, newVerifier(t, test.spec, "other"), signed(), verify.ErrBad, "secret")
			for name, spoil := range test.spoils {
				r := signed()
				spoil(r)
				if proof, err := v.Verify(r); !errors.Is(err, verify.ErrBad) && !errors.Is(err, verify.ErrMissing) {
					t.Errorf("%s: Verify() = %+v, %v", name, proof, err)
				}
			}
		})
	}
}

// TestBodyHashAbsent shows for which bodies the hash may be absent.
func TestBodyHashAbsent(t *testing.T) {
	spec := verify.Signature{Algorithm: verify.HMACSHA1, Places: inHeader("X-Sig"), Content: "$url$form", BodyHash: "hash"}
	v := newVerifier(t, spec, "secret")
	r := newRequest()
	r.URL, r.Body, r.Form = "https://example.com/", []byte("a=b"), func() (string, bool) { return "ab", true }
	if err := spec.Sign(r, "secret"); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Query, "hash=") {
		t.Error("a form has a hash")
	}
	checkProof(t, v, r, verify.Proof{Ordinal: 1})
	r.Form = func() (string, bool) { return "ac", true }
	checkRefused(t, v, r, verify.ErrBad)
	r.Form = nil
	checkRefused(t, v, r, verify.ErrBad)
}

// TestElementsLimit shows how many elements one body may have.
func TestElementsLimit(t *testing.T) {
	spec := verify.Signature{Algorithm: verify.HMACSHA256, Places: []verify.SignaturePlace{{Body: "sig"}}, Content: "$body(id)", Each: "items"}
	r := newRequest()
	r.Body = []byte(`{"items":[` + strings.Repeat(`{"id":1},`, verify.MaxElements) + `{"id":1}]}`)
	checkRefused(t, newVerifier(t, spec, "secret"), r, verify.ErrBad)
}

// TestHeadersTogether shows that the content is made, and hashed, once for all headers of
// a pattern, that the right one may be any of them, and how many there may be.
func TestHeadersTogether(t *testing.T) {
	const secret = "s3cret"
	spec := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Sig-*"), Content: "$form$body"}
	v := newVerifier(t, spec, secret)
	made := func(wrong int, more ...string) (n int, err error) {
		r := newRequest()
		if err = spec.Sign(r, secret); err != nil {
			t.Fatal(err)
		}
		right := r.Header.Get("X-Sig-1")
		r.Header = make(http.Header)
		for i := range wrong {
			r.Header.Set(fmt.Sprintf("X-Sig-A%d", i), strings.Repeat("0", 64))
		}
		for _, name := range more {
			r.Header.Set(name, right)
		}
		r.Header["X-Sig-B"] = []string{"1", "2"} // proves nothing, and hides nothing
		r.Form = func() (string, bool) { n++; return "", false }
		_, err = v.Verify(r)
		return n, err
	}
	one, err := made(1)
	if !errors.Is(err, verify.ErrBad) || one == 0 {
		t.Fatalf("made %d times, %v", one, err)
	}
	if many, err := made(20); !errors.Is(err, verify.ErrBad) || many != one {
		t.Errorf("with 20 headers: made %d times, want %d; %v", many, one, err)
	}
	if n, err := made(20, "X-Sig-C"); err != nil || n != one {
		t.Errorf("with the right one: made %d times, want %d; %v", n, one, err)
	}
	if n, err := made(verify.MaxItems, "X-Sig-C"); !errors.Is(err, verify.ErrBad) || n != 0 {
		t.Errorf("with too many: made %d times; %v", n, err)
	}
}
