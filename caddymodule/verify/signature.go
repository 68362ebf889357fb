package verify

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"time"
)

// Algorithms of a signature.
const (
	HMACSHA1   = "hmac-sha1"
	HMACSHA256 = "hmac-sha256"
	HMACSHA512 = "hmac-sha512"
	Ed25519    = "ed25519"
	ECDSA      = "ecdsa"
	RSA        = "rsa"
)

// DefaultTolerance is the maximum difference between a signed timestamp and the
// gateway's clock.
const DefaultTolerance = 5 * time.Minute

// MaxItems is the maximum number of items in a signature header, and of headers that
// match a pattern. A request with more is refused, so that it cannot make the gateway check
// thousands.
const MaxItems = 32

// DefaultContent is the signed content by default.
const DefaultContent = "$body"

// Signature describes how a provider signs its requests.
type Signature struct {
	// The algorithm: `hmac-sha1`, `hmac-sha256`, `hmac-sha512`, `ed25519`, `ecdsa` (on the
	// curve P-256 with SHA-256, or on P-384 with SHA-384, in ASN.1) or `rsa` (PKCS #1 v1.5
	// with SHA-256).
	Algorithm string `json:"algorithm"`

	// The places where a signature may be. One of the signatures there must match.
	Places []SignaturePlace `json:"places"`

	// The separator of the items in a place, such as `,` in `t=…,v1=…`. Default: the
	// value is one item.
	Separator string `json:"separator,omitempty"`

	// The text before the signature in its item, such as `sha256=`. An item without it
	// is not a signature.
	Prefix string `json:"prefix,omitempty"`

	// The encoding of the signature: `hex` (lower case), `hex_upper`, `base64` (padded) or
	// `base64url` (not padded). Default: `hex`.
	Encoding string `json:"encoding,omitempty"`

	// The template of the signed content. It must contain `$body`, also inside a
	// function; or `$form`, with BodyHash for other bodies; or, where the signature is in
	// the body itself, `$body(<path>)`. Default: `$body`.
	Content string `json:"content,omitempty"`

	// The place of the signed timestamp. Default: signatures never expire.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	// The encoding of the key: `raw`, `hex`, `base64` or `base64url`. Default: `raw` for
	// HMAC, `hex` for ed25519. Keys for ecdsa and rsa are in PEM, or the base64 of DER.
	Key string `json:"key,omitempty"`

	// The prefix of the encoded key, such as `whsec_`. A key may leave it out.
	KeyPrefix string `json:"key_prefix,omitempty"`

	// The query parameter that holds the SHA-256 of the body, in hex, for a signature of
	// the URL. It may be absent if the body is empty, or a form that `$form` signs.
	BodyHash string `json:"body_hash,omitempty"`

	// The path of the elements of the body that are signed one by one: `#` goes through
	// an array. Each must be signed, and there must be one. Places and `$body(<path>)`
	// are then inside the element. Default: the body is signed as one.
	Each string `json:"each,omitempty"`
}

// Timestamp is the place of a signed timestamp. Exactly one of Header, Item, Prefix, Query
// and Body is set.
type Timestamp struct {
	// The name of the header that holds the timestamp.
	Header string `json:"header,omitempty"`

	// The position, from 1, of the item beside the signature that holds the timestamp.
	Item int `json:"item,omitempty"`

	// The prefix of the item beside the signature that holds the timestamp, such as `t=`.
	Prefix string `json:"prefix,omitempty"`

	// The name of the query parameter that holds the timestamp.
	Query string `json:"query,omitempty"`

	// The path of the timestamp in the body: names of members, with dots between them.
	Body string `json:"body,omitempty"`

	// The format: `unix` (seconds, or milliseconds from 12 digits on), `unix_ms`
	// (milliseconds) or `rfc3339`. Default: `unix`.
	Format string `json:"format,omitempty"`
}

// hashes are the hashes of the HMAC algorithms.
var hashes = map[string]func() hash.Hash{
	HMACSHA1:   sha1.New,
	HMACSHA256: sha256.New,
	HMACSHA512: sha512.New,
}

// HasPublicKey reports whether the requests are checked with public keys, instead of
// secrets.
func (s Signature) HasPublicKey() bool {
	return s.Algorithm == Ed25519 || s.Algorithm == ECDSA || s.Algorithm == RSA
}

// hasPEMKey reports whether the key is in a form of its own, which needs no encoding.
func (s Signature) hasPEMKey() bool { return s.Algorithm == ECDSA || s.Algorithm == RSA }

// withDefaults returns s with its defaults filled in.
func (s Signature) withDefaults() Signature {
	if s.Encoding == "" {
		s.Encoding = Hex
	}
	if s.Key == "" && !s.hasPEMKey() {
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
