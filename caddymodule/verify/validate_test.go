package verify_test

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// The messages are read by whoever writes a provider, so they are pinned.
func TestSignatureValidate(t *testing.T) {
	const (
		badItem = "an item of the signature's header needs a separator"
		noBody  = "content must contain $body: a signature that does not cover the body proves nothing about it"
		pair    = "content and timestamp belong together: a timestamp that is not in the signed content can be forged, and $timestamp needs a place to be read from"
		twice   = "a timestamp stands in a header of its own or in an item of the signature's header, not in both"
		where   = "a timestamp in the signature's header needs a separator, and either the item's number or its prefix"
		parts   = ": use $body, $timestamp, $method, $uri or $header(<name>)"
	)
	stamped := func(t verify.Timestamp) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Content, s.Timestamp = "$timestamp.$body", &t }
	}
	separated := func(t verify.Timestamp) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Separator, s.Content, s.Timestamp = ",", "$timestamp.$body", &t }
	}
	content := func(content string) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Content = content }
	}
	for _, test := range []struct {
		name   string
		change func(*verify.Signature)
		want   string // "" = valid
	}{
		{"least", func(*verify.Signature) {}, ""},
		{"timestamp in a header", stamped(verify.Timestamp{Header: "X-Time"}), ""},
		{"timestamp in an item", separated(verify.Timestamp{Item: 1}), ""},
		{"timestamp by prefix", separated(verify.Timestamp{Prefix: "t="}), ""},
		{"all parts", content("a$method$uri$header(x-y)$body"), ""},
		{"a part and letters behind", content("$bodyguard"), ""},

		{"no algorithm", func(s *verify.Signature) { s.Algorithm = "" }, `unknown algorithm "": use hmac-sha1, hmac-sha256, hmac-sha512 or ed25519`},
		{"another algorithm", func(s *verify.Signature) { s.Algorithm = "hmac-md5" }, `unknown algorithm "hmac-md5": use hmac-sha1, hmac-sha256, hmac-sha512 or ed25519`},
		{"another encoding", func(s *verify.Signature) { s.Encoding = "base32" }, `unknown encoding "base32": use hex, base64 or base64url`},
		{"raw is no encoding", func(s *verify.Signature) { s.Encoding = verify.Raw }, `unknown encoding "raw": use hex, base64 or base64url`},
		{"another key", func(s *verify.Signature) { s.Key = "pem" }, `unknown key encoding "pem": use raw, hex, base64 or base64url`},
		{"no header", func(s *verify.Signature) { s.Header = "" }, "signature: the name of a header is missing"},
		{"header of two words", func(s *verify.Signature) { s.Header = "X Signature" }, `signature: "X Signature" is not the name of a header`},
		{"header that cannot arrive", func(s *verify.Signature) { s.Header = "X_Signature" }, "signature: header \"X_Signature\" does not arrive: by default Caddy drops headers with `_` or `.` in their name"},
		{"position without separator", func(s *verify.Signature) { s.Item = 1 }, badItem},
		{"negative position", func(s *verify.Signature) { s.Item, s.Separator = -1, "," }, badItem},

		{"unknown part", content("$body.$nonce"), `unknown part in content at "$nonce"` + parts},
		{"part in upper case", content("$BODY"), `unknown part in content at "$BODY"` + parts},
		{"bare dollar", content("$body$"), `unknown part in content at "$"` + parts},
		{"header without a name", content("$header.$body"), `unknown part in content at "$header.$body"` + parts},
		{"header not closed", content("$header(x-id.$body"), `unknown part in content at "$header(x-id.$body"` + parts},
		{"header with an empty name", content("$header()$body"), "content: the name of a header is missing"},
		{"header that is none", content("$header(a b)$body"), `content: "a b" is not the name of a header`},
		{"header in content that cannot arrive", content("$header(x.id)$body"), "content: header \"x.id\" does not arrive: by default Caddy drops headers with `_` or `.` in their name"},
		{"no body", content("$method"), noBody},
		{"body as a literal", content("body"), noBody},
		{"timestamp without a place", content("$timestamp.$body"), pair},
		{"timestamp that is not signed", func(s *verify.Signature) { s.Timestamp = &verify.Timestamp{Header: "X-Time"} }, pair},

		{"another format", stamped(verify.Timestamp{Header: "X-Time", Format: "iso8601"}), `unknown timestamp format "iso8601": use unix, unix_ms or rfc3339`},
		{"timestamp header that is none", stamped(verify.Timestamp{Header: "X:Time"}), `timestamp: "X:Time" is not the name of a header`},
		{"timestamp in a header and an item", separated(verify.Timestamp{Header: "X-Time", Item: 1}), twice},
		{"timestamp in a header and by prefix", separated(verify.Timestamp{Header: "X-Time", Prefix: "t="}), twice},
		{"timestamp nowhere", separated(verify.Timestamp{}), where},
		{"timestamp by position and prefix", separated(verify.Timestamp{Item: 1, Prefix: "t="}), where},
		{"timestamp at a negative position", separated(verify.Timestamp{Item: -1}), where},
		{"timestamp by prefix without separator", stamped(verify.Timestamp{Prefix: "t="}), where},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Signature"}
			test.change(&s)
			before := s
			err := s.Validate()
			if got := message(err); got != test.want {
				t.Errorf("Validate() = %q\nwant         %q", got, test.want)
			}
			if s != before {
				t.Error("Validate() changed the scheme")
			}
			// A verifier is not made of what is not valid.
			v, err := verify.NewSignatureVerifier(s, []string{"secret"}, tolerance)
			if got := message(err); got != test.want || (v == nil) != (test.want != "") {
				t.Errorf("NewSignatureVerifier() = %v, %q; want %q", v, got, test.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNewSignatureVerifierErrors(t *testing.T) {
	hmac := verify.Signature{Algorithm: verify.HMACSHA256, Header: "X-Signature"}
	with := func(key, prefix string) verify.Signature {
		s := hmac
		s.Key, s.KeyPrefix = key, prefix
		return s
	}
	edwards := verify.Signature{Algorithm: verify.Ed25519, Header: "X-Signature"}
	for _, test := range []struct {
		name    string
		spec    verify.Signature
		secrets []string
		want    string
	}{
		{"no secret", hmac, nil, "a secret is required"},
		{"empty secret", hmac, []string{""}, "secret 1: empty"},
		{"empty secret in a rotation", hmac, []string{"s3cret", ""}, "secret 2: empty"},
		{"nothing but the prefix", with(verify.Base64, "whsec_"), []string{"whsec_"}, "secret 1: empty"},
		{"nothing but the prefix, raw", with(verify.Raw, "key_"), []string{"key_"}, "secret 1: empty"},
		{"no base64", with(verify.Base64, "whsec_"), []string{"whsec_s3cret-key!"}, "secret 1: not base64"},
		{"another prefix", with(verify.Base64, "whsec_"), []string{"whpk_c2VjcmV0"}, "secret 1: not base64"},
		{"base64 without padding", with(verify.Base64, ""), []string{"c2VjcmV0", "c2VjcmV"}, "secret 2: not base64"},
		{"no base64url", with(verify.Base64URL, ""), []string{"c2Vj+mV0"}, "secret 1: not base64url"},
		{"no hex", with(verify.Hex, ""), []string{"c2VjcmV0"}, "secret 1: not hex"},
		{"half a byte of hex", with(verify.Hex, ""), []string{"abc"}, "secret 1: not hex"},
		{"ed25519: no hex", edwards, []string{publicBase64[0]}, "secret 1: not hex"},
		{"ed25519: too short", edwards, []string{publicHex[0], publicHex[1][2:]}, "secret 2: an ed25519 public key has 32 bytes"},
		{"ed25519: a private key", edwards, []string{strings.Repeat("0a", 64)}, "secret 1: an ed25519 public key has 32 bytes"},
		{"ed25519: empty", edwards, []string{""}, "secret 1: empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := verify.NewSignatureVerifier(test.spec, test.secrets, tolerance)
			if v != nil || message(err) != test.want {
				t.Fatalf("NewSignatureVerifier() = %v, %v; want error %q", v, err, test.want)
			}
			for _, secret := range test.secrets {
				checkQuiet(t, err, secret, strings.TrimPrefix(secret, test.spec.KeyPrefix))
			}
		})
	}
}

func TestCheckHeaderName(t *testing.T) {
	for _, name := range []string{"X-Signature", "x-signature-256", "token", "A", "!#$%&'*+-^`|~09"} {
		if err := verify.CheckHeaderName(name); err != nil {
			t.Errorf("CheckHeaderName(%q) = %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":        "the name of a header is missing",
		"a_b":     "header \"a_b\" does not arrive: by default Caddy drops headers with `_` or `.` in their name",
		"a.b":     "header \"a.b\" does not arrive: by default Caddy drops headers with `_` or `.` in their name",
		"a b":     `"a b" is not the name of a header`,
		"a\tb":    `"a\tb" is not the name of a header`,
		"a\nb":    `"a\nb" is not the name of a header`,
		"a\x00":   `"a\x00" is not the name of a header`,
		"a\x7f":   `"a\x7f" is not the name of a header`,
		"é":       `"é" is not the name of a header`,
		"a\xff":   `"a\xff" is not the name of a header`,
		"a_ b":    `"a_ b" is not the name of a header`,
		"{env}":   `"{env}" is not the name of a header`,
		":path":   `":path" is not the name of a header`,
		"X-A:":    `"X-A:" is not the name of a header`,
		"a,b":     `"a,b" is not the name of a header`,
		`a"b`:     `"a\"b" is not the name of a header`,
		`a\b`:     `"a\\b" is not the name of a header`,
		"a/b":     `"a/b" is not the name of a header`,
		"a;b":     `"a;b" is not the name of a header`,
		"a=b":     `"a=b" is not the name of a header`,
		"<a>":     `"<a>" is not the name of a header`,
		"a?":      `"a?" is not the name of a header`,
		"a@b":     `"a@b" is not the name of a header`,
		"[a]":     `"[a]" is not the name of a header`,
		"(a)":     `"(a)" is not the name of a header`,
		"a\u00a0": "\"a\\u00a0\" is not the name of a header",
	} {
		if err := verify.CheckHeaderName(name); message(err) != want {
			t.Errorf("CheckHeaderName(%q) = %q; want %q", name, message(err), want)
		}
	}
}
