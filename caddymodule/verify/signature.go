package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"
)

// Algorithms of a signature.
const (
	HMACSHA1   = "hmac-sha1"
	HMACSHA256 = "hmac-sha256"
	HMACSHA512 = "hmac-sha512"
	Ed25519    = "ed25519"
)

// Encodings of a signature and of a key.
const (
	Hex       = "hex"
	Base64    = "base64"
	Base64URL = "base64url"
	Raw       = "raw"
)

// Formats of a signed timestamp.
const (
	Unix      = "unix"
	UnixMilli = "unix_ms"
	RFC3339   = "rfc3339"
)

// DefaultTolerance is the maximum difference between a signed timestamp and the
// gateway's clock.
const DefaultTolerance = 5 * time.Minute

// MaxItems is the maximum number of items in a signature header. A header with more
// is refused, so that one request cannot make the gateway check thousands.
const MaxItems = 32

// DefaultContent is the signed content by default.
const DefaultContent = "$body"

// Signature describes how a provider signs its requests.
type Signature struct {
	// The algorithm: `hmac-sha1`, `hmac-sha256`, `hmac-sha512` or `ed25519`.
	Algorithm string `json:"algorithm"`

	// The name of the header that holds the signature.
	Header string `json:"header"`

	// The separator of the header's items, such as `,` in `t=…,v1=…`. Default: the
	// header is one item.
	Separator string `json:"separator,omitempty"`

	// The position, from 1, of the item that holds the signature. Default: every item
	// that begins with Prefix is a signature, and one of them must match.
	Item int `json:"item,omitempty"`

	// The text before the signature in its item, such as `sha256=`. An item without it
	// is not a signature.
	Prefix string `json:"prefix,omitempty"`

	// The encoding of the signature: `hex` (lower case), `base64` (padded) or
	// `base64url` (not padded). Default: `hex`.
	Encoding string `json:"encoding,omitempty"`

	// The template of the signed content. `$body`, `$timestamp`, `$method`, `$uri`
	// (path and query as sent) and `$header(<name>)` are parts of the request,
	// everything else is literal. It must contain `$body`. Default: `$body`.
	Content string `json:"content,omitempty"`

	// The place of the signed timestamp. Default: signatures never expire.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	// The encoding of the key in the configured secret: `raw`, `hex`, `base64` or
	// `base64url`. Default: `raw` for HMAC, `hex` for ed25519, whose secret is the
	// public key.
	Key string `json:"key,omitempty"`

	// The prefix of the encoded key in the configured secret, such as `whsec_`. A
	// secret may leave it out.
	KeyPrefix string `json:"key_prefix,omitempty"`
}

// Timestamp is the place of a signed timestamp. Exactly one of Header, Item and Prefix
// is set.
type Timestamp struct {
	// The name of the header that holds the timestamp.
	Header string `json:"header,omitempty"`

	// The position, from 1, of the item of the signature's header that holds the
	// timestamp.
	Item int `json:"item,omitempty"`

	// The prefix of the item of the signature's header that holds the timestamp, such
	// as `t=`.
	Prefix string `json:"prefix,omitempty"`

	// The format: `unix` (seconds), `unix_ms` (milliseconds) or `rfc3339`. Default:
	// `unix`.
	Format string `json:"format,omitempty"`
}

// hashes are the hashes of the HMAC algorithms.
var hashes = map[string]func() hash.Hash{
	HMACSHA1:   sha1.New,
	HMACSHA256: sha256.New,
	HMACSHA512: sha512.New,
}

// encodings are the encodings of signatures and keys.
var encodings = map[string]encoding{
	Hex:       lowerHex{},
	Base64:    base64.StdEncoding.Strict(),
	Base64URL: base64.RawURLEncoding.Strict(),
}

type encoding interface {
	AppendEncode(dst, src []byte) []byte
	DecodeString(s string) ([]byte, error)
}

// lowerHex is hexadecimal in lower case.
type lowerHex struct{}

func (lowerHex) AppendEncode(dst, src []byte) []byte   { return hex.AppendEncode(dst, src) }
func (lowerHex) DecodeString(s string) ([]byte, error) { return hex.DecodeString(s) }

// withDefaults returns s with its defaults filled in.
func (s Signature) withDefaults() Signature {
	if s.Encoding == "" {
		s.Encoding = Hex
	}
	if s.Key == "" {
		s.Key = Raw
		if s.Algorithm == Ed25519 {
			s.Key = Hex
		}
	}
	if s.Content == "" {
		s.Content = DefaultContent
	}
	if s.Timestamp != nil {
		t := *s.Timestamp
		if t.Format == "" {
			t.Format = Unix
		}
		s.Timestamp = &t
	}
	return s
}

// Validate checks the scheme. The error says what to write instead.
func (s Signature) Validate() error {
	s = s.withDefaults()
	if hashes[s.Algorithm] == nil && s.Algorithm != Ed25519 {
		return fmt.Errorf("unknown algorithm %q; use %s, %s, %s or %s", s.Algorithm, HMACSHA1, HMACSHA256, HMACSHA512, Ed25519)
	}
	if encodings[s.Encoding] == nil {
		return fmt.Errorf("unknown encoding %q; use %s, %s or %s", s.Encoding, Hex, Base64, Base64URL)
	}
	if s.Key != Raw && encodings[s.Key] == nil {
		return fmt.Errorf("unknown key encoding %q; use %s, %s, %s or %s", s.Key, Raw, Hex, Base64, Base64URL)
	}
	if err := CheckHeaderName(s.Header); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if s.Item < 0 || s.Item > MaxItems || (s.Item > 0 && s.Separator == "") {
		return fmt.Errorf(`signature: "item" needs a "separator", and a position from 1 to %d`, MaxItems)
	}
	content, err := parseTemplate(s.Content)
	if err != nil {
		return err
	}
	if !content.has(partBody) {
		return errors.New("content must contain $body; without it, the signature proves nothing about the body")
	}
	switch signed := content.has(partTimestamp); {
	case signed && s.Timestamp == nil:
		return errors.New(`content contains $timestamp; add "timestamp", with its header or item`)
	case !signed && s.Timestamp != nil:
		return errors.New("the timestamp is not signed and can be forged; add $timestamp to content, or remove the timestamp")
	}
	return s.Timestamp.validate(s)
}

func (t *Timestamp) validate(s Signature) error {
	if t == nil {
		return nil
	}
	if t.Format != Unix && t.Format != UnixMilli && t.Format != RFC3339 {
		return fmt.Errorf("unknown timestamp format %q; use %s, %s or %s", t.Format, Unix, UnixMilli, RFC3339)
	}
	if t.Header != "" {
		if t.Item != 0 || t.Prefix != "" {
			return errors.New("timestamp: use either a header or an item, not both")
		}
		if err := CheckHeaderName(t.Header); err != nil {
			return fmt.Errorf("timestamp: %w", err)
		}
		if strings.EqualFold(t.Header, s.Header) {
			return errors.New("timestamp: its header is that of the signature; use its item")
		}
		return nil
	}
	if s.Separator == "" || t.Item < 0 || t.Item > MaxItems || (t.Item == 0) == (t.Prefix == "") {
		return errors.New(`timestamp: an item needs a "separator", and either a position or a prefix`)
	}
	if t.Item == s.Item && t.Prefix == s.Prefix {
		return errors.New("timestamp: its item is that of the signature; use another one")
	}
	return nil
}
