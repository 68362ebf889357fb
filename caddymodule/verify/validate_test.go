package verify_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// changes to a signature that is valid, for the tests of Validate.
var (
	stamped = func(t verify.Timestamp) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Content, s.Timestamp = "$timestamp.$body", &t }
	}
	separated = func(t verify.Timestamp) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Separator, s.Content, s.Timestamp = ",", "$timestamp.$body", &t }
	}
	content = func(content string) func(*verify.Signature) {
		return func(s *verify.Signature) { s.Content = content }
	}
)

func TestSignatureValidate(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*verify.Signature)
	}{
		{"least", func(*verify.Signature) {}},
		{"timestamp in a header", stamped(verify.Timestamp{Header: "X-Time"})},
		{"timestamp in an item", separated(verify.Timestamp{Item: 1})},
		{"timestamp by prefix", separated(verify.Timestamp{Prefix: "t="})},
		{"all parts", content("a$method$uri$header(x-y)$body")},
		{"a function of the body", content("$url$hex($sha256($body))")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature")}
			test.change(&s)
			before := s
			if err := s.Validate(); err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(s, before) {
				t.Error("Validate() changed the scheme")
			}
			if _, err := verify.NewSignatureVerifier(s, []string{"secret"}, tolerance); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSignatureValidateErrors also shows that no verifier is made of a scheme
// that is not valid.
func TestSignatureValidateErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*verify.Signature)
	}{
		{"no algorithm", func(s *verify.Signature) { s.Algorithm = "" }},
		{"another algorithm", func(s *verify.Signature) { s.Algorithm = "hmac-md5" }},
		{"another encoding", func(s *verify.Signature) { s.Encoding = "base32" }},
		{"raw is no encoding", func(s *verify.Signature) { s.Encoding = verify.Raw }},
		{"another key", func(s *verify.Signature) { s.Key = "pem" }},
		{"no header", func(s *verify.Signature) { s.Places = inHeader("") }},
		{"header of two words", func(s *verify.Signature) { s.Places = inHeader("X Signature") }},
		{"header that cannot arrive", func(s *verify.Signature) { s.Places = inHeader("X_Signature") }},
		{"position without separator", func(s *verify.Signature) { s.Places[0].Item = 1 }},
		{"negative position", func(s *verify.Signature) { s.Places[0].Item, s.Separator = -1, "," }},

		{"unknown part", content("$body.$nonce")},
		{"part in upper case", content("$BODY")},
		{"bare dollar", content("$body$")},
		{"a part and letters behind", content("$bodyguard")},
		{"header without a name", content("$header.$body")},
		{"header not closed", content("$header(x-id.$body")},
		{"header with an empty name", content("$header()$body")},
		{"header that is none", content("$header(a b)$body")},
		{"header in content that cannot arrive", content("$header(x.id)$body")},
		{"no body", content("$method")},
		{"body as a literal", content("body")},
		{"timestamp without a place", content("$timestamp.$body")},
		{"timestamp that is not signed", func(s *verify.Signature) { s.Timestamp = &verify.Timestamp{Header: "X-Time"} }},

		{"another format", stamped(verify.Timestamp{Header: "X-Time", Format: "iso8601"})},
		{"timestamp header that is none", stamped(verify.Timestamp{Header: "X:Time"})},
		{"timestamp in a header and an item", separated(verify.Timestamp{Header: "X-Time", Item: 1})},
		{"timestamp in a header and by prefix", separated(verify.Timestamp{Header: "X-Time", Prefix: "t="})},
		{"timestamp nowhere", separated(verify.Timestamp{})},
		{"timestamp by position and prefix", separated(verify.Timestamp{Item: 1, Prefix: "t="})},
		{"timestamp at a negative position", separated(verify.Timestamp{Item: -1})},
		{"timestamp in an item of several headers", func(s *verify.Signature) {
			separated(verify.Timestamp{Prefix: "t="})(s)
			s.Places = inHeader("X-Signature-*")
		}},
		{"timestamp by prefix without separator", stamped(verify.Timestamp{Prefix: "t="})},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature")}
			test.change(&s)
			before := s
			err := s.Validate()
			checkMessage(t, err)
			if !reflect.DeepEqual(s, before) {
				t.Error("Validate() changed the scheme")
			}
			v, again := verify.NewSignatureVerifier(s, []string{"secret"}, tolerance)
			if v != nil || message(again) != message(err) {
				t.Errorf("NewSignatureVerifier() = %v, %v; want %v", v, again, err)
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
	hmac := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature")}
	with := func(key, prefix string) verify.Signature {
		s := hmac
		s.Key, s.KeyPrefix = key, prefix
		return s
	}
	edwards := verify.Signature{Algorithm: verify.Ed25519, Places: inHeader("X-Signature")}
	for _, test := range []struct {
		name    string
		spec    verify.Signature
		secrets []string
	}{
		{"no secret", hmac, nil},
		{"empty secret", hmac, []string{""}},
		{"empty secret in a rotation", hmac, []string{"s3cret", ""}},
		{"nothing but the prefix", with(verify.Base64, "whsec_"), []string{"whsec_"}},
		{"nothing but the prefix, raw", with(verify.Raw, "key_"), []string{"key_"}},
		{"no base64", with(verify.Base64, "whsec_"), []string{"whsec_s3cret-key!"}},
		{"another prefix", with(verify.Base64, "whsec_"), []string{"whpk_c2VjcmV0"}},
		{"base64 without padding", with(verify.Base64, ""), []string{"c2VjcmV0", "c2VjcmV"}},
		{"no base64url", with(verify.Base64URL, ""), []string{"c2Vj+mV0"}},
		{"no hex", with(verify.Hex, ""), []string{"c2VjcmV0"}},
		{"half a byte of hex", with(verify.Hex, ""), []string{"abc"}},
		{"ed25519: no hex", edwards, []string{publicBase64[0]}},
		{"ed25519: too short", edwards, []string{publicHex[0], publicHex[1][2:]}},
		{"ed25519: a private key", edwards, []string{strings.Repeat("0a", 64)}},
		{"ed25519: empty", edwards, []string{""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := verify.NewSignatureVerifier(test.spec, test.secrets, tolerance)
			if v != nil {
				t.Fatal("NewSignatureVerifier() returned a verifier")
			}
			checkMessage(t, err)
			if n := len(test.secrets); n > 0 { // the last one is wrong
				if got := test.spec.CheckSecret(test.secrets[n-1]); got == nil || !strings.HasSuffix(err.Error(), got.Error()) {
					t.Errorf("CheckSecret() = %v; want the end of %v", got, err)
				}
			}
			for _, secret := range test.secrets {
				checkQuiet(t, err, secret, strings.TrimPrefix(secret, test.spec.KeyPrefix))
			}
		})
	}
}

func TestCheckSecret(t *testing.T) {
	s := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature")}
	edwards := verify.Signature{Algorithm: verify.Ed25519, Places: inHeader("X-Signature")}
	for _, err := range []error{s.CheckSecret("s3cret"), edwards.CheckSecret(publicHex[0])} {
		if err != nil {
			t.Error(err)
		}
	}
	if s.CheckSecret("") == nil || edwards.CheckSecret("s3cret") == nil {
		t.Error("a secret passes that no verifier takes")
	}
}

func TestCheckHeaderName(t *testing.T) {
	for _, name := range []string{"X-Signature", "x-signature-256", "token", "A", "!#$%&'*+-^`|~09"} {
		if err := verify.CheckHeaderName(name); err != nil {
			t.Errorf("CheckHeaderName(%q) = %v", name, err)
		}
	}
	for _, name := range []string{
		"",
		"a_b",
		"a.b",
		"a b",
		"a\tb",
		"a\nb",
		"a\x00",
		"a\x7f",
		"é",
		"a\xff",
		"a_ b",
		"{env}",
		":path",
		"X-A:",
		"a,b",
		`a"b`,
		`a\b`,
		"a/b",
		"a;b",
		"a=b",
		"<a>",
		"a?",
		"a@b",
		"[a]",
		"(a)",
		"a\u00a0",
	} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) { checkMessage(t, verify.CheckHeaderName(name)) })
	}
}
