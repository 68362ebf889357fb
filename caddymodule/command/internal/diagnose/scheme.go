package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// otherScheme is a scheme that differs from the provider's in one thing.
type otherScheme struct {
	name   string // completes "the signature is right …"
	scheme provider.Verify
}

// otherSchemes returns the schemes that are similar to a provider's.
func otherSchemes(scheme provider.Verify) []otherScheme {
	if scheme.JWT != nil {
		return otherJWTs(*scheme.JWT)
	}
	var others []otherScheme
	add := func(name string, s verify.Signature) {
		others = append(others, otherScheme{name, provider.Verify{Signature: &s}})
	}
	encoding := cmp.Or(scheme.Signature.Encoding, verify.Hex)
	for _, e := range []string{verify.Hex, verify.Base64, verify.Base64URL} {
		if other := *scheme.Signature; e != encoding {
			other.Encoding = e
			add(fmt.Sprintf("in %s, and %s is expected", e, encoding), other)
		}
	}
	for _, a := range []string{verify.HMACSHA1, verify.HMACSHA256, verify.HMACSHA512} {
		if other := *scheme.Signature; isHMAC(&other) && a != scheme.Signature.Algorithm {
			other.Algorithm = a
			add(fmt.Sprintf("by %s, and %s is expected", a, scheme.Signature.Algorithm), other)
		}
	}
	return others
}

// otherJWTs returns the schemes of a token with another algorithm, or with other claims.
func otherJWTs(scheme verify.JWT) []otherScheme {
	var others []otherScheme
	add := func(name string, s verify.JWT) { others = append(others, otherScheme{name, provider.Verify{JWT: &s}}) }
	for _, a := range []string{"hs256", "hs384", "hs512"} {
		if other := scheme; !slices.Contains(scheme.Algorithms, a) {
			other.Algorithms = []string{a}
			add(fmt.Sprintf("by %s, and %s is expected", a, strings.Join(scheme.Algorithms, " or ")), other)
		}
	}
	for i, claim := range scheme.Claims {
		other := scheme
		other.Claims = slices.Delete(slices.Clone(scheme.Claims), i, i+1)
		add("but for claim "+claim.Name, other)
	}
	return others
}

func isHMAC(s *verify.Signature) bool { return s != nil && strings.HasPrefix(s.Algorithm, "hmac-") }
