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
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
	r.Header.Set(s.spec.Header, s.layOut(signature, timestamp))
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
		spec:    verify.Signature{Algorithm: verify.HMACSHA1, Header: "X-Hub-Signature", Prefix: "sha1="},
		secrets: rawSecrets,
		sign:    mac(sha1.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "sha1=" + signature },
	},
	{
		name:    gitHub,
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: verify.Hex, Content: "$body"},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "sha256=" + signature },
	},
	{
		name:    "hmac sha256 hex, bare, header in lower case",
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Header: "x-notifly-signature"},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, hex.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha256 base64, as Shopify",
		spec:    verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Shopify-Hmac-Sha256", Encoding: verify.Base64},
		secrets: rawSecrets,
		sign:    mac(sha256.New, raw, base64.StdEncoding.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha512 base64url",
		spec:    verify.Signature{Algorithm: verify.HMACSHA512, Header: "X-Signature", Encoding: verify.Base64URL},
		secrets: rawSecrets,
		sign:    mac(sha512.New, raw, base64.RawURLEncoding.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name:    "hmac sha512 hex, key in hex",
		spec:    verify.Signature{Algorithm: verify.HMACSHA512, Header: "X-Signature", Key: verify.Hex},
		secrets: [3]string{"00ff10", "DEADbeef", strings.Repeat("0b", 200)},
		sign:    mac(sha512.New, hexKey, hex.EncodeToString),
		content: contentBody,
		layOut:  onlySignature,
	},
	{
		name: "items by prefix, as Stripe",
		spec: verify.Signature{
			Algorithm: verify.HMACSHA256, Header: "Stripe-Signature", Separator: ",", Prefix: "v1=",
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
			Algorithm: verify.HMACSHA1, Header: "X-Signature", Separator: ";", Item: 2, Prefix: "s:", Encoding: verify.Base64,
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
			Algorithm: verify.HMACSHA256, Header: "webhook-signature", Separator: " ", Prefix: "v1,", Encoding: verify.Base64,
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
			Algorithm: verify.HMACSHA256, Header: "X-Slack-Signature", Prefix: "v0=",
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
			Algorithm: verify.HMACSHA256, Header: "X-Signature", Encoding: verify.Base64,
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
			Algorithm: verify.Ed25519, Header: "X-Signature-Ed25519",
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
		spec:    verify.Signature{Algorithm: verify.Ed25519, Header: "X-Signature", Separator: " ", Prefix: "v1a,", Encoding: verify.Base64, Key: verify.Base64, KeyPrefix: "whpk_"},
		secrets: publicBase64,
		sign:    edwards(publicBase64, base64.StdEncoding.EncodeToString),
		content: contentBody,
		layOut:  func(signature, _ string) string { return "v1a," + signature },
	},
}

func TestSignature(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for n, secret := range s.secrets[:2] {
				for _, body := range []string{payload, "", "\x00\xff", strings.Repeat(payload, 2000)} {
					r := newRequest()
					r.Body = []byte(body)
					s.put(r, secret, now)
					checkProof(t, v, r, verify.Proof{Ordinal: n + 1})
				}
			}
		})
	}
}

func TestSignatureRefused(t *testing.T) {
	// Each spoils a signed request in one way. It returns false where there is
	// nothing to spoil.
	spoilers := []struct {
		name  string
		spoil func(r *verify.Request, s *scheme, signature string) bool
		want  error
	}{
		{"missing", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Del(s.spec.Header)
			return true
		}, verify.ErrMissing},
		{"empty", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set(s.spec.Header, "")
			return true
		}, verify.ErrMissing},
		{"nothing but what stands around", func(r *verify.Request, s *scheme, signature string) bool {
			rest := strings.Replace(r.Header.Get(s.spec.Header), signature, "", 1)
			r.Header.Set(s.spec.Header, rest)
			return rest != ""
		}, verify.ErrBad},
		{"without what stands around", func(r *verify.Request, s *scheme, signature string) bool {
			t := s.spec.Timestamp
			r.Header.Set(s.spec.Header, signature)
			return s.spec.Prefix != "" && (t == nil || t.Header != "")
		}, verify.ErrBad},
		{"doubled", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Add(s.spec.Header, r.Header.Get(s.spec.Header))
			return true
		}, verify.ErrBad},
		{"doubled, the wrong one last", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Add(s.spec.Header, "x")
			return true
		}, verify.ErrBad},
		{"truncated at the end", replace(func(signature string) string { return signature[:len(signature)-1] }), verify.ErrBad},
		{"truncated at the start", replace(func(signature string) string { return signature[1:] }), verify.ErrBad},
		{"half", replace(func(signature string) string { return signature[:len(signature)/2] }), verify.ErrBad},
		{"longer", replace(func(signature string) string { return signature + "0" }), verify.ErrBad},
		{"twice", replace(func(signature string) string { return signature + signature }), verify.ErrBad},
		{"over-long", replace(func(string) string { return megabyte }), verify.ErrBad},
		{"over-long behind the right one", replace(func(signature string) string { return signature + megabyte }), verify.ErrBad},
		{"first character changed", replace(func(signature string) string {
			if signature[0] == '0' {
				return "1" + signature[1:]
			}
			return "0" + signature[1:]
		}), verify.ErrBad},
		{"in upper case", replace(strings.ToUpper), verify.ErrBad},
		{"zeros", replace(func(signature string) string { return strings.Repeat("0", len(signature)) }), verify.ErrBad},
		{"base64 without padding", func(r *verify.Request, s *scheme, signature string) bool {
			return replace(func(signature string) string { return strings.TrimRight(signature, "=") })(r, s, signature) &&
				strings.HasSuffix(signature, "=")
		}, verify.ErrBad},
		{"the stranger's", func(r *verify.Request, s *scheme, _ string) bool {
			s.put(r, s.secrets[2], now)
			return true
		}, verify.ErrBad},
		{"of another body", func(r *verify.Request, _ *scheme, _ string) bool {
			r.Body = append([]byte(payload), ' ')
			return true
		}, verify.ErrBad},
		{"of a body, none sent", func(r *verify.Request, _ *scheme, _ string) bool {
			r.Body = nil
			return true
		}, verify.ErrBad},
		{"in a header of another name", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set("X-Other", r.Header.Get(s.spec.Header))
			r.Header.Del(s.spec.Header)
			return true
		}, verify.ErrMissing},
		{"of another method", func(r *verify.Request, s *scheme, _ string) bool {
			r.Method = http.MethodPut
			return strings.Contains(s.spec.Content, "$method")
		}, verify.ErrBad},
		{"of another URI", func(r *verify.Request, s *scheme, _ string) bool {
			r.URI = "/hooks/acme?x=1&y=/"
			return strings.Contains(s.spec.Content, "$uri")
		}, verify.ErrBad},
		{"of another id", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Set("Webhook-Id", "msg_2")
			return strings.Contains(s.spec.Content, "$header")
		}, verify.ErrBad},
		{"of an id, none sent", func(r *verify.Request, s *scheme, _ string) bool {
			r.Header.Del("Webhook-Id")
			return strings.Contains(s.spec.Content, "$header")
		}, verify.ErrBad},
		{"of another timestamp", func(r *verify.Request, s *scheme, signature string) bool {
			if s.stamp == nil {
				return false
			}
			timestamp := s.stamp(now.Add(time.Second))
			if s.spec.Timestamp.Header != "" {
				r.Header.Set(s.spec.Timestamp.Header, timestamp)
			} else {
				r.Header.Set(s.spec.Header, s.layOut(signature, timestamp))
			}
			return true
		}, verify.ErrBad},
		{"timestamp missing", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil || s.spec.Timestamp.Header == "" {
				return false
			}
			r.Header.Del(s.spec.Timestamp.Header)
			return true
		}, verify.ErrMissing},
		{"timestamp empty", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil {
				return false
			}
			s.putStamp(r, s.secrets[0], "")
			return true
		}, verify.ErrMissing},
		{"timestamp doubled", func(r *verify.Request, s *scheme, _ string) bool {
			if s.stamp == nil || s.spec.Timestamp.Header == "" {
				return false
			}
			r.Header.Add(s.spec.Timestamp.Header, s.stamp(now))
			return true
		}, verify.ErrBad},
	}
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			v := s.verifier(t)
			for _, spoiler := range spoilers {
				r := newRequest()
				signature := s.put(r, s.secrets[0], now)
				if !spoiler.spoil(r, s, signature) {
					continue
				}
				t.Run(spoiler.name, func(t *testing.T) {
					checkRefused(t, v, r, spoiler.want, append(s.secrets[:], signature)...)
				})
			}
			// The verifier is as good as new after all of that.
			r := newRequest()
			s.put(r, s.secrets[1], now)
			checkProof(t, v, r, verify.Proof{Ordinal: 2})
		})
	}
}

// replace spoils the signature, and leaves what stands around it.
func replace(change func(signature string) string) func(*verify.Request, *scheme, string) bool {
	return func(r *verify.Request, s *scheme, signature string) bool {
		value := strings.Replace(r.Header.Get(s.spec.Header), signature, change(signature), 1)
		r.Header.Set(s.spec.Header, value)
		return true
	}
}

// An empty key is what an unset variable leaves behind: a MAC made with it must
// not be right under any key.
func TestSignatureWithEmptyKeyIsRefused(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		if s.spec.Algorithm == verify.Ed25519 {
			continue
		}
		r := newRequest()
		s.put(r, "", now)
		checkRefused(t, s.verifier(t), r, verify.ErrBad, s.secrets[:]...)
	}
}

// One header may hold several signatures: of a rotation at the provider, or of
// several versions.
func TestSignatureItems(t *testing.T) {
	sign := mac(sha256.New, raw, hex.EncodeToString)
	stamped := unix(now) + "." + payload
	right, rotated, wrong := sign(rawSecrets[0], stamped), sign(rawSecrets[1], stamped), sign(rawSecrets[2], stamped)
	stale := unix(now.Add(-tolerance - time.Second))

	stripe := verify.Signature{
		Algorithm: verify.HMACSHA256, Header: "X-Signature", Separator: ",", Prefix: "v1=",
		Content: "$timestamp.$body", Timestamp: &verify.Timestamp{Prefix: "t="},
	}
	position := stripe
	position.Item, position.Prefix, position.Timestamp = 2, "", &verify.Timestamp{Item: 1}
	every := stripe
	every.Prefix = ""

	for _, test := range []struct {
		name    string
		spec    verify.Signature
		value   string
		ordinal int
		err     error
	}{
		{"one", stripe, "t=1700000000,v1=" + right, 1, nil},
		{"in another order", stripe, "v1=" + right + ",t=1700000000", 1, nil},
		{"spaces around", stripe, " t=1700000000 , v1=" + right + " ", 1, nil},
		{"unknown items beside", stripe, "t=1700000000,v0=" + wrong + ",v1=" + right + ",,x", 1, nil},
		{"the wrong one first", stripe, "t=1700000000,v1=" + wrong + ",v1=" + right, 1, nil},
		{"the right one first", stripe, "t=1700000000,v1=" + right + ",v1=" + wrong, 1, nil},
		{"of the second secret", stripe, "t=1700000000,v1=" + wrong + ",v1=" + rotated, 2, nil},
		{"of both secrets", stripe, "t=1700000000,v1=" + rotated + ",v1=" + right, 1, nil},
		{"wrong ones only", stripe, "t=1700000000,v1=" + wrong + ",v1=" + wrong, 0, verify.ErrBad},
		{"of another version", stripe, "t=1700000000,v0=" + right, 0, verify.ErrBad},
		{"prefix in another case", stripe, "t=1700000000,V1=" + right, 0, verify.ErrBad},
		{"space behind the prefix", stripe, "t=1700000000,v1= " + right, 0, verify.ErrBad},
		{"another separator", stripe, "t=1700000000;v1=" + right, 0, verify.ErrBad},
		{"separators only", stripe, ",,,", 0, verify.ErrMissing},
		{"no timestamp", stripe, "v1=" + right, 0, verify.ErrMissing},
		{"two timestamps", stripe, "t=1700000000,t=1700000000,v1=" + right, 0, verify.ErrBad},
		{"two timestamps, one empty", stripe, "t=1700000000,t=,v1=" + right, 0, verify.ErrBad},
		{"two timestamps, one stale", stripe, "t=" + stale + ",t=1700000000,v1=" + right, 0, verify.ErrBad},
		{"as many items as allowed", stripe, "t=1700000000" + strings.Repeat(",", verify.MaxItems-1) + "v1=" + right, 1, nil},
		{"one item more", stripe, "t=1700000000" + strings.Repeat(",", verify.MaxItems) + "v1=" + right, 0, verify.ErrBad},
		{"a megabyte of separators", stripe, "t=1700000000" + strings.Repeat(",", 1<<20) + "v1=" + right, 0, verify.ErrBad},
		{"a megabyte of wrong ones", stripe, "t=1700000000" + strings.Repeat(",v1="+wrong, 1<<20/len(wrong)), 0, verify.ErrBad},

		{"by position", position, "1700000000," + right, 1, nil},
		{"by position, more behind", position, "1700000000, " + right + ",x", 1, nil},
		{"by position, swapped", position, right + ",1700000000", 0, verify.ErrBad},
		{"by position, one too far", position, "1700000000,x," + right, 0, verify.ErrBad},
		{"by position, too few", position, "1700000000", 0, verify.ErrBad},
		{"by position, no timestamp", position, "," + right, 0, verify.ErrMissing},

		{"any item", every, "t=1700000000,x," + right, 1, nil},
		{"any item, with a prefix", every, "t=1700000000,v1=" + right, 0, verify.ErrBad},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, test.spec, rawSecrets[:2]...)
			r := newRequest()
			r.Header["X-Signature"] = []string{test.value}
			if test.err != nil {
				checkRefused(t, v, r, test.err, append(rawSecrets[:], right)...)
				return
			}
			checkProof(t, v, r, verify.Proof{Ordinal: test.ordinal})
		})
	}
}

// Signatures that the providers, the RFCs and the specification print.
func TestSignatureDocumentedVectors(t *testing.T) {
	const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	bare := func(algorithm string) verify.Signature {
		return verify.Signature{Algorithm: algorithm, Header: "X-Signature"}
	}
	edwards := bare(verify.Ed25519)

	for _, test := range []struct {
		name   string
		spec   verify.Signature
		secret string
		body   string
		header map[string]string
		time   int64
	}{
		{
			"GitHub", schemeOf(gitHub).spec, "It's a Secret to Everybody", "Hello, World!",
			map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, 0,
		},
		{
			"Slack", schemeOf(slack).spec, "8f742231b10e8888abcd99yyyzzz85a5", slackBody,
			map[string]string{
				"X-Slack-Request-Timestamp": "1531420618",
				"X-Slack-Signature":         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
			}, 1531420618,
		},
		{
			"Standard Webhooks", schemeOf(standardWebhooks).spec, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`,
			map[string]string{
				"Webhook-Id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"Webhook-Timestamp": "1614265330",
				"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			}, 1614265330,
		},
		{
			"RFC 2202, 2", bare(verify.HMACSHA1), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"}, 0,
		},
		{
			"RFC 4231, 2, SHA-256", bare(verify.HMACSHA256), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, 0,
		},
		{
			"RFC 4231, 2, SHA-512", bare(verify.HMACSHA512), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"}, 0,
		},
		{
			"RFC 8032, 2", edwards, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
			map[string]string{"X-Signature": "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"}, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, test.spec, test.secret)
			r := &verify.Request{Header: http.Header{}, Body: []byte(test.body), Time: time.Unix(test.time, 0)}
			for name, value := range test.header {
				r.Header.Set(name, value)
			}
			checkProof(t, v, r, verify.Proof{Ordinal: 1})
			r.Body = append(r.Body, '\n')
			checkRefused(t, v, r, verify.ErrBad, test.secret)
		})
	}
}

// The limits are those of the tolerance, past and future; a timestamp counts
// only under a right signature.
func TestSignatureTimestamp(t *testing.T) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, test := range []struct {
		format, name, timestamp string
		want                    error
	}{
		{verify.Unix, "now", unix(now), nil},
		{verify.Unix, "oldest", unix(at(-tolerance)), nil},
		{verify.Unix, "too old", unix(at(-tolerance - time.Second)), verify.ErrStale},
		{verify.Unix, "newest", unix(at(tolerance)), nil},
		{verify.Unix, "too new", unix(at(tolerance + time.Second)), verify.ErrStale},
		{verify.Unix, "zero", "0", verify.ErrStale},
		{verify.Unix, "negative", "-1700000000", verify.ErrStale},
		{verify.Unix, "milliseconds", unixMilli(now), verify.ErrStale},
		{verify.Unix, "greatest", strconv.FormatInt(math.MaxInt64, 10), verify.ErrStale},
		{verify.Unix, "least", strconv.FormatInt(math.MinInt64, 10), verify.ErrStale},
		{verify.Unix, "half of the greatest", strconv.FormatInt(math.MaxInt64/2, 10), verify.ErrStale},
		{verify.Unix, "half of the least", strconv.FormatInt(math.MinInt64/2, 10), verify.ErrStale},
		// 2^64/10^9 seconds later, what a time.Duration can count has wrapped
		// around to about now.
		{verify.Unix, "wrapped around", strconv.FormatInt(now.Unix()+18446744074, 10), verify.ErrStale},
		{verify.Unix, "beyond int64", "9223372036854775808", verify.ErrBad},
		{verify.Unix, "beyond uint64", "18446744075409551616", verify.ErrBad},
		{verify.Unix, "no number", "now", verify.ErrBad},
		{verify.Unix, "fraction", unix(now) + ".0", verify.ErrBad},
		{verify.Unix, "exponent", "1.7e9", verify.ErrBad},
		{verify.Unix, "hexadecimal", "0x6553f100", verify.ErrBad},
		{verify.Unix, "underscores", "1_700_000_000", verify.ErrBad},
		{verify.Unix, "space inside", "17000 00000", verify.ErrBad},
		{verify.Unix, "other digits", "١٧٠٠٠٠٠٠٠٠", verify.ErrBad},
		{verify.Unix, "RFC 3339", rfc3339(now), verify.ErrBad},
		{verify.Unix, "over-long", strings.Repeat("1", 1<<20), verify.ErrBad},

		{verify.UnixMilli, "now", unixMilli(now), nil},
		{verify.UnixMilli, "oldest", unixMilli(at(-tolerance)), nil},
		{verify.UnixMilli, "too old", unixMilli(at(-tolerance - time.Millisecond)), verify.ErrStale},
		{verify.UnixMilli, "newest", unixMilli(at(tolerance)), nil},
		{verify.UnixMilli, "too new", unixMilli(at(tolerance + time.Millisecond)), verify.ErrStale},
		{verify.UnixMilli, "seconds", unix(now), verify.ErrStale},
		{verify.UnixMilli, "greatest", strconv.FormatInt(math.MaxInt64, 10), verify.ErrStale},
		{verify.UnixMilli, "least", strconv.FormatInt(math.MinInt64, 10), verify.ErrStale},
		{verify.UnixMilli, "beyond int64", "-9223372036854775809", verify.ErrBad},
		{verify.UnixMilli, "no number", "1700000000000ms", verify.ErrBad},

		{verify.RFC3339, "now", rfc3339(now), nil},
		{verify.RFC3339, "now, elsewhere", now.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339), nil},
		{verify.RFC3339, "oldest", rfc3339(at(-tolerance)), nil},
		{verify.RFC3339, "too old", rfc3339(at(-tolerance - 1)), verify.ErrStale},
		{verify.RFC3339, "newest", rfc3339(at(tolerance)), nil},
		{verify.RFC3339, "too new", rfc3339(at(tolerance + 1)), verify.ErrStale},
		{verify.RFC3339, "first", "0000-01-01T00:00:00Z", verify.ErrStale},
		{verify.RFC3339, "last", "9999-12-31T23:59:59.999999999Z", verify.ErrStale},
		{verify.RFC3339, "no zone", "2023-11-14T22:13:20", verify.ErrBad},
		{verify.RFC3339, "no such day", "2023-02-30T00:00:00Z", verify.ErrBad},
		{verify.RFC3339, "year of five digits", "12023-11-14T22:13:20Z", verify.ErrBad},
		{verify.RFC3339, "HTTP date", now.UTC().Format(http.TimeFormat), verify.ErrBad},
		{verify.RFC3339, "seconds", unix(now), verify.ErrBad},
	} {
		t.Run(test.format+" "+test.name, func(t *testing.T) {
			s := scheme{
				spec: verify.Signature{
					Algorithm: verify.HMACSHA256, Header: "X-Signature", Content: "$timestamp.$body",
					Timestamp: &verify.Timestamp{Header: "X-Timestamp", Format: test.format},
				},
				secrets: rawSecrets,
				sign:    mac(sha256.New, raw, hex.EncodeToString),
				content: func(r *verify.Request, timestamp string) string { return timestamp + "." + string(r.Body) },
				layOut:  onlySignature,
			}
			v := s.verifier(t)
			r := newRequest()
			s.putStamp(r, s.secrets[1], test.timestamp)
			if test.want == nil {
				checkProof(t, v, r, verify.Proof{Ordinal: 2})
			} else {
				checkRefused(t, v, r, test.want, s.secrets[:]...)
			}
			// A stranger does not learn what the gateway thinks of a timestamp.
			s.putStamp(r, s.secrets[2], test.timestamp)
			checkRefused(t, v, r, verify.ErrBad, s.secrets[:]...)
		})
	}
}

// The tolerance is the caller's, and the clock's fractions count.
func TestSignatureTolerance(t *testing.T) {
	s := schemeOf(slack)
	for _, test := range []struct {
		tolerance time.Duration
		age       time.Duration
		received  time.Duration // after now
		want      error
	}{
		{0, 0, 0, nil},
		{0, time.Second, 0, verify.ErrStale},
		{0, 0, 1, verify.ErrStale},
		{time.Second, time.Second, 0, nil},
		{time.Second, time.Second, 1, verify.ErrStale},
		{time.Second, -time.Second, 0, nil},
		{time.Second, -time.Second, -1, verify.ErrStale},
		{240 * time.Hour, 240 * time.Hour, 0, nil},
		{240 * time.Hour, 240*time.Hour + time.Second, 0, verify.ErrStale},
	} {
		v, err := verify.NewSignatureVerifier(s.spec, s.secrets[:1], test.tolerance)
		if err != nil {
			t.Fatal(err)
		}
		r := newRequest()
		r.Time = now.Add(test.received)
		s.put(r, s.secrets[0], now.Add(-test.age))
		if test.want != nil {
			checkRefused(t, v, r, test.want, s.secrets[:]...)
			continue
		}
		checkProof(t, v, r, verify.Proof{Ordinal: 1})
	}
}

// What is signed is the text of the timestamp as it was sent, not its value.
func TestSignatureSignsTimestampAsSent(t *testing.T) {
	s := schemeOf(slack)
	for _, timestamp := range []string{"1700000000", "01700000000", "+1700000000"} {
		r := newRequest()
		s.putStamp(r, s.secrets[0], timestamp)
		checkProof(t, s.verifier(t), r, verify.Proof{Ordinal: 1})
		r.Header.Set(s.spec.Timestamp.Header, "001700000000")
		checkRefused(t, s.verifier(t), r, verify.ErrBad)
	}
}

// A header in the content that did not arrive counts as empty.
func TestSignatureContentHeaders(t *testing.T) {
	sign := mac(sha256.New, raw, hex.EncodeToString)
	v := newVerifier(t, verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Signature", Content: "$header(x-a)|$header(X-B)$body$body"}, "secret")
	for _, test := range []struct {
		name    string
		a, b    []string
		content string
	}{
		{"both", []string{"1"}, []string{"2"}, "1|2" + payload + payload},
		{"one", nil, []string{"2"}, "|2" + payload + payload},
		{"none", nil, nil, "|" + payload + payload},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Header["X-A"], r.Header["X-B"] = test.a, test.b
			r.Header["X-Signature"] = []string{sign("secret", test.content)}
			checkProof(t, v, r, verify.Proof{Ordinal: 1})
			r.Header["X-A"] = []string{"3"}
			checkRefused(t, v, r, verify.ErrBad, "secret")
		})
	}
}

// An Ed25519 signature is decoded, so its spelling must be the only one: unused
// bits in the last character of base64 must be zero.
func TestSignatureBase64IsStrict(t *testing.T) {
	spec := verify.Signature{Algorithm: verify.Ed25519, Header: "X-Signature", Encoding: verify.Base64}
	v := newVerifier(t, spec, publicHex[0])
	signature := edwards(publicHex, base64.StdEncoding.EncodeToString)(publicHex[0], payload)
	r := newRequest()
	r.Header["X-Signature"] = []string{signature}
	checkProof(t, v, r, verify.Proof{Ordinal: 1})

	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(signature) - len("==") - 1
	other := alphabet[strings.IndexByte(alphabet, signature[last])+1]
	r.Header["X-Signature"] = []string{signature[:last] + string(other) + "=="}
	if loose, err := base64.StdEncoding.DecodeString(r.Header["X-Signature"][0]); err != nil || !ed25519.Verify(privateKeys[0].Public().(ed25519.PublicKey), []byte(payload), loose) {
		t.Fatal("the test does not spell the same signature in another way")
	}
	checkRefused(t, v, r, verify.ErrBad)
}

// Secrets may be configured with the prefix of their kind or without.
func TestSignatureKeyPrefix(t *testing.T) {
	s := schemeOf(standardWebhooks)
	bare, prefixed := strings.TrimPrefix(s.secrets[0], "whsec_"), s.secrets[0]
	r := newRequest()
	s.put(r, prefixed, now)
	for _, configured := range []string{bare, prefixed} {
		checkProof(t, newVerifier(t, s.spec, s.secrets[2], configured), r, verify.Proof{Ordinal: 2})
	}
}

// One verifier serves all requests of a site.
func TestSignatureConcurrently(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		v := s.verifier(t)
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for n := range 10 {
					r := newRequest()
					r.Body = []byte(strings.Repeat("x", worker*100+n))
					s.put(r, s.secrets[worker%3], now)
					proof, err := v.Verify(r)
					if ok := worker%3 < 2; ok != (err == nil) || ok && proof.Ordinal != worker%3+1 {
						t.Errorf("%s: Verify() = %+v, %v", s.name, proof, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// What Sign makes for samples is what Verify takes; the schemes of these tests
// do not share its code.
func TestSign(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			r := newRequest()
			err := s.spec.Sign(r, s.secrets[1])
			if s.spec.Algorithm == verify.Ed25519 {
				if err != verify.ErrCannotSign {
					t.Errorf("Sign() = %v; want %v", err, verify.ErrCannotSign)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkProof(t, s.verifier(t), r, verify.Proof{Ordinal: 2})
		})
	}
	for name, spec := range map[string]verify.Signature{
		"items by position":                    {Separator: ",", Item: 2, Timestamp: &verify.Timestamp{Item: 1}},
		"signature first":                      {Separator: ",", Item: 1, Timestamp: &verify.Timestamp{Item: 3}},
		"position and a timestamp by prefix":   {Separator: ",", Item: 2, Timestamp: &verify.Timestamp{Prefix: "t="}},
		"prefix and a timestamp by position":   {Separator: ",", Prefix: "v1=", Timestamp: &verify.Timestamp{Item: 2}},
		"position and a timestamp of its own":  {Separator: ",", Item: 3, Timestamp: &verify.Timestamp{Header: "x-time"}},
		"no timestamp, with a position":        {Separator: ",", Item: 2},
		"no position, a timestamp of its own":  {Timestamp: &verify.Timestamp{Header: "X-Time", Format: verify.RFC3339}},
		"no position, a timestamp by prefix":   {Separator: ";", Prefix: "s=", Timestamp: &verify.Timestamp{Prefix: "t=", Format: verify.UnixMilli}},
		"base64 with a separator of its signs": {Separator: ",", Encoding: verify.Base64, Prefix: "v1=", Timestamp: &verify.Timestamp{Prefix: "t="}},
	} {
		t.Run(name, func(t *testing.T) {
			spec.Algorithm, spec.Header = verify.HMACSHA256, "x-signature"
			if spec.Timestamp != nil {
				spec.Content = "$timestamp.$body"
			}
			r := newRequest()
			if err := spec.Sign(r, "secret"); err != nil {
				t.Fatal(err)
			}
			checkProof(t, newVerifier(t, spec, "secret"), r, verify.Proof{Ordinal: 1})
		})
	}
}

func TestSignErrors(t *testing.T) {
	spec := verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Signature", Key: verify.Base64}
	for _, test := range []struct{ name, header, secret string }{
		{"scheme", "", "c2VjcmV0"},
		{"key", "X-Signature", "not+base64!"},
		{"empty key", "X-Signature", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := spec
			s.Header = test.header
			r := newRequest()
			err := s.Sign(r, test.secret)
			checkMessage(t, err)
			checkQuiet(t, err, test.secret)
			if len(r.Header) != len(newRequest().Header) {
				t.Errorf("Sign() left %v behind", r.Header)
			}
		})
	}
}
