package ingress

import (
	"context"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// staleHeaders describe the body as it came in, or ask for something that is done
// already; Connection could name headers of the gateway, which a proxy then drops.
var staleHeaders = []string{"Content-Encoding", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Expect", "Connection"}

// setEvent makes r the request that carries an event to the next handler.
func (x *exchange) setEvent(r *http.Request, e *provider.Event, key envelope.Key) {
	for _, name := range staleHeaders {
		delete(r.Header, name)
	}
	if x.rc.passesAnswers() {
		// The answer is kept as it is read, and repeated to any client.
		delete(r.Header, "Accept-Encoding")
	}
	x.handed = journal.NewDirectEvent(key, &e.Event, x.received, r, x.target())
	var body []byte
	if x.rc.Format == envelope.FormatOriginal {
		body = []byte(e.Original)
		envelope.SetBody(r, body)
	} else {
		e.Source, e.Recorded = x.rc.Source, x.received
		e.TraceParent, e.TraceState = x.trace.Parent, x.trace.State
		body = e.Append(make([]byte, 0, e.Size()))
		envelope.SetEnvelope(r, body)
		x.handed.Original = len(e.Original)
	}
	x.handed.Body = body
	// The application may take its time, and the envelope holds all of it.
	e.Fields, e.Original = nil, ""
	x.rc.Signer.SetHeaders(r.Header, key.String(), x.rc.Now(), body)
}

// routeGroups is the key, not exported by Caddy, under which a request's context
// holds the groups of routes of which one was taken.
const routeGroups = caddy.CtxKey("route_group")

// freshRequest returns a copy of the request for one event of a batch. What the
// handlers after this one note about a request, such as which group of routes was
// taken, must not reach the next event; notes of the handlers before it must.
func (x *exchange) freshRequest() *http.Request {
	ctx := x.r.Context()
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	repl := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(x.r.Clone(ctx), repl, x.w, server)
	repl.Map(x.repl.Get) // values that earlier handlers set

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

// copyInto copies the map under a key of from into that of to.
func copyInto[V any](to, from context.Context, key caddy.CtxKey) {
	source, _ := from.Value(key).(map[string]V)
	if target, ok := to.Value(key).(map[string]V); ok {
		maps.Copy(target, source)
	}
}
