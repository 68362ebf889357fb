package verify

import (
	"encoding/hex"
	"errors"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// checkBodyHash checks the hash of the body in the query, which the signature covers. A
// hash that is there is checked for every body: otherwise, a body could come as an empty
// form under the signature of another one.
func (v *SignatureVerifier) checkBodyHash(r *Request) error {
	name := v.scheme.BodyHash
	presented, err := queryValue(r.Query, name)
	isSigned := len(r.Body) == 0 || r.isForm() && v.content.has(template.Form)
	switch {
	case errors.Is(err, ErrMissing) && isSigned:
		return nil
	case errors.Is(err, ErrMissing):
		return because(ErrBad, "query parameter %s, with the hash of the body, is not there, or empty", name)
	case err != nil:
		return explain(err, "query parameter "+name)
	case !equal(presented, hex.EncodeToString(sum256(r.Body))):
		return because(ErrBad, "query parameter %s is not the hash of this body; check that nothing changes the body on its way", name)
	}
	return nil
}
