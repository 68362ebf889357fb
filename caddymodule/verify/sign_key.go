package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrCannotSign is the error of a public key where a private one is needed to sign.
var ErrCannotSign = errors.New("only the provider can sign: this is its public key")

// errPrivateKeyForm is the error of a text that is not a private key.
var errPrivateKeyForm = errors.New("not a private key; write it in PEM (PKCS #8), from -----BEGIN PRIVATE KEY----- to its end")

// newSigner returns the function that signs with a secret or a private key. s must have
// its defaults.
func (s Signature) newSigner(secret string) (func(message []byte) ([]byte, error), error) {
	if !s.HasPublicKey() {
		key, err := s.decodeKey(secret)
		if err != nil {
			return nil, err
		}
		return func(message []byte) ([]byte, error) {
			mac := hmac.New(hashes[s.Algorithm], key)
			mac.Write(message)
			return mac.Sum(nil), nil
		}, nil
	}
	key, err := s.privateKey(secret)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		if s.Algorithm == Ed25519 {
			return func(message []byte) ([]byte, error) { return ed25519.Sign(key, message), nil }, nil
		}
	case *ecdsa.PrivateKey:
		hash, err := ecdsaHash(key.Curve)
		if err == nil && s.Algorithm == ECDSA {
			return func(message []byte) ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, hash(message)) }, nil
		}
	case *rsa.PrivateKey:
		if s.Algorithm == RSA {
			return func(message []byte) ([]byte, error) {
				return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum256(message))
			}, nil
		}
	}
	return nil, fmt.Errorf("it is a private key of another algorithm than %s", s.Algorithm)
}

// privateKey parses a private key: in PEM, or the seed of an Ed25519 key in the encoding of
// its public key.
func (s Signature) privateKey(secret string) (any, error) {
	block, _ := pem.Decode([]byte(secret))
	switch {
	case block != nil && block.Type == "PUBLIC KEY":
		return nil, ErrCannotSign
	case block != nil:
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errPrivateKeyForm
		}
		return key, nil
	case s.Algorithm != Ed25519:
		return nil, errPrivateKeyForm
	}
	seed, err := s.decodeKey(secret)
	if err != nil {
		return nil, errPrivateKeyForm
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the seed of an ed25519 key has %d bytes, and this one %d", ed25519.SeedSize, len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
