package diagnose

import (
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// otherScheme is a scheme that differs from the provider's in one thing.
type otherScheme struct {
	name   string // completes "the signature is right …"
	scheme verify.Signature
}

// otherSchemes returns the schemes that are similar to a provider's.
func otherSchemes(scheme verify.Signature) []otherScheme {
	var others []otherScheme
	encoding := scheme.Encoding
	if encoding == "" {
		encoding = verify.Hex
	}
	for _, e := range []string{verify.Hex, verify.Base64, verify.Base64URL} {
		if other := scheme; e != encoding {
			other.Encoding = e
			others = append(others, otherScheme{fmt.Sprintf("in %s, and %s is expected", e, encoding), other})
		}
	}
	for _, a := range []string{verify.HMACSHA1, verify.HMACSHA256, verify.HMACSHA512} {
		if other := scheme; isHMAC(scheme) && a != scheme.Algorithm {
			other.Algorithm = a
			others = append(others, otherScheme{fmt.Sprintf("by %s, and %s is expected", a, scheme.Algorithm), other})
		}
	}
	return others
}

func isHMAC(scheme verify.Signature) bool { return strings.HasPrefix(scheme.Algorithm, "hmac-") }
