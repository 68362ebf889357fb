package caddymodule_test

import (
	"bytes"
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
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// vendor is a built-in provider with the credentials that its requests are proved with.
type vendor struct {
	*provider.Provider
	secret string // a key, a private key, a token or a password
	lines  string // of a block
}

// newVendor makes credentials, and puts what a block needs of them into the environment.
func newVendor(t *testing.T, name string) vendor {
	t.Helper()
	p, ok := provider.Get(name)
	if !ok {
		t.Fatalf("no provider %s", name)
	}
	v := vendor{Provider: p, secret: newSecret()}
	environment := "CREDENTIAL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	inBlock := v.secret
	spec := p.Spec().Verify
	switch s := spec.Signature; {
	case s != nil && s.HasPublicKey():
		v.secret, inBlock = newKeys(t, *s)
	case s != nil:
		v.secret = encodedSecret(*s, v.secret)
		inBlock = v.secret
	case spec.Token != nil && spec.Token.Places[0].Body != "":
		// Another token would change the bytes, and with them the hash that is the id.
		v.secret = tokenInFixtures(t, name, spec.Token.Places[0].Body)
		inBlock = v.secret
	}
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
	if s := spec.Signature; s != nil && s.Timestamp != nil && s.Timestamp.Body != "" {
		v.lines += "tolerance 100000h\n" // for signedAt
	}
	return v
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

// tokenInFixtures returns the token that the fixtures of a provider have in their bodies.
func tokenInFixtures(t *testing.T, name, path string) string {
	t.Helper()
	samples, err := fixtures.Of(name)
	if err != nil || len(samples) == 0 {
		t.Fatal("no fixtures", err)
	}
	return gjson.GetBytes(samples[0].Body, path).String()
}

// prove makes a request prove itself as the provider's do.
func (v vendor) prove(t *testing.T, r *http.Request, body []byte) {
	t.Helper()
	spec := v.Spec().Verify
	switch {
	case spec.Signature != nil || spec.JWT != nil:
		signed := &verify.Request{
			Method: r.Method, URI: r.URL.RequestURI(), URL: r.URL.String(), Query: r.URL.RawQuery,
			Header: r.Header, Body: body, Time: signedAt(spec.Signature, body),
		}
		if err := v.Sign(signed, v.secret); err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = signed.Query
		setBody(r, signed.Body)
	case spec.Token != nil && spec.Token.Places[0].Body != "":
		// The fixture has it.
	case spec.Token != nil:
		spec.Token.Places[0].Present(r, v.secret)
	default:
		r.SetBasicAuth("user", v.secret)
	}
}

// signedAt returns when a body is signed: now, or when the timestamp in it says, so that
// signing does not change it.
func signedAt(s *verify.Signature, body []byte) time.Time {
	if s == nil || s.Timestamp == nil || s.Timestamp.Body == "" {
		return time.Now()
	}
	at := gjson.GetBytes(body, s.Timestamp.Body).Int()
	if s.Timestamp.Format == verify.UnixMilli {
		return time.UnixMilli(at)
	}
	return time.Unix(at, 0)
}

// filterOf returns a log filter that removes the credentials of providers.
func filterOf(names []string) string {
	var headers, parameters []string
	for _, name := range names {
		for _, line := range filterLines(name) {
			if strings.HasPrefix(line, "delete ") {
				parameters = append(parameters, line)
			} else {
				headers = append(headers, line)
			}
		}
	}
	headers, parameters = slices.Compact(slices.Sorted(slices.Values(headers))), slices.Compact(slices.Sorted(slices.Values(parameters)))
	return "format filter {\nfields {\nrequest>uri query {\n" + strings.Join(parameters, "\n") + "\n}\n" + strings.Join(headers, "\n") + "\n}\nwrap json\n}"
}

// setBody gives a request another body.
func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
}

// asFixture puts the hash of a fixture's event for that of the event as it was signed, if
// the signature is in the event.
func (v vendor) asFixture(t *testing.T, f fixtures.Fixture, r *http.Request, envelopes []byte) []byte {
	t.Helper()
	if s := v.Spec().Verify.Signature; s == nil || !s.IsInBody() || !v.KeyIsHash() {
		return envelopes
	}
	body, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(body []byte) []byte {
		payload := v.NewPayload(r.Header.Get("Content-Type"), body)
		return []byte(envelope.Hash(payload.Text()))
	}
	return bytes.ReplaceAll(envelopes, hash(signed), hash(f.Body))
}
