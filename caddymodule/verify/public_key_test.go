package verify_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Signatures of `{"id":1}` that openssl made: `openssl dgst -sha256 -sign`.
const (
	opensslRSA   = "MX15PY2PxraJMrPm72kzRr0BfbDBAwFA049BnUxVk3hgE50WEfK8wekrDzPKwHnLUqDJN4oyMMKHtMBhGU94V1bY3ajUubBWov9yDMCDDetNt8/3xqa3gByu3JWuf7V2vXcjyH7M0Cq+bTq+uKRrY3tUWr0+mHnk9rwM2fA0ABdKGif0mfvaOR9oXKBd1KFDlxSdKnSRbvRPiQUSbIe2usdpCfOibFs7qd7VA0As1W4wSOKc1O7tTGIrBEfP46Hi8qvm5AeVwaNPBUQ/tlV3AUdL6vNN6rCNNTeR97KFM7XxiHxWJNjqqRLjBCkozWxxu+BKwA9PxLZD14LcH8Agyw=="
	opensslECDSA = "MEQCIEe7kjF41P+4bN3qPCarU007Q/oLnRRgYA+0OaH7avp5AiAd9R9zi/NidsH4nC39aCztCyJMC6ty18Ys0mKikWnzjA=="
)

// publicKeyFile returns a public key that openssl made.
func publicKeyFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/keys/" + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// derOf returns the base64 of the DER in a PEM.
func derOf(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

// curveKey returns the public key at a point.
func curveKey(t *testing.T, curve elliptic.Curve, x, y string) string {
	t.Helper()
	point, err := hex.DecodeString("04" + x + y)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, key)
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privatePEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// asn1Signature returns the ASN.1 of an ECDSA signature, in base64.
func asn1Signature(t *testing.T, r, s string) string {
	t.Helper()
	number := func(text string) *big.Int {
		n, ok := new(big.Int).SetString(text, 16)
		if !ok {
			t.Fatal(text)
		}
		return n
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{number(r), number(s)})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func base64OfHex(t *testing.T, text string) string {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// TestPublicKeyVectors proves signatures that other programs made, and refuses each with
// one thing changed.
func TestPublicKeyVectors(t *testing.T) {
	for _, test := range []struct{ name, algorithm, key, body, signature string }{
		{
			"RFC 8032, 7.1, test 2", verify.Ed25519,
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
			base64OfHex(t, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
		},
		{
			"RFC 6979, A.2.5, SHA-256", verify.ECDSA,
			curveKey(t, elliptic.P256(), "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6", "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"), "sample",
			asn1Signature(t, "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716", "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"),
		},
		{
			"RFC 6979, A.2.6, SHA-384", verify.ECDSA,
			curveKey(t, elliptic.P384(), "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13", "8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720"), "sample",
			asn1Signature(t, "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46", "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"),
		},
		{"openssl, ecdsa", verify.ECDSA, publicKeyFile(t, "ecdsa"), `{"id":1}`, opensslECDSA},
		{"openssl, ecdsa, a key in DER", verify.ECDSA, derOf(t, publicKeyFile(t, "ecdsa")), `{"id":1}`, opensslECDSA},
		{"openssl, rsa", verify.RSA, publicKeyFile(t, "rsa"), `{"id":1}`, opensslRSA},
		{"openssl, rsa, a key in PKCS #1", verify.RSA, publicKeyFile(t, "rsa_pkcs1"), `{"id":1}`, opensslRSA},
		{"openssl, rsa, a key in DER", verify.RSA, derOf(t, publicKeyFile(t, "rsa")), `{"id":1}`, opensslRSA},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := verify.Signature{Algorithm: test.algorithm, Places: inHeader("X-Signature"), Encoding: verify.Base64}
			v := newVerifier(t, spec, test.key)
			r := newRequest()
			r.Body = []byte(test.body)
			r.Header.Set("X-Signature", test.signature)
			checkProof(t, v, r, verify.Proof{Ordinal: 1})

			r.Body = []byte(test.body + " ")
			checkRefused(t, v, r, verify.ErrBad, test.key)
			r.Body = []byte(test.body)
			raw, err := base64.StdEncoding.DecodeString(test.signature)
			if err != nil {
				t.Fatal(err)
			}
			for i := range raw {
				raw[i] ^= 1
				r.Header.Set("X-Signature", base64.StdEncoding.EncodeToString(raw))
				checkRefused(t, v, r, verify.ErrBad, test.key)
				raw[i] ^= 1
			}
			for _, changed := range [][]byte{nil, raw[1:], raw[:len(raw)-1], append(raw, 0)} {
				r.Header.Set("X-Signature", base64.StdEncoding.EncodeToString(changed))
				if _, err := v.Verify(r); err == nil {
					t.Errorf("%d bytes instead of %d prove it", len(changed), len(raw))
				}
			}
		})
	}
}

// TestPublicKeySign signs with private keys, and checks that the public key of another
// one refuses it.
func TestPublicKeySign(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ algorithm, private, public, other string }{
		{verify.RSA, privatePEM(t, rsaKey), publicPEM(t, &rsaKey.PublicKey), publicKeyFile(t, "rsa")},
		{verify.ECDSA, privatePEM(t, p384), publicPEM(t, &p384.PublicKey), publicKeyFile(t, "ecdsa")},
		{verify.Ed25519, privatePEM(t, privateKeys[0]), publicHex[0], publicHex[1]},
		{verify.Ed25519, hex.EncodeToString(privateKeys[0].Seed()), publicHex[0], publicHex[1]},
	} {
		spec := verify.Signature{Algorithm: test.algorithm, Places: inHeader("X-Signature")}
		r := newRequest()
		if err := spec.Sign(r, test.private); err != nil {
			t.Fatal(err)
		}
		checkProof(t, newVerifier(t, spec, test.other, test.public), r, verify.Proof{Ordinal: 2})
		checkRefused(t, newVerifier(t, spec, test.other), r, verify.ErrBad, test.private)
	}
}

func TestPublicKeyErrors(t *testing.T) {
	p521, short := publicKeyFile(t, "p521"), publicKeyFile(t, "rsa_short")
	ecdsaKey := publicKeyFile(t, "ecdsa")
	for _, test := range []struct{ name, algorithm, key string }{
		{"not a key", verify.ECDSA, "s3cret"},
		{"empty", verify.RSA, ""},
		{"base64 of something else", verify.RSA, "c2VjcmV0"},
		{"of another algorithm", verify.RSA, ecdsaKey},
		{"ed25519 for ecdsa", verify.ECDSA, publicPEM(t, privateKeys[0].Public().(ed25519.PublicKey))},
		{"another curve", verify.ECDSA, p521},
		{"a short RSA key", verify.RSA, short},
		{"a private key", verify.ECDSA, privatePEM(t, privateKeys[0])},
		{"a certificate", verify.ECDSA, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"},
		{"cut off", verify.ECDSA, ecdsaKey[:len(ecdsaKey)-40]},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := verify.Signature{Algorithm: test.algorithm, Places: inHeader("X-Signature")}
			_, err := verify.NewSignatureVerifier(spec, []string{test.key}, tolerance)
			checkMessage(t, err)
			checkQuiet(t, err, test.key)
		})
	}
}

func TestSignKeyErrors(t *testing.T) {
	for _, test := range []struct{ name, algorithm, key string }{
		{"not a key", verify.ECDSA, "s3cret"},
		{"of another algorithm", verify.RSA, privatePEM(t, privateKeys[0])},
		{"not a seed", verify.Ed25519, strings.Repeat("0a", 64)},
		{"a certificate", verify.Ed25519, "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := verify.Signature{Algorithm: test.algorithm, Places: inHeader("X-Signature")}
			err := spec.Sign(newRequest(), test.key)
			checkMessage(t, err)
			checkQuiet(t, err, test.key)
		})
	}
	spec := verify.Signature{Algorithm: verify.RSA, Places: inHeader("X-Signature")}
	if err := spec.Sign(newRequest(), publicKeyFile(t, "rsa")); !errors.Is(err, verify.ErrCannotSign) {
		t.Errorf("Sign() = %v; want %v", err, verify.ErrCannotSign)
	}
}
