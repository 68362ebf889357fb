package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/subtle"
	"hash"
	"sync"
)

// checker checks signatures made with one key.
type checker interface {
	// check reports whether one of the encoded signatures is right for the content.
	check(enc encoding, content parts, signatures []string) bool
}

func newChecker(algorithm string, key []byte) checker {
	if algorithm == Ed25519 {
		return publicKey(key)
	}
	newHash := hashes[algorithm]
	return &macKey{pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(newHash, key)} }}}
}

// macKey checks HMACs (RFC 2104). Its hashes are reused, because hmac keeps the
// state after the key: for a body of 650 bytes, 0.8 µs and 2 allocations instead of
// 1.5 µs and 9.
type macKey struct{ pool sync.Pool } // of *mac

// mac is a keyed hash, and the buffers for the texts to compare.
type mac struct {
	hash.Hash
	want, presented []byte
}

// check encodes the right signature and compares texts. So a signature has only one
// spelling, and nothing from the sender is decoded.
func (k *macKey) check(enc encoding, content parts, signatures []string) bool {
	m := k.pool.Get().(*mac)
	defer k.pool.Put(m)
	m.Reset()
	for _, part := range content {
		m.Write(part)
	}
	sum := m.Sum(m.want[:0])
	m.want = enc.AppendEncode(sum, sum)
	want := m.want[len(sum):]
	for _, signature := range signatures {
		if len(signature) != len(want) {
			continue
		}
		m.presented = append(m.presented[:0], signature...)
		if subtle.ConstantTimeCompare(m.presented, want) == 1 {
			return true
		}
	}
	return false
}

// publicKey checks Ed25519 signatures (RFC 8032).
type publicKey ed25519.PublicKey

func (k publicKey) check(enc encoding, content parts, signatures []string) bool {
	message := bytes.Join(content, nil)
	for _, signature := range signatures {
		sig, err := enc.DecodeString(signature)
		if err != nil || string(enc.AppendEncode(nil, sig)) != signature {
			continue // another spelling of it
		}
		if ed25519.Verify(ed25519.PublicKey(k), message, sig) {
			return true
		}
	}
	return false
}
