package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
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

// DefaultTolerance is the age, past or future, up to which a signed timestamp
// is accepted.
const DefaultTolerance = 5 * time.Minute

// MaxItems is how many items of a signature header are looked at: a header with
// more is refused, so that nobody can make the gateway check thousands.
const MaxItems = 32

// DefaultContent is what is signed when nothing else is said.
const DefaultContent = "$body"

// Signature is how a provider signs its requests.
type Signature struct {
	// Algorithm is hmac-sha1, hmac-sha256, hmac-sha512 or ed25519.
	Algorithm string `json:"algorithm"`

	// Header is the name of the header that holds the signature.
	Header string `json:"header"`

	// Separator splits the header into items, such as `,` for `t=…,v1=…`.
	// Without it the header is one item.
	Separator string `json:"separator,omitempty"`

	// Item is the position, from 1, of the item that holds the signature. With
	// 0, the default, every item that begins with Prefix is a signature, and one
	// of them must match.
	Item int `json:"item,omitempty"`

	// Prefix is what stands before the signature in its item, such as
	// `sha256=`. An item without it is no signature.
	Prefix string `json:"prefix,omitempty"`

	// Encoding is hex (lower case), base64 (padded) or base64url (not padded).
	// Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// Content is a template of what is signed: `$body`, `$timestamp`, `$method`,
	// `$uri` (path and query as sent) and `$header(<name>)` stand for parts of
	// the request, everything else for itself. Default: `$body`.
	Content string `json:"content,omitempty"`

	// Timestamp is where the signed timestamp stands. Without it, signatures do
	// not age.
	Timestamp *Timestamp `json:"timestamp,omitempty"`

	// Key is how the configured secret encodes the key: raw, hex, base64 or
	// base64url.
	// Default: raw for HMAC, hex for ed25519, whose secret is the public key.
	Key string `json:"key,omitempty"`

	// KeyPrefix is what stands before the encoded key in the configured secret,
	// such as `whsec_`; it may be left out there.
	KeyPrefix string `json:"key_prefix,omitempty"`
}

// Timestamp is where a signed timestamp stands. Exactly one of Header and an
// item of the signature's header is set.
type Timestamp struct {
	// Header is the name of the header that holds the timestamp.
	Header string `json:"header,omitempty"`

	// Item is the position, from 1, of the item of the signature's header that
	// holds the timestamp.
	Item int `json:"item,omitempty"`

	// Prefix marks the item of the signature's header that holds the timestamp,
	// such as `t=`.
	Prefix string `json:"prefix,omitempty"`

	// Format is unix (seconds), unix_ms (milliseconds) or rfc3339. Default: unix.
	Format string `json:"format,omitempty"`
}

// hashes are those of the HMAC algorithms.
var hashes = map[string]func() hash.Hash{
	HMACSHA1:   sha1.New,
	HMACSHA256: sha256.New,
	HMACSHA512: sha512.New,
}

// encodings are what the text of a signature or key stands for.
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

// Validate checks the scheme.
func (s Signature) Validate() error {
	s = s.withDefaults()
	if hashes[s.Algorithm] == nil && s.Algorithm != Ed25519 {
		return fmt.Errorf("unknown algorithm %q: use %s, %s, %s or %s", s.Algorithm, HMACSHA1, HMACSHA256, HMACSHA512, Ed25519)
	}
	if encodings[s.Encoding] == nil {
		return fmt.Errorf("unknown encoding %q: use %s, %s or %s", s.Encoding, Hex, Base64, Base64URL)
	}
	if s.Key != Raw && encodings[s.Key] == nil {
		return fmt.Errorf("unknown key encoding %q: use %s, %s, %s or %s", s.Key, Raw, Hex, Base64, Base64URL)
	}
	if err := CheckHeaderName(s.Header); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	if s.Item < 0 || s.Item > MaxItems || (s.Item > 0 && s.Separator == "") {
		return errors.New("an item of the signature's header needs a separator")
	}
	content, err := parseTemplate(s.Content)
	if err != nil {
		return err
	}
	if !content.has(partBody) {
		return errors.New("content must contain $body: a signature that does not cover the body proves nothing about it")
	}
	if content.has(partTimestamp) != (s.Timestamp != nil) {
		return errors.New("content and timestamp belong together: a timestamp that is not in the signed content can be forged, and $timestamp needs a place to be read from")
	}
	return s.Timestamp.validate(s)
}

func (t *Timestamp) validate(s Signature) error {
	if t == nil {
		return nil
	}
	if t.Format != Unix && t.Format != UnixMilli && t.Format != RFC3339 {
		return fmt.Errorf("unknown timestamp format %q: use %s, %s or %s", t.Format, Unix, UnixMilli, RFC3339)
	}
	if t.Header != "" {
		if t.Item != 0 || t.Prefix != "" {
			return errors.New("a timestamp stands in a header of its own or in an item of the signature's header, not in both")
		}
		if err := CheckHeaderName(t.Header); err != nil {
			return fmt.Errorf("timestamp: %w", err)
		}
		if strings.EqualFold(t.Header, s.Header) {
			return errors.New("the timestamp cannot be the whole header of the signature; name its item")
		}
		return nil
	}
	if s.Separator == "" || t.Item < 0 || t.Item > MaxItems || (t.Item == 0) == (t.Prefix == "") {
		return errors.New("a timestamp in the signature's header needs a separator, and either the item's number or its prefix")
	}
	if t.Item == s.Item && t.Prefix == s.Prefix {
		return errors.New("the timestamp and the signature cannot be the same item of the header")
	}
	return nil
}

// CheckHeaderName refuses names that no request can carry to a Caddy handler:
// Caddy drops headers with `_` or `.` in their name.
func CheckHeaderName(name string) error {
	if name == "" {
		return errors.New("the name of a header is missing")
	}
	if strings.EqualFold(name, "Host") {
		return errors.New("header Host is not among the headers of a request in Go, and proves nothing")
	}
	for _, c := range name {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c) {
			return fmt.Errorf("%q is not the name of a header", name)
		}
	}
	if strings.ContainsAny(name, "_.") {
		return fmt.Errorf("header %q does not arrive: by default Caddy drops headers with `_` or `.` in their name", name)
	}
	return nil
}

// SignatureVerifier proves that a request is signed with one of the secrets.
type SignatureVerifier struct {
	scheme    Signature
	content   template
	encoding  encoding
	keys      []checker
	tolerance time.Duration
}

// NewSignatureVerifier returns a verifier for the scheme s. Several secrets are
// for rotation: any may match. tolerance is the age, past or future, up to which
// a signed timestamp is accepted. No error ever holds a secret.
func NewSignatureVerifier(s Signature, secrets []string, tolerance time.Duration) (*SignatureVerifier, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, errors.New("a secret is required")
	}
	s = s.withDefaults()
	content, err := parseTemplate(s.Content)
	if err != nil {
		return nil, err
	}
	s.Header = http.CanonicalHeaderKey(s.Header)
	v := &SignatureVerifier{scheme: s, content: content, encoding: encodings[s.Encoding], tolerance: tolerance}
	for i, secret := range secrets {
		key, err := s.decodeKey(secret)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		check, err := newChecker(s.Algorithm, key)
		if err != nil {
			return nil, fmt.Errorf("secret %d: %w", i+1, err)
		}
		v.keys = append(v.keys, check)
	}
	return v, nil
}

func (s *Signature) decodeKey(secret string) ([]byte, error) {
	secret = strings.TrimPrefix(secret, s.KeyPrefix)
	key := []byte(secret)
	if s.Key != Raw {
		var err error
		if key, err = encodings[s.Key].DecodeString(secret); err != nil {
			return nil, fmt.Errorf("not %s", s.Key)
		}
	}
	if len(key) == 0 {
		return nil, errors.New("empty")
	}
	return key, nil
}

// Verify implements Verifier. The timestamp counts only after the signature was
// found right, so that its error means what it says.
func (v *SignatureVerifier) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, v.scheme.Header)
	if err != nil {
		return Proof{}, err
	}
	if v.scheme.Separator != "" && strings.Count(value, v.scheme.Separator) >= MaxItems {
		return Proof{}, ErrBad
	}
	timestamp, err := v.timestamp(value, r.Header)
	if err != nil {
		return Proof{}, err
	}
	content, ok := v.content.parts(r, timestamp)
	if !ok {
		return Proof{}, ErrBad
	}
	n := v.match(value, content)
	if n == 0 {
		return Proof{}, ErrBad
	}
	if v.scheme.Timestamp != nil {
		if err := v.fresh(timestamp, r.Time); err != nil {
			return Proof{}, err
		}
	}
	return Proof{Ordinal: n}, nil
}

// match returns the position, from 1, of the first key under which one of the
// signatures in value is right; 0 if there is none.
func (v *SignatureVerifier) match(value string, content parts) int {
	signatures := v.items(value, v.scheme.Item, v.scheme.Prefix)
	for i, key := range v.keys {
		if key.check(v.encoding, content, signatures) {
			return i + 1
		}
	}
	return 0
}

// items returns the items of a signature header that are at the position, or
// begin with the prefix, less that prefix.
func (v *SignatureVerifier) items(value string, position int, prefix string) []string {
	if v.scheme.Separator == "" {
		if item, ok := strings.CutPrefix(value, prefix); ok {
			return []string{item}
		}
		return nil
	}
	var items []string
	n := 0
	for item := range strings.SplitSeq(value, v.scheme.Separator) {
		n++
		if position != 0 && position != n {
			continue
		}
		if item, ok := strings.CutPrefix(strings.TrimSpace(item), prefix); ok {
			items = append(items, item)
		}
	}
	return items
}

// timestamp returns the timestamp as it was sent; "" when the scheme has none.
func (v *SignatureVerifier) timestamp(value string, header http.Header) (string, error) {
	t := v.scheme.Timestamp
	if t == nil {
		return "", nil
	}
	if t.Header != "" {
		return single(header, t.Header)
	}
	return one(v.items(value, t.Item, t.Prefix))
}

// fresh reports whether a signed timestamp is within the tolerance of now.
func (v *SignatureVerifier) fresh(timestamp string, now time.Time) error {
	var t time.Time
	switch v.scheme.Timestamp.Format {
	case RFC3339:
		parsed, err := time.Parse(time.RFC3339, timestamp)
		if err != nil {
			return ErrBad
		}
		t = parsed
	default:
		n, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil {
			return ErrBad
		}
		if v.scheme.Timestamp.Format == UnixMilli {
			t = time.UnixMilli(n)
		} else if n > math.MaxInt64/2 || n < math.MinInt64/2 {
			return ErrStale // beyond what time.Time can subtract
		} else {
			t = time.Unix(n, 0)
		}
	}
	// Sub saturates, so that no distance overflows into the tolerance; negating
	// its minimum would.
	if age := now.Sub(t); age > v.tolerance || age < -v.tolerance {
		return ErrStale
	}
	return nil
}

// checker checks signatures made with one key.
type checker interface {
	// check reports whether one of the encoded signatures is right for content.
	check(enc encoding, content parts, signatures []string) bool
}

func newChecker(algorithm string, key []byte) (checker, error) {
	if algorithm != Ed25519 {
		newHash := hashes[algorithm]
		return &macKey{pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(newHash, key)} }}}, nil
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("an ed25519 public key has %d bytes", ed25519.PublicKeySize)
	}
	return publicKey(key), nil
}

// macKey checks HMACs (RFC 2104). Its hashes are reused: hmac keeps the state
// after the key, which saves half of the work for a short body.
type macKey struct{ pool sync.Pool } // of *mac

// mac is a keyed hash and room for what is compared.
type mac struct {
	hash.Hash
	want, presented []byte
}

// check encodes the right signature and compares texts: there is one spelling of
// it, and nothing that a sender wrote is decoded.
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
