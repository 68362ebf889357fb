package caddymodule_test

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// vendor is a built-in provider with the credentials that its requests are proved with.
type vendor struct {
	*provider.Provider
	secret    string // a key, a private key, a token or a password
	other     string // one that is not in the block
	url       string // the public one, if it is signed
	tolerance time.Duration
	lines     string // of a block
}

// bodyTolerance lets a body be signed when the timestamp in it says, so that its golden
// envelope stays the same.
const bodyTolerance = 100_000 * time.Hour

// newVendor makes credentials, and puts what a block needs of them into the environment.
func newVendor(t *testing.T, name string) vendor {
	t.Helper()
	p, ok := provider.Get(name)
	if !ok {
		t.Fatalf("no provider %s", name)
	}
	v := vendor{Provider: p}
	v.tolerance = cmp.Or(time.Duration(p.Spec().Tolerance), verify.DefaultTolerance)
	var inBlock string
	v.secret, inBlock = newCredential(t, v.Spec().Verify)
	v.other, _ = newCredential(t, v.Spec().Verify)
	environment := "CREDENTIAL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	t.Setenv(environment, inBlock)
	for _, word := range []struct {
		isNeeded bool
		line     string
	}{
		{p.Needs().Secret, "secret {env.%s}\n"},
		{p.Needs().PublicKey, "public_key {env.%s}\n"},
		{p.Needs().Token, "token {env.%s}\n"},
		{p.Needs().BasicAuth, "basic_auth user {env.%s}\n"},
	} {
		if word.isNeeded {
			v.lines += fmt.Sprintf(word.line, environment)
		}
	}
	if v.signs(t, template.URL) {
		v.url = "https://hooks.example.com/from/" + name
		v.lines += "url " + v.url + "\n"
	}
	if v.hasTimeInBody() {
		v.tolerance = bodyTolerance
		v.lines += fmt.Sprintf("tolerance %.0fh\n", bodyTolerance.Hours())
	}
	return v
}

// startVendors starts a block for each provider, in front of an application.
func startVendors(t *testing.T, names ...string) (*application, map[string]vendor) {
	t.Helper()
	app := startApplication(t)
	vendors := make(map[string]vendor)
	var site strings.Builder
	for _, name := range names {
		vendors[name] = newVendor(t, name)
		fmt.Fprintf(&site, "webhooks /%s %[1]s {\n%ssign {env.WEBHOOKS_TEST_SIGN}\n}\n", name, vendors[name].lines)
	}
	g := newGateway(t, "DEBUG", site.String()+app.proxy())
	g.filter = filterOf(names)
	g.load("")
	return app, vendors
}

// newCredential makes what proves a provider's requests, and what a block checks it with.
func newCredential(t *testing.T, scheme provider.Verify) (secret, inBlock string) {
	t.Helper()
	switch s := scheme.Signature; {
	case s != nil && s.HasPublicKey():
		return newKeys(t, *s)
	case s != nil:
		secret = encodedSecret(*s, newSecret())
	default:
		secret = newSecret()
	}
	return secret, secret
}

// content returns the templates of what the proof covers.
func (v vendor) content(t testing.TB) []template.Template {
	var texts []string
	if s := v.Spec().Verify.Signature; s != nil {
		texts = append(texts, cmp.Or(s.Content, verify.DefaultContent))
	}
	if v.Spec().Verify.JWT != nil {
		for _, claim := range v.Spec().Verify.JWT.Claims {
			texts = append(texts, claim.Value)
		}
	}
	var templates []template.Template
	for _, text := range texts {
		parsed, err := template.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		templates = append(templates, parsed)
	}
	return templates
}

// signs reports whether the proof covers a part of one of the kinds.
func (v vendor) signs(t testing.TB, kinds ...template.Kind) bool {
	return slices.ContainsFunc(v.content(t), func(content template.Template) bool { return content.Has(kinds...) })
}

// hasTimeInBody reports whether the signed timestamp is in the body.
func (v vendor) hasTimeInBody() bool {
	s := v.Spec().Verify.Signature
	return s != nil && s.Timestamp != nil && s.Timestamp.Body != ""
}

// encodedSecret returns the secret in the encoding of the provider's keys.
func encodedSecret(s verify.Signature, secret string) string {
	encode := func(b []byte) string { return string(b) }
	switch s.Key {
	case verify.Hex:
		encode = hex.EncodeToString
	case verify.Base64:
		encode = base64.StdEncoding.EncodeToString
	case verify.Base64URL:
		encode = base64.RawURLEncoding.EncodeToString
	}
	encoded := s.KeyPrefix + encode([]byte(secret))
	noteSecret(encoded)
	return encoded
}

// newKeys makes a private key in PEM, and its public key as the provider shows it.
func newKeys(t *testing.T, s verify.Signature) (private, public string) {
	t.Helper()
	var key crypto.Signer
	var err error
	switch s.Algorithm {
	case verify.Ed25519:
		_, key, err = ed25519.GenerateKey(nil)
	case verify.ECDSA:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	noteSecret(private)
	if raw, ok := key.Public().(ed25519.PublicKey); ok {
		s.Key = cmp.Or(s.Key, verify.Hex)
		return private, encodedSecret(s, string(raw))
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, base64.StdEncoding.EncodeToString(spki)
}

// prove makes a request prove itself as the provider's do.
func (v vendor) prove(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	proved := v.proved(t, fixtures.Request{Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header, Body: body})
	r.Header, r.URL.RawQuery = proved.Header, proved.Query()
	setBody(r, proved.Body)
}

// proved returns a request that proves itself as the provider's do.
func (v vendor) proved(t *testing.T, r fixtures.Request) fixtures.Request {
	t.Helper()
	at := time.Now()
	if v.hasTimeInBody() {
		at = v.timeInBody(t, r)
	}
	return v.provedAt(t, r, at)
}

// provedAt is proved with the time of the signature.
func (v vendor) provedAt(t *testing.T, r fixtures.Request, at time.Time) fixtures.Request {
	t.Helper()
	r.Header = r.Header.Clone()
	scheme := v.Spec().Verify
	switch {
	case scheme.Signature != nil || scheme.JWT != nil:
		return v.signed(t, r, at)
	case scheme.Token != nil && scheme.Token.Places[0].Body != "":
		with, err := scheme.Token.Places[0].PresentInBody([]byte(v.document(t, r)), v.secret)
		if err != nil {
			t.Fatal(err)
		}
		return v.withDocument(t, r, string(with))
	}
	presenting := &http.Request{Header: r.Header, URL: &url.URL{RawQuery: r.Query()}}
	if scheme.Basic {
		presenting.SetBasicAuth("user", v.secret)
	} else {
		scheme.Token.Places[0].Present(presenting, v.secret)
	}
	return withQuery(r, presenting.URL.RawQuery)
}

// signed returns a request that is signed at a time. Only a signature of the URL reads that.
func (v vendor) signed(t *testing.T, r fixtures.Request, at time.Time) fixtures.Request {
	t.Helper()
	signed := &verify.Request{
		Method: r.Method, URI: r.Target, URL: withQuery(fixtures.Request{Target: v.url}, r.Query()).Target,
		Query: r.Query(), Header: r.Header, Body: r.Body, Time: at,
	}
	if err := v.Sign(signed, v.secret); err != nil {
		t.Fatal(err)
	}
	r.Body = signed.Body
	return withQuery(r, signed.Query)
}

// timeInBody returns the time that the signed timestamp in a body says.
func (v vendor) timeInBody(t *testing.T, r fixtures.Request) time.Time {
	t.Helper()
	timestamp := v.Spec().Verify.Signature.Timestamp
	value := gjson.Get(v.document(t, r), timestamp.Body)
	switch timestamp.Format {
	case verify.RFC3339:
		return value.Time()
	case verify.UnixMilli:
		return time.UnixMilli(value.Int())
	}
	return time.Unix(value.Int(), 0)
}

// filterOf returns a log filter that removes the credentials of providers. It does not know
// the `*` of a name; Sign writes 1 there.
func filterOf(names []string) string {
	var headers, parameters []string
	for _, name := range names {
		for _, line := range filterLines(name) {
			if strings.HasPrefix(line, "delete ") {
				parameters = append(parameters, line)
			} else {
				headers = append(headers, strings.Replace(line, "*", "1", 1))
			}
		}
	}
	headers, parameters = slices.Compact(slices.Sorted(slices.Values(headers))), slices.Compact(slices.Sorted(slices.Values(parameters)))
	return "format filter {\nfields {\nrequest>uri query {\n" + strings.Join(parameters, "\n") + "\n}\n" + strings.Join(headers, "\n") + "\n}\nwrap json\n}"
}
