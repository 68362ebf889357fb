package ingress

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// publicURL returns the URL that the provider called: the configured one, or what Caddy
// knows of scheme and host, with the path as the client sent it. The query is always the
// client's. uri is the target of the request, and query a part of it.
func (x *exchange) publicURL(uri, query string) string {
	if x.rc.URL == "" {
		return x.scheme() + "://" + x.host() + uri
	}
	base, _, _ := strings.Cut(x.rc.URL, "?")
	return joinQuery(base, query)
}

// scheme returns the scheme of the request, as Caddy's reverse proxy hands it on.
func (x *exchange) scheme() string {
	if scheme := x.forwarded("X-Forwarded-Proto"); scheme != "" {
		return scheme
	}
	if x.r.TLS != nil {
		return "https"
	}
	return "http"
}

// host returns the host of the request, as Caddy's reverse proxy hands it on.
func (x *exchange) host() string {
	if host := x.forwarded("X-Forwarded-Host"); host != "" {
		return host
	}
	return x.r.Host
}

// forwarded returns the last value of a header that a trusted proxy has set, "" if there is
// none, or if the client is not such a proxy.
func (x *exchange) forwarded(name string) string {
	isTrusted, _ := caddyhttp.GetVar(x.r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	values := x.r.Header[http.CanonicalHeaderKey(name)]
	if !isTrusted || len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
