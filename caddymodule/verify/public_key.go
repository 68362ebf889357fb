package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// minRSA is the size of the smallest RSA key that Go verifies signatures with, in bits.
const minRSA = 1024

// publicKey checks signatures that only the provider can make.
type publicKey struct {
	isRight  func(message, signature []byte) bool
	min, max int    // sizes of a signature, in bytes
	text     string // its form
}

func (k *publicKey) check(enc encoding, content parts, signatures []string) bool {
	message := content.join()
	for _, signature := range signatures {
		// Another spelling of a right one is refused.
		if decoded, ok := decode(enc, signature); ok && k.isRight(message, decoded) {
			return true
		}
	}
	return false
}

func (k *publicKey) isWellFormed(signature []byte) bool {
	return k.min <= len(signature) && len(signature) <= k.max
}

func (k *publicKey) form() string { return k.text }

// newPublicKey returns the checker for a public key. s must have its defaults.
func (s Signature) newPublicKey(text string) (*publicKey, error) {
	if s.Algorithm == Ed25519 {
		key, err := s.decodeKey(text)
		if err != nil {
			return nil, err
		}
		if len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an ed25519 public key has %d bytes, and this one %d", ed25519.PublicKeySize, len(key))
		}
		return ed25519Key(key), nil
	}
	key, err := parsePublicKey(text)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if s.Algorithm == ECDSA {
			return ecdsaKey(key)
		}
	case *rsa.PublicKey:
		if s.Algorithm == RSA {
			return rsaKey(key)
		}
	}
	return nil, fmt.Errorf("it is a public key of another algorithm than %s", s.Algorithm)
}

// ed25519Key checks Ed25519 signatures (RFC 8032).
func ed25519Key(key ed25519.PublicKey) *publicKey {
	return &publicKey{
		isRight: func(message, signature []byte) bool { return ed25519.Verify(key, message, signature) },
		min:     ed25519.SignatureSize, max: ed25519.SignatureSize,
		text: fmt.Sprintf("%d bytes", ed25519.SignatureSize),
	}
}

// ecdsaKey checks ECDSA signatures in ASN.1 (FIPS 186-5, RFC 3279), with the hash that
// JSON Web Algorithms pair with the curve.
func ecdsaKey(key *ecdsa.PublicKey) (*publicKey, error) {
	hash, err := ecdsaHash(key.Curve)
	if err != nil {
		return nil, err
	}
	// Two integers of up to a sign and the curve's size, with two bytes before each, and
	// before both.
	size := 2 * (3 + (key.Curve.Params().BitSize+7)/8)
	return &publicKey{
		isRight: func(message, signature []byte) bool { return ecdsa.VerifyASN1(key, hash(message), signature) },
		min:     8, max: 2 + size,
		text: fmt.Sprintf("an ASN.1 signature of up to %d bytes", 2+size),
	}, nil
}

// ecdsaHash returns the hash for a curve.
func ecdsaHash(curve elliptic.Curve) (func([]byte) []byte, error) {
	switch curve {
	case elliptic.P256():
		return sum256, nil
	case elliptic.P384():
		return func(message []byte) []byte {
			sum := sha512.Sum384(message)
			return sum[:]
		}, nil
	}
	return nil, errors.New("its curve is neither P-256 nor P-384")
}

func sum256(message []byte) []byte {
	sum := sha256.Sum256(message)
	return sum[:]
}

// rsaKey checks RSA signatures of SHA-256 (PKCS #1 v1.5, RFC 8017).
func rsaKey(key *rsa.PublicKey) (*publicKey, error) {
	if key.N.BitLen() < minRSA {
		return nil, fmt.Errorf("an RSA key has at least %d bits, and this one %d", minRSA, key.N.BitLen())
	}
	return &publicKey{
		isRight: func(message, signature []byte) bool {
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum256(message), signature) == nil
		},
		min: key.Size(), max: key.Size(),
		text: fmt.Sprintf("%d bytes", key.Size()),
	}, nil
}

// parsePublicKey parses a public key in PEM, or the base64 of its DER.
func parsePublicKey(text string) (any, error) {
	der, err := derOf(text)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		// `RSA PUBLIC KEY`, the older form.
		if older, olderErr := x509.ParsePKCS1PublicKey(der); olderErr == nil {
			return older, nil
		}
		return nil, errKeyForm
	}
	return key, nil
}

// errKeyForm is the error of a text that is not a public key.
var errKeyForm = errors.New("not a public key; write it in PEM, from -----BEGIN PUBLIC KEY----- to its end, or the base64 of its DER on one line")

// derOf returns the DER in a PEM, or in base64.
func derOf(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		switch {
		case strings.Contains(block.Type, "PRIVATE"):
			return nil, errors.New("it is a private key, which only the provider may have; write the public key")
		case block.Type == "CERTIFICATE":
			return nil, errors.New("it is a certificate; write the public key in it, which `openssl x509 -noout -pubkey` prints")
		}
		return block.Bytes, nil
	}
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(der) == 0 {
		return nil, errKeyForm
	}
	return der, nil
}
