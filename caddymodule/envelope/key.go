package envelope

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// Key identifies an event as long as the gateway remembers it, and names it in the
// `webhook-id` header, in commands and in the API.
type Key [20]byte

// keyPrefix is what the text of every key begins with.
const keyPrefix = "msg_"

// keyEncoding is base32 in lower case, without padding.
var keyEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewKey derives the key of an event from its source and its dedup key: the
// first 20 bytes of SHA-256 over source, a zero byte, and the dedup key.
func NewKey(source, dedupKey string) Key {
	// Both together are rarely longer than this, and then nothing is allocated.
	var buf [256]byte
	b := append(buf[:0], source...)
	b = append(b, 0)
	b = append(b, dedupKey...)
	sum := sha256.Sum256(b)
	return Key(sum[:20])
}

// String returns the webhook-id: `msg_` and 32 characters of base32.
func (k Key) String() string {
	var buf [len(keyPrefix) + 32]byte
	copy(buf[:], keyPrefix)
	keyEncoding.Encode(buf[len(keyPrefix):], k[:])
	return string(buf[:])
}

// ParseKey parses the result of String. It accepts no other spelling: an event has
// one name.
func ParseKey(s string) (Key, error) {
	var decoded [20]byte
	encoded, ok := strings.CutPrefix(s, keyPrefix)
	if !ok || len(encoded) != 32 {
		return Key{}, keyError(s)
	}
	// The decoder skips line breaks, hence the comparison.
	if _, err := keyEncoding.Decode(decoded[:], []byte(encoded)); err != nil || Key(decoded).String() != s {
		return Key{}, keyError(s)
	}
	return decoded, nil
}

// keyError shows at most as much of s as a key is long.
func keyError(s string) error {
	return fmt.Errorf("%.36q does not name an event; use its `webhook-id`: msg_ and 32 characters of a-z and 2-7", s)
}

// Hash returns the identity of an event without an id of its own: the first 16 bytes
// of SHA-256 over its bytes, in hex.
func Hash(original string) string {
	sum := sha256.Sum256([]byte(original))
	return hex.EncodeToString(sum[:16])
}
