package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// closest returns the error of the two that is about a better signature.
func closest(a, b error) error {
	switch {
	case b == nil, errors.Is(a, ErrStale), errors.Is(a, ErrBad) && errors.Is(b, ErrMissing):
		return a
	}
	return b
}

// names lists the places.
func (v *SignatureVerifier) names() string {
	names := make([]string, len(v.places))
	for i, place := range v.places {
		names[i] = place.String()
	}
	return strings.Join(names, " or ")
}

// mismatch returns the error of a place without a right signature.
func (v *SignatureVerifier) mismatch(place *source, signatures []string) error {
	switch {
	case len(signatures) == 0:
		return because(ErrBad, "%s holds no signature%s", place, v.scheme.whichItem(place.Item))
	case !slices.ContainsFunc(signatures, v.isWellFormed):
		return because(ErrBad, "the signature in %s is malformed: it should be %s in %s", place, v.keys[0].form(), v.scheme.Encoding)
	}
	return because(ErrBad, "the signature in %s is well-formed, but not by %s over this content; compare the keys, and check that %s",
		place, keyNames(len(v.keys)), v.whatToCheck())
}

// whatToCheck returns what may be other than what the sender signed.
func (v *SignatureVerifier) whatToCheck() string {
	if v.content.template.Has(template.URL) {
		return "`url` is the URL that the provider calls, and that nothing changes the body on its way"
	}
	return "nothing changes the body on its way"
}

// isWellFormed reports whether a text is a signature by some key.
func (v *SignatureVerifier) isWellFormed(signature string) bool {
	decoded, ok := decode(v.encoding, signature)
	return ok && slices.ContainsFunc(v.keys, func(key checker) bool { return key.isWellFormed(decoded) })
}

// keyNames names a number of keys.
func keyNames(n int) string {
	if n == 1 {
		return "the configured key"
	}
	return fmt.Sprintf("any of the %d configured keys", n)
}

// whichItem describes the items of a place that are signatures, if not all are.
func (s Signature) whichItem(position int) string {
	switch {
	case s.Separator == "" && s.Prefix != "":
		return fmt.Sprintf(": it should begin with %q", s.Prefix)
	case position > 0 && s.Prefix != "":
		return fmt.Sprintf(": item %d should begin with %q", position, s.Prefix)
	case position > 0:
		return fmt.Sprintf(": it should have an item %d", position)
	case s.Prefix != "":
		return fmt.Sprintf(": it should have an item that begins with %q", s.Prefix)
	}
	return ""
}
