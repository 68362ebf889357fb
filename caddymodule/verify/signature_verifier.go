package verify

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignatureVerifier proves that a request is signed with one of the secrets.
type SignatureVerifier struct {
	scheme    Signature
	content   template
	encoding  encoding
	keys      []checker
	tolerance time.Duration
}

// NewSignatureVerifier returns a verifier for the scheme s. Several secrets are for
// rotation: any may match. The tolerance is the maximum difference, past or future,
// between a signed timestamp and the time of the request. Errors never contain a
// secret.
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
		v.keys = append(v.keys, newChecker(s.Algorithm, key))
	}
	return v, nil
}

// Verify implements Verifier. The timestamp is checked after the signature, so that
// ErrStale is only returned for a right one.
func (v *SignatureVerifier) Verify(r *Request) (Proof, error) {
	value, err := single(r.Header, v.scheme.Header)
	if err != nil {
		return Proof{}, explain(err, "header "+v.scheme.Header)
	}
	if v.scheme.Separator != "" && strings.Count(value, v.scheme.Separator) >= MaxItems {
		return Proof{}, because(ErrBad, "header %s has more than %d items", v.scheme.Header, MaxItems)
	}
	timestamp, err := v.timestamp(value, r.Header)
	if err != nil {
		return Proof{}, explain(err, v.scheme.timestampPlace())
	}
	content, twice := v.content.parts(r, timestamp)
	if twice != "" {
		return Proof{}, explain(ErrBad, "header "+twice)
	}
	n := v.match(value, content)
	if n == 0 {
		return Proof{}, v.mismatch(value)
	}
	if v.scheme.Timestamp != nil {
		if err := v.fresh(timestamp, r.Time); err != nil {
			return Proof{}, err
		}
	}
	return Proof{Ordinal: n}, nil
}

// mismatch returns the error of a header without a right signature.
func (v *SignatureVerifier) mismatch(value string) error {
	signatures := v.items(value, v.scheme.Item, v.scheme.Prefix)
	switch {
	case len(signatures) == 0:
		return because(ErrBad, "header %s holds no signature%s", v.scheme.Header, v.scheme.whichItem())
	case !slices.ContainsFunc(signatures, v.scheme.isWellFormed):
		return because(ErrBad, "the signature in header %s is malformed: it should be %d bytes in %s", v.scheme.Header, v.scheme.signatureSize(), v.scheme.Encoding)
	}
	return because(ErrBad, "the signature in header %s is well-formed, but not by %s over this content; compare the keys, and check that nothing changes the body on its way",
		v.scheme.Header, v.tried())
}

// tried names the keys.
func (v *SignatureVerifier) tried() string {
	if len(v.keys) == 1 {
		return "the configured key"
	}
	return fmt.Sprintf("any of the %d configured keys", len(v.keys))
}

// match returns the position, from 1, of the first key for which one of the
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

// items returns the items of a signature header that are at the position, or all for
// position 0, and begin with the prefix, without that prefix.
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
		if text, ok := strings.CutPrefix(strings.TrimSpace(item), prefix); ok {
			items = append(items, text)
		}
	}
	return items
}

// timestamp returns the timestamp as it was sent; "" if the scheme has none.
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

// fresh returns an error unless a signed timestamp is within the tolerance of now.
func (v *SignatureVerifier) fresh(timestamp string, now time.Time) error {
	var t time.Time
	switch v.scheme.Timestamp.Format {
	case RFC3339:
		parsed, err := time.Parse(time.RFC3339, timestamp)
		if err != nil {
			return v.unreadable()
		}
		t = parsed
	default:
		n, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil {
			return v.unreadable()
		}
		if v.scheme.Timestamp.Format == UnixMilli {
			t = time.UnixMilli(n)
		} else if n > math.MaxInt64/2 || n < math.MinInt64/2 {
			return because(ErrStale, "the timestamp is centuries away from now") // beyond what time.Time can subtract
		} else {
			t = time.Unix(n, 0)
		}
	}
	// Sub saturates instead of overflowing into the tolerance; negating its minimum
	// would overflow.
	switch age := now.Sub(t); {
	case age > v.tolerance:
		return because(ErrStale, "the timestamp is %s old, and `tolerance` is %s", age.Truncate(time.Second), v.tolerance)
	case age < -v.tolerance:
		return because(ErrStale, "the timestamp is %s in the future, and `tolerance` is %s; compare the clocks", t.Sub(now).Truncate(time.Second), v.tolerance)
	}
	return nil
}

func (v *SignatureVerifier) unreadable() error {
	return because(ErrBad, "the signed timestamp is not in the format %s", v.scheme.Timestamp.Format)
}
