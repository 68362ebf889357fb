package sample_test

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
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestSendProves shows that a sample of every built-in provider proves itself to a server
// that gets it over HTTP, and that one with another key does not.
func TestSendProves(t *testing.T) {
	const public = "https://hooks.example.com/in"
	for _, name := range provider.Builtin() {
		t.Run(name, func(t *testing.T) {
			p, _ := provider.Get(name)
			samples, err := fixtures.Of(name)
			if err != nil || len(samples) == 0 {
				t.Fatal("no fixtures", err)
			}
			c, verifier := credentials(t, p)
			c.URL = public
			other, _ := credentials(t, p)
			other.URL = public
			var refusal error
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				refusal = verified(p, verifier, r, public)
			}))
			defer server.Close()
			for _, with := range []struct {
				sample.Credentials
				isRight bool
			}{{c, true}, {other, false}} {
				_, err := sample.Send(server.Client(), server.URL+"/in?a=%20b", p, with.Credentials, samples[0].Request, time.Now())
				if err != nil || (refusal == nil) != with.isRight {
					t.Errorf("%v, %v; want the right key %t", err, refusal, with.isRight)
				}
			}
		})
	}
}

// verified verifies a request that a server got. public is the public URL.
func verified(p *provider.Provider, verifier verify.Verifier, r *http.Request, public string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	request := &verify.Request{
		Method: r.Method, URI: r.RequestURI, URL: public + "?" + r.URL.RawQuery, Query: r.URL.RawQuery,
		Header: r.Header, Body: body, Time: time.Now(),
	}
	p.Attach(request)
	_, err = verifier.Verify(request)
	return err
}

// credentials makes random credentials for a provider, and what verifies them.
func credentials(t *testing.T, p *provider.Provider) (c sample.Credentials, verifier verify.Verifier) {
	t.Helper()
	key := rand.Text()
	var err error
	switch spec := p.Spec().Verify; {
	case spec.Signature != nil && spec.Signature.HasPublicKey():
		private, public := newKeys(t, *spec.Signature)
		c.Secret = private
		verifier, err = verify.NewSignatureVerifier(*spec.Signature, []string{public}, time.Minute)
	case spec.Signature != nil:
		c.Secret = encoded(*spec.Signature, key)
		verifier, err = verify.NewSignatureVerifier(*spec.Signature, []string{c.Secret}, time.Minute)
	case spec.JWT != nil:
		c.Secret = key
		verifier, err = verify.NewJWTVerifier(*spec.JWT, []string{key}, time.Minute)
	case spec.Token != nil:
		c.Token = key
		verifier, err = verify.NewTokenVerifier(*spec.Token, []string{key})
	default:
		c.BasicAuth = "user:" + key
		verifier = verify.BasicAuth{Username: "user", Password: key}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, verifier
}

// encoded returns a key in the encoding of the scheme's keys.
func encoded(s verify.Signature, key string) string {
	switch s.Key {
	case verify.Hex:
		key = hex.EncodeToString([]byte(key))
	case verify.Base64:
		key = base64.StdEncoding.EncodeToString([]byte(key))
	case verify.Base64URL:
		key = base64.RawURLEncoding.EncodeToString([]byte(key))
	}
	return s.KeyPrefix + key
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
	if raw, ok := key.Public().(ed25519.PublicKey); ok {
		s.Key = cmp.Or(s.Key, verify.Hex)
		return private, encoded(s, string(raw))
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return private, base64.StdEncoding.EncodeToString(spki)
}
