package verify_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// scheme is a way of signing, described twice: to the package, and by functions
// with which the test signs without it.
type scheme struct {
	name string
	spec verify.Signature

	// secrets are the one in use, the one that takes over in a rotation, and a
	// stranger's.
	secrets [3]string

	// sign returns the encoded signature of content.
	sign func(secret, content string) string

	// content is what is signed.
	content func(r *verify.Request, timestamp string) string

	// layOut returns the header of the signature.
	layOut func(signature, timestamp string) string

	// stamp writes a timestamp; nil for a scheme without.
	stamp func(time.Time) string
}

// inHeader is the place of a signature in a header.
func inHeader(name string) []verify.SignaturePlace { return []verify.SignaturePlace{{Header: name}} }

// header returns the header of the signature.
func (s *scheme) header() string { return s.spec.Places[0].Header }

// put signs r at the time at. It returns the encoded signature.
func (s *scheme) put(r *verify.Request, secret string, at time.Time) string {
	timestamp := ""
	if s.stamp != nil {
		timestamp = s.stamp(at)
	}
	return s.putStamp(r, secret, timestamp)
}

func (s *scheme) putStamp(r *verify.Request, secret, timestamp string) string {
	if t := s.spec.Timestamp; t != nil && t.Header != "" {
		r.Header.Set(t.Header, timestamp)
	}
	signature := s.sign(secret, s.content(r, timestamp))
	r.Header.Set(s.header(), s.layOut(signature, timestamp))
	return signature
}

// verifier returns the package's verifier for the first two secrets.
func (s *scheme) verifier(t testing.TB) *verify.SignatureVerifier {
	t.Helper()
	return newVerifier(t, s.spec, s.secrets[:2]...)
}

func newVerifier(t testing.TB, spec verify.Signature, secrets ...string) *verify.SignatureVerifier {
	t.Helper()
	v, err := verify.NewSignatureVerifier(spec, secrets, tolerance)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mac signs with HMAC; key decodes the configured secret.
func mac(h func() hash.Hash, key func(string) []byte, encode func([]byte) string) func(secret, content string) string {
	return func(secret, content string) string {
		m := hmac.New(h, key(secret))
		m.Write([]byte(content))
		return encode(m.Sum(nil))
	}
}

func raw(secret string) []byte { return []byte(secret) }

func hexKey(secret string) []byte {
	key, err := hex.DecodeString(secret)
	if err != nil {
		panic(err)
	}
	return key
}

func base64Key(secret string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	return key
}

// privateKeys are three Ed25519 keys; publicHex and publicBase64 are what is
// configured of them.
var (
	privateKeys = [3]ed25519.PrivateKey{
		ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)),
		ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)),
		ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize)),
	}
	publicHex    = public(hex.EncodeToString)
	publicBase64 = public(base64.StdEncoding.EncodeToString)
)

func public(encode func([]byte) string) (keys [3]string) {
	for i, key := range privateKeys {
		keys[i] = encode(key.Public().(ed25519.PublicKey))
	}
	return keys
}

// edwards signs with the private key that belongs to a configured public key.
func edwards(public [3]string, encode func([]byte) string) func(secret, content string) string {
	return func(secret, content string) string {
		for i := range public {
			if public[i] == secret {
				return encode(ed25519.Sign(privateKeys[i], []byte(content)))
			}
		}
		panic("no such key")
	}
}

func contentBody(r *verify.Request, _ string) string { return string(r.Body) }

func onlySignature(signature, _ string) string { return signature }

func unix(t time.Time) string      { return strconv.FormatInt(t.Unix(), 10) }
func unixMilli(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
func rfc3339(t time.Time) string   { return t.UTC().Format(time.RFC3339Nano) }

// rawSecrets are of different length, and the longest is longer than a block of
// SHA-512, so that HMAC hashes it first.
var rawSecrets = [3]string{"It's a Secret to Everybody", "s3", strings.Repeat("0123456789", 15)}

var whsecSecrets = [3]string{
	"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
	"whsec_plJ3nmyCDGBKInavdOK15jslplJ3nmyC",
}

// Schemes that tests ask for by name.
const (
	gitHub           = "hmac sha256 hex, prefix, as GitHub"
	standardWebhooks = "Standard Webhooks"
	slack            = "version and timestamp before the body, as Slack"
)

func schemeOf(name string) *scheme {
	for i := range schemes {
		if schemes[i].name == name {
			return &schemes[i]
		}
	}
	panic("no scheme " + name)
}

var schemes = []scheme{
	{
		name:    "hmac sha1 hex",
		spec:    verify.Signature{Algorithm: verify.HMACSHA1, Places: inHeader("X-Hub-Signature"), Prefix: "sha1="},
		secrets: rawSecrets,
		sign:    mac(sha1.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "sha1=" + signature },
	},
	{
		name:    gitHub,
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Hub-Signature-256"), Prefix: "sha256=", Encoding: verify.Hex, Content: "$body"},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "sha256=" + signature },
	},
	{
		name:    "hmac sha256 hex, bare, header in lower case",
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("x-notifly-signature")},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha256 base64, as Shopify",
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Shopify-Hmac-Sha256"), Encoding: verify.Base64},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, base64.StdEncoding.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha512 base64url",
		spec:    verify.Signature{Algorithm: verify.HMACSHA512, Places: inHeader("X-Signature"), Encoding: verify.Base64URL},
		secrets: rawSecrets,
		sign:    mac(sha512.New, raw, base64.RawURLEncoding.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha512 hex, key in hex",
		spec:    verify.Signature{Algorithm: verify.HMACSHA512, Places: inHeader("X-Signature"), Key: verify.Hex},
		secrets: [3]string{"00ff10", "DEADbeef", strings.Repeat("0b", 200)},
		sign:    mac(sha512.New, hexKey, hex.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name: "items by prefix, as Stripe",
		spec: verify.Signature{
			Algorithm: verify.HMACSHA256, Places: inHeader("Stripe-Signature"), Separator: ",", Prefix: "v1=",
			Content: "$timestamp.$body", Timestamp: &verify.Timestamp{Prefix: "t="},
		},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: func(r *verify.Request, timestamp string) string { return timestamp + "." + string(r.Body) },
		layOut:  func(signature, timestamp string) string { return "t=" + timestamp + ",v1=" + signature },
		stamp:   unix,
	},
	{
		name: "items by position",
		spec: verify.Signature{
			Algorithm: verify.HMACSHA1, Places: []verify.SignaturePlace{{Header: "X-Signature", Item: 2}}, Separator: ";", Prefix: "s:", Encoding: verify.Base64,
			Content: "$body.$timestamp", Timestamp: &verify.Timestamp{Item: 3, Format: verify.UnixMilli},
		},
		secrets: rawSecrets,
		sign:    mac(sha1.New, raw, base64.StdEncoding.EncodeToString),
		content: func(r *verify.Request, timestamp string) string { return string(r.Body) + "." + timestamp },
		layOut:  func(signature, timestamp string) string { return "v2; s:" + signature + " ; " + timestamp },
		stamp:   unixMilli,
	},
	{
		name: standardWebhooks,
		spec: verify.Signature{
			Algorithm: verify.HMACSHA256, Places: inHeader("webhook-signature"), Separator: " ", Prefix: "v1,", Encoding: verify.Base64,
			Content:   "$header(webhook-id).$timestamp.$body",
			Timestamp: &verify.Timestamp{Header: "webhook-timestamp", Format: verify.Unix},
			Key:       verify.Base64, KeyPrefix: "whsec_",
		},
		secrets: whsecSecrets,
		sign:    mac(sha256.New, base64Key, base64.StdEncoding.EncodeToString),
		content: func(r *verify.Request, timestamp string) string {
			return r.Header.Get("webhook-id") + "." + timestamp + "." + string(r.Body)
		},
		layOut: func(signature, _ string) string { return "v1," + signature },
		stamp:  unix,
	},
	{
		name: slack,
		spec: verify.Signature{
			Algorithm: verify.HMACSHA256, Places: inHeader("X-Slack-Signature"), Prefix: "v0=",
			Content: "v0:$timestamp:$body", Timestamp: &verify.Timestamp{Header: "X-Slack-Request-Timestamp"},
		},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: func(r *verify.Request, timestamp string) string { return "v0:" + timestamp + ":" + string(r.Body) },
		layOut:  func(signature, _ string) string { return "v0=" + signature },
		stamp:   unix,
	},
	{
		name: "method and URI, timestamp in RFC 3339",
		spec: verify.Signature{
			Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature"), Encoding: verify.Base64,
			Content:   "$method\n$uri\n$timestamp\n$body\n",
			Timestamp: &verify.Timestamp{Header: "X-Date", Format: verify.RFC3339},
		},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, base64.StdEncoding.EncodeToString),
		content: func(r *verify.Request, timestamp string) string {
			return r.Method + "\n" + r.URI + "\n" + timestamp + "\n" + string(r.Body) + "\n"
		},
		layOut: onlySignature,
		stamp:  rfc3339,
	},
	{
		name: "ed25519 hex, as Discord",
		spec: verify.Signature{
			Algorithm: verify.Ed25519, Places: inHeader("X-Signature-Ed25519"),
			Content: "$timestamp$body", Timestamp: &verify.Timestamp{Header: "X-Signature-Timestamp"},
		},
		secrets: publicHex,
		sign:    edwards(publicHex, hex.EncodeToString),
		content: func(r *verify.Request, timestamp string) string { return timestamp + string(r.Body) },
		layOut:  onlySignature,
		stamp:   unix,
	},
	{
		name:    "ed25519 base64",
		spec:    verify.Signature{Algorithm: verify.Ed25519, Places: inHeader("X-Signature"), Separator: " ", Prefix: "v1a,", Encoding: verify.Base64, Key: verify.Base64, KeyPrefix: "whpk_"},
		secrets: publicBase64,
		sign:    edwards(publicBase64, base64.StdEncoding.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "v1a," + signature },
	},
}
