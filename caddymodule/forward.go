package caddymodule

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// signaturePrefix begins the headers of Standard Webhooks, which a sender must
// not be able to bring along.
const signaturePrefix = "Webhook-"

// staleHeaders describe the body as it came in, or ask for something that is
// done already; Connection could name headers of ours, which a proxy then drops.
var staleHeaders = []string{"Content-Encoding", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Expect", "Connection"}

// removeCredentials removes what proved the request, and everything that could
// pass for ours, from its header and URL: also from the original URL, which
// FastCGI and placeholders hand on.
func (x *exchange) removeCredentials() {
	header := x.r.Header
	for _, name := range x.h.credential.headers {
		delete(header, name)
	}
	for name := range header {
		if strings.HasPrefix(name, signaturePrefix) {
			delete(header, name)
		}
	}
	if len(x.h.credential.query) == 0 {
		return
	}
	x.r.URL.RawQuery = withoutParameters(x.r.URL.RawQuery, x.h.credential.query)
	if path, query, ok := strings.Cut(x.r.RequestURI, "?"); ok {
		x.r.RequestURI = joinQuery(path, withoutParameters(query, x.h.credential.query))
	}
	original, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	// The URL is shared with whoever has the value from the context.
	original.URL.RawQuery = withoutParameters(original.URL.RawQuery, x.h.credential.query)
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

// withoutParameters removes parameters from a query and leaves the others as
// they are written.
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

// setEvent makes r the request that carries an event.
func (x *exchange) setEvent(r *http.Request, e *provider.Event, key envelope.Key) {
	for _, name := range staleHeaders {
		delete(r.Header, name)
	}
	body := x.outgoingBody(e)
	if x.h.Format == formatCloudEvents {
		r.Header["Content-Type"] = []string{envelope.ContentType}
	}
	if x.h.passesAnswers() {
		// An answer is kept as it is read, and repeated to whoever asks.
		delete(r.Header, "Accept-Encoding")
	}
	// The application may take its time, and the envelope holds all of it.
	e.Fields, e.Original = nil, ""
	setBody(r, body)
	x.h.signer.SetHeaders(r.Header, key.String(), x.h.now(), body)
}

// outgoingBody returns the envelope, or the provider's own bytes.
func (x *exchange) outgoingBody(e *provider.Event) []byte {
	if x.h.Format == formatOriginal {
		return []byte(e.Original)
	}
	e.Source = x.h.Source
	e.Recorded = x.received
	return e.Append(make([]byte, 0, e.Size()))
}

// setBody replaces the body and all that says how long it is and how it travels.
func setBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.ContentLength = int64(len(body))
	r.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	r.TransferEncoding = nil
	r.Trailer = nil
}

// routeGroups is the key, not exported by Caddy, under which a request's context
// holds the groups of routes of which one was taken.
const routeGroups = caddy.CtxKey("route_group")

// freshRequest returns a copy of the request for one event of a batch. What the
// handlers after this one note about a request, such as which group of routes
// was taken, must not reach the next event; what those before it noted must.
func (x *exchange) freshRequest() *http.Request {
	ctx := x.r.Context()
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	repl := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(x.r.Clone(ctx), repl, x.w, server)
	repl.Map(x.repl.Get) // what earlier handlers set

	copyInto[any](r.Context(), ctx, caddyhttp.VarsCtxKey)
	copyInto[struct{}](r.Context(), ctx, routeGroups)
	fresh := r.Context()
	for _, key := range []caddy.CtxKey{caddyhttp.OriginalRequestCtxKey, caddyhttp.ExtraLogFieldsCtxKey} {
		if value := ctx.Value(key); value != nil {
			fresh = context.WithValue(fresh, key, value)
		}
	}
	// In place: the replacer holds this pointer.
	*r = *r.WithContext(fresh)
	return r
}

// copyInto copies what the map under a key of from holds into that of to.
func copyInto[V any](to, from context.Context, key caddy.CtxKey) {
	source, _ := from.Value(key).(map[string]V)
	if target, ok := to.Value(key).(map[string]V); ok {
		maps.Copy(target, source)
	}
}
