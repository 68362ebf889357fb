package diagnose

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// secretForm is another form of the secrets, or another way to read them.
type secretForm struct {
	name string // completes "the signature is right with …"
	of   func(secrets []string, scheme provider.Verify) (others []string, as provider.Verify, ok bool)
}

var secretForms = []secretForm{
	{"the secret without the space around it; remove it", each(strings.TrimSpace)},
	{"the secret without the quotes around it; remove them", each(func(s string) string { return strings.Trim(s, `"'`) })},
	{"the secret without its prefix; remove it", each(withoutPrefix)},
	{"the secret as it is written, not decoded", as(verify.Raw)},
	{"the secret decoded from hex", as(verify.Hex)},
	{"the secret decoded from base64", as(verify.Base64)},
	{"the secret decoded from base64url", as(verify.Base64URL)},
}

// each returns the form in which every secret is changed.
func each(change func(string) string) func([]string, provider.Verify) ([]string, provider.Verify, bool) {
	return func(secrets []string, scheme provider.Verify) ([]string, provider.Verify, bool) {
		changed := make([]string, len(secrets))
		for i, secret := range secrets {
			changed[i] = change(secret)
		}
		return changed, scheme, !slices.Equal(changed, secrets)
	}
}

// as returns the form in which the key is in another encoding.
func as(encoding string) func([]string, provider.Verify) ([]string, provider.Verify, bool) {
	return func(secrets []string, scheme provider.Verify) ([]string, provider.Verify, bool) {
		if !isHMAC(scheme.Signature) {
			return nil, scheme, false
		}
		other := *scheme.Signature
		known := cmp.Or(other.Key, verify.Raw)
		other.Key = encoding
		if encoding == verify.Raw {
			other.KeyPrefix = ""
		}
		scheme.Signature = &other
		return secrets, scheme, known != encoding
	}
}

// withoutPrefix removes a prefix such as `whsec_`.
func withoutPrefix(secret string) string {
	if _, rest, ok := strings.Cut(secret, "_"); ok {
		return rest
	}
	return secret
}
