// Package diagnose finds out, offline, why a request does not prove itself: it verifies
// it again with one thing changed at a time. What it returns holds no secret, no token
// and no signature.
package diagnose

import (
	"math"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Refused is a request that was refused because of its proof.
type Refused struct {
	// Proof is how the provider proves its requests.
	Proof provider.Verify

	// Secrets and Tokens are those that were tried, with placeholders resolved.
	Secrets, Tokens []string

	// Body is the body of the request.
	Body []byte

	// Request returns the request with another body.
	Request func(body []byte) *verify.Request
}

// Causes returns what would have to be different for the proof to be right, a sentence
// each. It returns none if nothing that it tries makes the proof right.
func (r Refused) Causes() []string {
	var causes []string
	if (r.Proof.Signature != nil || r.Proof.JWT != nil) && len(r.Secrets) > 0 {
		causes = append(causes, r.bodies()...)
		causes = append(causes, r.secrets()...)
		causes = append(causes, r.schemes()...)
	}
	if r.Proof.Token != nil {
		causes = append(causes, r.tokens()...)
	}
	return causes
}

// bodies returns the first form of the body for which the signature is right: several
// forms of a short body are equal.
func (r Refused) bodies() []string {
	for _, form := range bodyForms {
		if body, ok := form.of(r.Body); ok && r.isSigned(r.Proof, r.Secrets, body) {
			return []string{"The signature is right for " + form.name + "."}
		}
	}
	return nil
}

// secrets returns the first form of the secrets with which the signature is right:
// several encodings can give the same key.
func (r Refused) secrets() []string {
	for _, form := range secretForms {
		if secrets, scheme, ok := form.of(r.Secrets, r.Proof); ok && r.isSigned(scheme, secrets, r.Body) {
			return []string{"The signature is right with " + form.name + "."}
		}
	}
	return nil
}

// schemes returns the schemes, similar to the provider's own, by which the signature is
// right.
func (r Refused) schemes() (causes []string) {
	for _, other := range otherSchemes(r.Proof) {
		if r.isSigned(other.scheme, r.Secrets, r.Body) {
			causes = append(causes, "The signature is right "+other.name+".")
		}
	}
	return causes
}

// isSigned reports whether the request, with another body, is signed with one of the
// secrets, at any time.
func (r Refused) isSigned(scheme provider.Verify, secrets []string, body []byte) bool {
	for _, secret := range secrets {
		verifier, err := newVerifier(scheme, secret)
		if err != nil {
			continue // this secret cannot have this form
		}
		if _, err = verifier.Verify(r.Request(body)); err == nil {
			return true
		}
	}
	return false
}

// newVerifier returns a verifier for a signature or a JSON Web Token of any age.
func newVerifier(scheme provider.Verify, secret string) (verify.Verifier, error) {
	if scheme.JWT != nil {
		return verify.NewJWTVerifier(*scheme.JWT, []string{secret}, math.MaxInt64)
	}
	return verify.NewSignatureVerifier(*scheme.Signature, []string{secret}, math.MaxInt64)
}
