package verify

import (
	"crypto/hmac"
	"crypto/subtle"
	"fmt"
	"hash"
	"sync"
)

// checker checks signatures made with one key.
type checker interface {
	// check reports whether one of the encoded signatures is right for the content.
	check(enc encoding, content parts, signatures []string) bool

	// isWellFormed reports whether a signature has the right form.
	isWellFormed(signature []byte) bool

	// form describes the right form.
	form() string
}

// newChecker returns the checker for a secret or a public key. s must have its defaults.
func (s Signature) newChecker(secret string) (checker, error) {
	if s.HasPublicKey() {
		return s.newPublicKey(secret)
	}
	key, err := s.decodeKey(secret)
	if err != nil {
		return nil, err
	}
	newHash := hashes[s.Algorithm]
	return &macKey{size: newHash().Size(), pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(newHash, key)} }}}, nil
}

// macKey checks HMACs (RFC 2104). Its hashes are reused, because hmac keeps the
// state after the key: for a body of 650 bytes, 0.8 µs and 2 allocations instead of
// 1.5 µs and 9.
type macKey struct {
	size int       // of a MAC, in bytes
	pool sync.Pool // of *mac
}

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

func (k *macKey) isWellFormed(signature []byte) bool { return len(signature) == k.size }

func (k *macKey) form() string { return fmt.Sprintf("%d bytes", k.size) }
