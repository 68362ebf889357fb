package verify_test

import (
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// What Sign makes for samples is what Verify takes; the schemes of these tests
// do not share its code.
func TestSign(t *testing.T) {
	for i := range schemes {
		s := &schemes[i]
		t.Run(s.name, func(t *testing.T) {
			r := newRequest()
			secret := s.secrets[1]
			switch secret {
			case publicHex[1]:
				secret = hex.EncodeToString(privateKeys[1].Seed())
			case publicBase64[1]:
				secret = base64.StdEncoding.EncodeToString(privateKeys[1].Seed())
			}
			if err := s.spec.Sign(r, secret); err != nil {
				t.Fatal(err)
			}
			checkProof(t, s.verifier(t), r, verify.Proof{Ordinal: 2})
		})
	}
	for name, spec := range map[string]verify.Signature{
		"items by position":                    {Separator: ",", Places: []verify.SignaturePlace{{Header: "x-signature", Item: 2}}, Timestamp: &verify.Timestamp{Item: 1}},
		"signature first":                      {Separator: ",", Places: []verify.SignaturePlace{{Header: "x-signature", Item: 1}}, Timestamp: &verify.Timestamp{Item: 3}},
		"position and a timestamp by prefix":   {Separator: ",", Places: []verify.SignaturePlace{{Header: "x-signature", Item: 2}}, Timestamp: &verify.Timestamp{Prefix: "t="}},
		"prefix and a timestamp by position":   {Separator: ",", Prefix: "v1=", Timestamp: &verify.Timestamp{Item: 2}},
		"position and a timestamp of its own":  {Separator: ",", Places: []verify.SignaturePlace{{Header: "x-signature", Item: 3}}, Timestamp: &verify.Timestamp{Header: "x-time"}},
		"no timestamp, with a position":        {Separator: ",", Places: []verify.SignaturePlace{{Header: "x-signature", Item: 2}}},
		"no position, a timestamp of its own":  {Timestamp: &verify.Timestamp{Header: "X-Time", Format: verify.RFC3339}},
		"no position, a timestamp by prefix":   {Separator: ";", Prefix: "s=", Timestamp: &verify.Timestamp{Prefix: "t=", Format: verify.UnixMilli}},
		"base64 with a separator of its signs": {Separator: ",", Encoding: verify.Base64, Prefix: "v1=", Timestamp: &verify.Timestamp{Prefix: "t="}},
	} {
		t.Run(name, func(t *testing.T) {
			spec.Algorithm = verify.HMACSHA256
			if spec.Places == nil {
				spec.Places = inHeader("x-signature")
			}
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
	spec := verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Signature"), Key: verify.Base64}
	for _, test := range []struct{ name, header, secret string }{
		{"scheme", "", "c2VjcmV0"},
		{"key", "X-Signature", "not+base64!"},
		{"empty key", "X-Signature", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := spec
			s.Places = inHeader(test.header)
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
