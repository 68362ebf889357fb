package provider_test

import (
	"cmp"
	"crypto/hmac"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// vector is a request that was published together with its proof.
type vector struct {
	from   string            // the page, or the repository and its file
	secret string            // the secret, token or public key
	url    string            // default: hookURL
	header map[string]string // of the proof
	body   string
	at     int64 // when it was sent, in Unix time
}

// implementation proves requests in a provider's scheme without the gateway's code.
type implementation struct {
	library string // the module of the vendor's own library; "" if it is made from the vendor's page
	secret  string // the secret, token or public key of the block
	prove   func(r *verify.Request, at time.Time)
}

// The vectors and implementations by provider. The files vectors_<group>_test.go fill them.
var (
	vectors         = make(map[string][]vector)
	implementations = make(map[string]implementation)
)

// hookURL is the URL that a request without one was sent to.
const hookURL = "https://hooks.example.com/hook"

// TestTested shows that the word after `tested` is true of each provider.
func TestTested(t *testing.T) {
	for _, name := range provider.Builtin() {
		word := get(t, name).Spec().Tested
		implementation, ok := implementations[name]
		var known []string
		if len(vectors[name]) > 0 {
			known = append(known, "vector")
		}
		if ok && implementation.library != "" {
			known = append(known, "library")
		}
		if ok && implementation.library == "" {
			known = append(known, "page")
		}
		if !slices.Contains(known, word) {
			t.Errorf("%s: tested %q, but the tests have %q", name, word, known)
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(vectors)), slices.Collect(maps.Keys(implementations))) {
		get(t, name)
	}
}

// TestVectors checks the vectors with the providers' own schemes.
func TestVectors(t *testing.T) {
	for name, of := range vectors {
		for i, v := range of {
			t.Run(name+"/"+strconv.Itoa(i+1), func(t *testing.T) {
				if v.from == "" {
					t.Error("nothing says where it is published")
				}
				if v.url == "" {
					v.url = hookURL
				}
				r := proofRequest(t, http.MethodPost, v.url, nil, []byte(v.body), time.Unix(v.at, 0))
				for name, value := range v.header {
					r.Header.Set(name, value)
				}
				checkProvider(t, name, v.secret, r)
			})
		}
	}
}

// TestImplementations checks each fixture as another implementation proves it.
func TestImplementations(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, other := range implementations {
		samples, err := fixtures.Of(name)
		if err != nil || len(samples) == 0 {
			t.Fatal(name, len(samples), err)
		}
		for _, sample := range samples {
			t.Run(name+"/"+sample.Event, func(t *testing.T) {
				r := proofRequest(t, sample.Method, "https://hooks.example.com"+sample.Target, sample.Header, sample.Body, at)
				readPayload(get(t, name), r)
				other.prove(r, at)
				checkProvider(t, name, other.secret, r)
			})
		}
	}
}

// proofRequest returns a request as it comes to a verifier.
func proofRequest(t *testing.T, method, to string, header http.Header, body []byte, at time.Time) *verify.Request {
	t.Helper()
	r := &verify.Request{Method: method, Header: http.Header{}, Body: slices.Clone(body), Time: at}
	maps.Copy(r.Header, header)
	setURL(t, r, to)
	return r
}

// setURL sets all parts of a request's URL.
func setURL(t *testing.T, r *verify.Request, to string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r.URI, r.Query = u.RequestURI(), u.RawQuery
	r.URL = to
}

// checkProvider shows that the provider accepts a request, but not with a byte changed: in
// the secret, and in the body and the URL if the proof covers them.
func checkProvider(t *testing.T, name, secret string, r *verify.Request) {
	t.Helper()
	p := get(t, name)
	spec := p.Spec().Verify
	v, err := verifierOf(spec, secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifyWith(p, v, r); err != nil {
		t.Error("refused:", err)
	}
	if other, err := verifierOf(spec, changed(secret)); err == nil && verifyWith(p, other, r) == nil {
		t.Error("another secret passes")
	}
	if covers(t, spec, template.Body, template.Form) && len(r.Body) > 0 {
		body := *r
		body.Body = []byte(changed(string(r.Body)))
		if verifyWith(p, v, &body) == nil {
			t.Error("another body passes")
		}
	}
	if covers(t, spec, template.URL) {
		moved := *r
		setURL(t, &moved, r.URL+"a")
		if verifyWith(p, v, &moved) == nil {
			t.Error("another URL passes")
		}
	}
}

// verifyWith verifies a request as it is now.
func verifyWith(p *provider.Provider, v verify.Verifier, r *verify.Request) error {
	readPayload(p, r)
	_, err := v.Verify(r)
	return err
}

// readPayload sets what is made of the body of a request, which may be a form.
func readPayload(p *provider.Provider, r *verify.Request) {
	payload := p.NewPayload(r.Header.Get("Content-Type"), r.Body)
	r.JSON, r.Form = payload.JSON, payload.Form
}

// changed returns s with another byte in its middle.
func changed(s string) string {
	b, i := []byte(s), len(s)/2
	if b[i]++; !strings.ContainsRune("12345678bcdefBCDEF", rune(b[i])) {
		b[i] = 'a'
	}
	if string(b) == s {
		b[i] = 'b'
	}
	return string(b)
}

// covers reports whether one of the parts of a request is in what the proof covers.
func covers(t *testing.T, spec provider.Verify, kinds ...template.Kind) bool {
	t.Helper()
	var contents []string
	switch {
	case spec.Signature != nil:
		contents = append(contents, cmp.Or(spec.Signature.Content, verify.DefaultContent))
	case spec.JWT != nil:
		for _, claim := range spec.JWT.Claims {
			contents = append(contents, claim.Value)
		}
	}
	return slices.ContainsFunc(contents, func(content string) bool {
		parsed, err := template.Parse(content)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.Has(kinds...)
	})
}

// verifierOf returns the verifier of a block with one secret, token or public key.
func verifierOf(spec provider.Verify, secret string) (verify.Verifier, error) {
	if spec.Signature != nil {
		return verify.NewSignatureVerifier(*spec.Signature, []string{secret}, time.Minute)
	}
	if spec.JWT != nil {
		return verify.NewJWTVerifier(*spec.JWT, []string{secret}, time.Minute)
	}
	return verify.NewTokenVerifier(*spec.Token, []string{secret})
}

// hmacOf returns the MAC of a content.
func hmacOf(newHash func() hash.Hash, key, content string) []byte {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(content))
	return mac.Sum(nil)
}
