package console

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// userOf returns who makes a request, as the handlers before this one have found out:
// empty if they have not.
func userOf(r *http.Request) string {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		if user, _ := repl.GetString("http.auth.user.id"); user != "" {
			return user
		}
	}
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	certificate := r.TLS.PeerCertificates[0]
	if name := certificate.Subject.CommonName; name != "" {
		return name
	}
	return "certificate " + certificate.SerialNumber.Text(16)
}
