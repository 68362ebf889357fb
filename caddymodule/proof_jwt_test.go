package caddymodule_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	_ "crypto/sha512"
)

// jwtProvider presents a token with claims of the body and the URL.
const jwtProvider = `webhooks {
	provider acme {
		verify jwt hs256 hs384 {
			from  bearer
			claim payload_hash $hex($sha256($body))
			claim url_hash     $hex($sha256($url))
		}
		id   id
		type type
	}
}`

// claims are those of a token.
type claims map[string]any

// acmeClaims are what the vendor puts into the token of a request.
func acmeClaims(url string, body []byte, at time.Time) claims {
	sum := func(b []byte) string {
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	}
	c := claims{"iss": "acme", "jti": rand.Text(), "nbf": at.Unix(), "exp": at.Add(time.Minute).Unix(), "url_hash": sum([]byte(url))}
	if len(body) > 0 {
		c["payload_hash"] = sum(body)
	}
	return c
}

// with returns the claims with one of them changed; nil removes it.
func (c claims) with(name string, value any) claims {
	changed := claims{name: value}
	for n, v := range c {
		if n != name {
			changed[n] = v
		}
	}
	if value == nil {
		delete(changed, name)
	}
	return changed
}

// token makes a token as RFC 7519 has it, with a header and a signature of its own.
func (c claims) token(t *testing.T, header string, sign func(signed []byte) []byte) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(header)) + "." + encode(payload)
	token := signed + "." + encode(sign([]byte(signed)))
	noteSecret(token)
	return "Bearer " + token
}

// hs signs with a secret.
func hs(secret string, h crypto.Hash) func([]byte) []byte {
	return func(signed []byte) []byte {
		mac := hmac.New(func() hash.Hash { return h.New() }, []byte(secret))
		mac.Write(signed)
		return mac.Sum(nil)
	}
}

// headerOf is the header of a token.
func headerOf(algorithm string) string { return fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, algorithm) }

// TestJWT shows which tokens prove a request.
func TestJWT(t *testing.T) {
	secretIn(t, "BEFORE")
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	start(t, fmt.Sprintf("webhooks acme {\nsecret {env.BEFORE} {env.SECRET}\ntolerance 1m\n}\n%s", app.proxy()), jwtProvider)
	body, now, url := []byte(`{"id":"1","type":"paid"}`), time.Now(), gatewayURL+"/in?a=1"
	right := acmeClaims(url, body, now)
	hs256 := func(c claims) string { return c.token(t, headerOf("HS256"), hs(secret, crypto.SHA256)) }

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs256 := func(signed []byte) []byte {
		sum := sha256.Sum256(signed)
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	unsigned := func([]byte) []byte { return nil }
	for name, authorization := range map[string]string{
		"no algorithm":          right.token(t, headerOf("none"), unsigned),
		"no algorithm, a MAC":   right.token(t, headerOf("none"), hs(secret, crypto.SHA256)),
		"no signature":          right.token(t, headerOf("HS256"), unsigned),
		"an algorithm not used": right.token(t, headerOf("HS512"), hs(secret, crypto.SHA512)),
		"another than it says":  right.token(t, headerOf("HS384"), hs(secret, crypto.SHA256)),
		"a private key":         right.token(t, headerOf("RS256"), rs256),
		"a critical extension":  right.token(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, hs(secret, crypto.SHA256)),
		"another secret":        right.token(t, headerOf("HS256"), hs("guess", crypto.SHA256)),
		"no secret":             right.token(t, headerOf("HS256"), hs("", crypto.SHA256)),
		"expired":               hs256(acmeClaims(url, body, now.Add(-time.Hour))),
		"not yet valid":         hs256(acmeClaims(url, body, now.Add(time.Hour))),
		"for ever":              hs256(right.with("exp", nil).with("nbf", nil)),
		"expiry as text":        hs256(right.with("exp", fmt.Sprint(now.Add(time.Minute).Unix()))),
		"another body":          hs256(acmeClaims(url, append(body, ' '), now)),
		"no hash of the body":   hs256(right.with("payload_hash", nil)),
		"hash that is not text": hs256(right.with("payload_hash", []any{right["payload_hash"]})),
		"another URL":           hs256(acmeClaims(gatewayURL+"/in", body, now)),
		"no hash of the URL":    hs256(right.with("url_hash", nil)),
		"not a token":           "Bearer " + rand.Text(),
		"basic":                 strings.Replace(hs256(right), "Bearer", "Basic", 1),
		"nothing":               "",
	} {
		if a := post(t, "/in?a=1", body, "Authorization", authorization); a.status != 401 || a.body != "" {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
	}
	if a := post(t, "/in?a=1", body, "Authorization", hs256(right), "Authorization", hs256(right)); a.status != 401 {
		t.Errorf("two tokens: %d", a.status)
	}
	app.want(t, 0)

	wantStatus(t, 200, "/in?a=1", body, "Authorization", hs256(right))
	sent := app.want(t, 1)[0]
	if e := sent.event(t); e.ID != "1" || e.Type != "acme.paid" {
		t.Errorf("%+v", e)
	}
	if sent.Header.Get("Authorization") != "" {
		t.Error("the token was forwarded")
	}
	if n := metric(t, `caddy_webhooks_secret_matches_total{provider="acme",secret="2"}`); n != "1" {
		t.Errorf("%q matches of the second secret", n)
	}
	// The clocks may differ by `tolerance`, and any of the algorithms will do.
	other := []byte(`{"id":"2","type":"paid"}`)
	late := acmeClaims(url, other, now.Add(-90*time.Second))
	wantStatus(t, 200, "/in?a=1", other, "Authorization", late.token(t, headerOf("HS384"), hs(secret, crypto.SHA384)))
	app.want(t, 2)
}
