package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// SignatureVerifier proves that a request is signed with one of the keys.
type SignatureVerifier struct {
	scheme    Signature
	places    []source
	stamp     source // of a timestamp that is not an item
	content   content
	elements  *elements // nil if the body is signed as one
	encoding  encoding
	keys      []checker
	tolerance time.Duration
}

// NewSignatureVerifier returns a verifier for the scheme s. The secrets are public keys if
// the scheme has these. Several are for rotation: any may match. The tolerance is the
// maximum difference, past or future, between a signed timestamp and the time of the
// request. Errors never contain a secret.
func NewSignatureVerifier(s Signature, secrets []string, tolerance time.Duration) (*SignatureVerifier, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	name := "secret"
	if s.HasPublicKey() {
		name = "public key"
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("a %s is required", name)
	}
	s = s.withDefaults()
	v := &SignatureVerifier{scheme: s, encoding: encodings[s.Encoding], tolerance: tolerance}
	var err error
	if v.content, err = newContent("content", s.Content); err != nil {
		return nil, err
	}
	if s.Each != "" {
		if v.elements, err = newElements(s.Each); err != nil {
			return nil, err
		}
	}
	for _, place := range s.Places {
		v.places = append(v.places, newSource(place))
	}
	if t := s.Timestamp; t != nil {
		v.stamp = newSource(SignaturePlace{Header: t.Header, Query: t.Query, Body: t.Body})
	}
	for i, secret := range secrets {
		key, err := s.newChecker(secret)
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", name, i+1, err)
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// Verify implements Verifier. The timestamp is checked after the signature, so that
// ErrStale is only returned for a right one.
func (v *SignatureVerifier) Verify(r *Request) (Proof, error) {
	if v.elements != nil {
		return v.verifyEach(r)
	}
	proof, err := v.verify(subject{Request: r})
	if err == nil && v.scheme.BodyHash != "" {
		err = v.checkBodyHash(r)
	}
	if err != nil {
		return Proof{}, err
	}
	return proof, nil
}

// verify looks for a right signature in the places. If there is none, the error is about
// the one that came closest.
func (v *SignatureVerifier) verify(s subject) (Proof, error) {
	var refusal error
	for i := range v.places {
		n, err := v.tryPlace(s, &v.places[i])
		if n > 0 {
			return Proof{Ordinal: n}, nil
		}
		refusal = closest(refusal, err)
	}
	if refusal == nil {
		refusal = explain(ErrMissing, v.names())
	}
	return Proof{}, refusal
}

// tryPlace returns the position, from 1, of the key that is right for a signature in the
// place; 0 and no error if nothing is there.
func (v *SignatureVerifier) tryPlace(s subject, place *source) (int, error) {
	if !place.isPattern() {
		value, err := place.read(s)
		switch {
		case errors.Is(err, ErrMissing):
			return 0, nil
		case err != nil:
			return 0, explain(err, place.String())
		}
		return v.try(s, place, value)
	}
	values, refusal := place.matching(s.Header)
	if len(values) == 0 {
		return 0, refusal
	}
	n, err := v.try(s, place, values...)
	return n, closest(refusal, err)
}

// try is tryPlace for the values that were read there. There are several only in the
// headers of a pattern: what is signed is hashed once for all of them.
func (v *SignatureVerifier) try(s subject, place *source, values ...string) (int, error) {
	var signatures []string
	items := 0
	for _, value := range values {
		if items++; v.scheme.Separator != "" {
			items += strings.Count(value, v.scheme.Separator)
		}
		if items > MaxItems {
			return 0, because(ErrBad, "%s has more than %d items", place, MaxItems)
		}
		signatures = v.appendItems(signatures, value, place.Item, v.scheme.Prefix)
	}
	timestamp, err := v.timestamp(s, values[0])
	if err != nil {
		return 0, explain(err, v.scheme.Timestamp.place(place.SignaturePlace))
	}
	content, err := v.content.parts(s, timestamp)
	if err != nil {
		return 0, err
	}
	n := v.match(signatures, content)
	if n == 0 {
		return 0, v.mismatch(place, signatures)
	}
	if v.scheme.Timestamp != nil {
		if err := v.fresh(timestamp, s.Time); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// match returns the position, from 1, of the first key for which one of the signatures is
// right; 0 if there is none.
func (v *SignatureVerifier) match(signatures []string, content parts) int {
	for i, key := range v.keys {
		if key.check(v.encoding, content, signatures) {
			return i + 1
		}
	}
	return 0
}

// appendItems appends the items of a value that are at the position, or all for position 0,
// and begin with the prefix, without that prefix.
func (v *SignatureVerifier) appendItems(items []string, value string, position int, prefix string) []string {
	if v.scheme.Separator == "" {
		if item, ok := strings.CutPrefix(value, prefix); ok {
			items = append(items, item)
		}
		return items
	}
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

// timestamp returns the timestamp as it was sent; "" if the scheme has none. value is
// what the place of the signature holds.
func (v *SignatureVerifier) timestamp(s subject, value string) (string, error) {
	t := v.scheme.Timestamp
	switch {
	case t == nil:
		return "", nil
	case t.isItem():
		return one(v.appendItems(nil, value, t.Item, t.Prefix))
	case t.Body != "":
		return v.stamp.path.text(s.root())
	default:
		return v.stamp.read(s)
	}
}

// fresh returns an error unless a signed timestamp is within the tolerance of now.
func (v *SignatureVerifier) fresh(timestamp string, now time.Time) error {
	t, err := v.scheme.Timestamp.parse(timestamp)
	if err != nil {
		return because(ErrBad, "the signed timestamp is not in the format %s", v.scheme.Timestamp.Format)
	}
	return checkAge("the timestamp", t, now, v.tolerance)
}
