package caddymodule_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// publicKeyProviders sign with private keys: a timestamp and the body, in one header.
const publicKeyProviders = `webhooks {
	provider ed {
		verify ed25519 {
			signature header X-Acme-Signature
			separator ,
			prefix    v1=
			content   $timestamp.$body
			timestamp item t= as unix
		}
		id   id
		type type
	}
	provider ec {
		verify ecdsa {
			signature header X-Acme-Signature
			separator ,
			prefix    v1=
			encoding  base64
			content   $timestamp.$body
			timestamp item t= as unix
		}
		id   id
		type type
	}
	provider rs {
		verify rsa {
			signature header X-Acme-Signature
			separator ,
			prefix    v1=
			encoding  base64
			content   $timestamp.$body
			timestamp item t= as unix
		}
		id   id
		type type
	}
}`

// keyPair is a vendor's private key, and the public one as a user gets it.
type keyPair struct {
	private crypto.Signer
	public  string
}

// newKeyPair makes a key for one of publicKeyProviders.
func newKeyPair(t *testing.T, provider string) keyPair {
	t.Helper()
	var key crypto.Signer
	var err error
	switch provider {
	case "ed":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ec":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rs":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	if raw, ok := key.Public().(ed25519.PublicKey); ok {
		return keyPair{key, hex.EncodeToString(raw)}
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{key, base64.StdEncoding.EncodeToString(der)}
}

// pem is the public key in PEM.
func (k keyPair) pem(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// header is the signature of a body, as the vendor sends it.
func (k keyPair) header(t *testing.T, body []byte, at time.Time) string {
	t.Helper()
	message := fmt.Appendf(nil, "%d.%s", at.Unix(), body)
	encode, options := base64.StdEncoding.EncodeToString, crypto.SignerOpts(crypto.SHA256)
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		encode, options = hex.EncodeToString, crypto.Hash(0)
	} else {
		sum := sha256.Sum256(message)
		message = sum[:]
	}
	signature, err := k.private.Sign(rand.Reader, message, options)
	if err != nil {
		t.Fatal(err)
	}
	encoded := encode(signature)
	noteSecret(encoded)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), encoded)
}

// TestPublicKeys shows providers that sign with a private key: any of several public
// ones may match, and nothing else does.
func TestPublicKeys(t *testing.T) {
	for _, name := range []string{"ed", "ec", "rs"} {
		t.Run(name, func(t *testing.T) {
			before, now, foreign := newKeyPair(t, name), newKeyPair(t, name), newKeyPair(t, name)
			t.Setenv("BEFORE", before.public)
			t.Setenv("NOW", now.public)
			app := startApplication(t)
			start(t, fmt.Sprintf("webhooks %s {\npublic_key {env.BEFORE} {env.NOW}\ntolerance 1m\n}\n%s", name, app.proxy()), publicKeyProviders)
			for i, key := range []keyPair{before, now} {
				sample := fmt.Sprintf(`caddy_webhooks_secret_matches_total{provider=%q,secret="%d"}`, name, i+1)
				if n := metric(t, sample); n != "" {
					t.Errorf("%s before: %s", sample, n)
				}
				body := fmt.Appendf(nil, `{"id":"%d","type":"paid"}`, i)
				wantStatus(t, 200, "/", body, "X-Acme-Signature", key.header(t, body, time.Now()))
				sent := app.want(t, i+1)[i]
				if e := sent.event(t); e.ID != fmt.Sprint(i) || e.Type != name+".paid" {
					t.Errorf("%+v", e)
				}
				if sent.Header.Get("X-Acme-Signature") != "" {
					t.Error("the signature was forwarded")
				}
				if n := metric(t, sample); n != "1" {
					t.Errorf("%s: %s", sample, n)
				}
			}
			body := []byte(`{"id":"2","type":"paid"}`)
			right := now.header(t, body, time.Now())
			for what, header := range map[string]string{
				"another key":      foreign.header(t, body, time.Now()),
				"another body":     now.header(t, append(body, ' '), time.Now()),
				"an hour ago":      now.header(t, body, time.Now().Add(-time.Hour)),
				"a forged time":    strings.Replace(now.header(t, body, time.Now().Add(-time.Hour)), fmt.Sprint(time.Now().Add(-time.Hour).Unix()), fmt.Sprint(time.Now().Unix()), 1),
				"half a signature": right[:len(right)/2],
				"no signature":     fmt.Sprintf("t=%d", time.Now().Unix()),
				"nothing":          "",
			} {
				if a := post(t, "/", body, "X-Acme-Signature", header); a.status != 401 || a.body != "" {
					t.Errorf("%s: %d %q", what, a.status, a.body)
				}
			}
			app.want(t, 2)
		})
	}
}

// TestPublicKeyForms shows that a public key may be a PEM, in the environment or a file,
// also with the space that an editor adds.
func TestPublicKeyForms(t *testing.T) {
	for _, name := range []string{"ec", "rs"} {
		t.Run(name, func(t *testing.T) {
			inEnv, inFile := newKeyPair(t, name), newKeyPair(t, name)
			file := filepath.Join(t.TempDir(), "key.pem")
			if err := os.WriteFile(file, []byte(inFile.pem(t)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PEM", inEnv.pem(t))
			app := startApplication(t)
			g := start(t, fmt.Sprintf("webhooks %s {\npublic_key {env.PEM} {file.%s}\n}\n%s", name, file, app.proxy()), publicKeyProviders)
			for i, key := range []keyPair{inEnv, inFile} {
				body := fmt.Appendf(nil, `{"id":"%d","type":"paid"}`, i)
				wantStatus(t, 200, "/", body, "X-Acme-Signature", key.header(t, body, time.Now()))
			}
			app.want(t, 2)
			wantCredentialWarning(t, g, "public_key", false)
		})
	}
}

// TestPublicKeyMistakes shows the errors of blocks with another key than their
// providers need, behind a placeholder. They hold no key.
func TestPublicKeyMistakes(t *testing.T) {
	ec := newKeyPair(t, "ec")
	private, err := x509.MarshalPKCS8PrivateKey(ec.private)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ED", newKeyPair(t, "ed").public)
	t.Setenv("EC", ec.public)
	t.Setenv("PRIVATE", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	noteSecret(base64.StdEncoding.EncodeToString(private)[:32])
	for _, test := range []struct{ lines, want string }{
		{"ec {\nsecret {env.EC}\n}", "ec signs its requests with a private key; use `public_key` instead of `secret`"},
		{"ec {\npublic_key {env.EC}\nsecret {env.EC}\n}", "`secret` has no effect: ec proves itself by `public_key`; remove it"},
		{"rs {\npublic_key {env.EC}\n}", "it is a public key of another algorithm than rsa"},
		{"ec {\npublic_key {env.EC} {env.PRIVATE}\n}", "it is a private key, which only the provider may have; write the public key"},
		{"ec {\npublic_key {env.ED}\n}", "not a public key; write it in PEM"},
		{"ed {\npublic_key {env.EC}\n}", "public key 1: not hex; write two hexadecimal digits for each byte"},
	} {
		g := newGateway(t, "INFO", "webhooks "+test.lines, publicKeyProviders)
		if status, text := loadConfig(t, g.config("")); status != 400 || !strings.Contains(text, test.want) {
			t.Errorf("%s: %d %s, want %s", test.lines, status, text, test.want)
		}
	}
}
