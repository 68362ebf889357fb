package ingress

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Credentials are the places in a request that a provider's proof comes from.
type Credentials struct {
	// Headers are names of headers in canonical form. A `*` at the end stands for any
	// characters.
	Headers []string

	// Query are names of parameters.
	Query []string
}

// AddHeader adds a header, once.
func (c *Credentials) AddHeader(name string) {
	name = http.CanonicalHeaderKey(name)
	if !slices.Contains(c.Headers, name) {
		c.Headers = append(c.Headers, name)
	}
}

// matches reports whether a header's name matches one that ends with `*`.
func (c *Credentials) matches(name string) bool {
	return slices.ContainsFunc(c.Headers, func(pattern string) bool {
		prefix, isPattern := strings.CutSuffix(pattern, "*")
		return isPattern && strings.HasPrefix(name, prefix)
	})
}

// AddQuery adds a parameter of the query, once.
func (c *Credentials) AddQuery(name string) {
	if !slices.Contains(c.Query, name) {
		c.Query = append(c.Query, name)
	}
}

// forgeable are prefixes of headers that a sender must not bring along, because an
// application believes them: those of Standard Webhooks, and those of its
// forerunner, which its libraries accept, too.
var forgeable = []string{"Webhook-", "Svix-"}

func isForgeable(name string) bool {
	return slices.ContainsFunc(forgeable, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// methodOverride makes frameworks take a POST for another method.
const methodOverride = "X-Http-Method-Override"

// removeCredentials removes the proof of the request, and everything that could pass
// for the gateway's own, from header, URL and body: also from the original URL, which
// FastCGI and placeholders hand on. If an earlier handler has copied the request, as
// tracing does, Caddy's own request keeps its RequestURI: that is out of reach.
//
// It does so once. Afterwards the request carries the event, for handle_errors, too,
// and the next handler may still be reading it.
func (x *exchange) removeCredentials() {
	if x.isClean {
		return
	}
	x.isClean = true
	header := x.r.Header
	x.r.Body, x.r.ContentLength, x.r.TransferEncoding = http.NoBody, 0, nil
	delete(header, "Content-Length")
	for _, name := range x.rc.Credentials.Headers {
		delete(header, name)
	}
	delete(header, methodOverride)
	for name := range header {
		if isForgeable(name) || x.rc.Credentials.matches(name) {
			delete(header, name)
		}
	}
	query := x.rc.Credentials.Query
	if len(query) == 0 {
		return
	}
	x.r.URL.RawQuery = withoutParameters(x.r.URL.RawQuery, query)
	if path, rest, ok := strings.Cut(x.r.RequestURI, "?"); ok {
		x.r.RequestURI = joinQuery(path, withoutParameters(rest, query))
	}
	original, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	// Others who have the value from the context share its URL.
	original.URL.RawQuery = withoutParameters(original.URL.RawQuery, query)
	original.RequestURI = original.URL.RequestURI()
	*x.r = *x.r.WithContext(context.WithValue(x.r.Context(), caddyhttp.OriginalRequestCtxKey, original))
	// The replacer may hold an older copy of the request.
	x.repl.Set("http.request.orig_uri", original.RequestURI)
}

func joinQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// withoutParameters removes parameters from a query and leaves the others as they
// are written.
func withoutParameters(query string, names []string) string {
	if query == "" {
		return ""
	}
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		if unescaped, err := url.QueryUnescape(name); err == nil {
			name = unescaped
		}
		return slices.Contains(names, name)
	})
	return strings.Join(pairs, "&")
}
