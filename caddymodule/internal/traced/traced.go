// Package traced carries the trace of a request to the attempts to deliver its events,
// as W3C Trace Context (https://www.w3.org/TR/trace-context/). It begins no trace of its
// own: without Caddy's `tracing` handler, nothing is traced.
package traced

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// ScopeName names the instrumentation in spans.
const ScopeName = "github.com/caddy-webhooks/caddy-webhooks"

// Attributes of spans. Their values never come from a header, a query or a body, except
// for the type of an event.
const (
	Provider    = "webhooks.provider"
	Source      = "webhooks.source"
	Type        = "webhooks.type"
	ID          = "webhooks.id" // msg_…
	Events      = "webhooks.events"
	Secret      = "webhooks.secret" // its position, from 1
	Outcome     = "webhooks.outcome"
	Destination = "webhooks.destination"
	Attempt     = "webhooks.attempt"
	Replay      = "webhooks.replay"
	Status      = "http.response.status_code"
)

// maxState is the number of bytes up to which a tracestate is carried. It may come from
// the sender; the specification asks for at least 512.
const maxState = 1024

// Headers of W3C Trace Context, in the spelling of net/http.
const (
	headerParent = "Traceparent"
	headerState  = "Tracestate"
)

var propagator propagation.TraceContext

// Context is the place of an event in a trace. The zero value is in none.
type Context struct {
	Parent string // a traceparent
	State  string // a tracestate
}

// Of returns the place of a span that was begun in this process. One that only a header
// claims is none.
func Of(span trace.Span) Context {
	if current := span.SpanContext(); !current.IsValid() || current.IsRemote() {
		return Context{}
	}
	header := make(http.Header)
	SetHeader(trace.ContextWithSpan(context.Background(), span), header)
	return Context{header.Get(headerParent), header.Get(headerState)}
}

// IsZero reports whether the place is in no trace.
func (c Context) IsZero() bool { return c.Parent == "" }

// Within returns a context in which spans are children of c.
func (c Context) Within(ctx context.Context) context.Context {
	header := http.Header{headerParent: {c.Parent}}
	if c.State != "" {
		header[headerState] = []string{c.State}
	}
	return propagator.Extract(ctx, propagation.HeaderCarrier(header))
}

// SetHeader makes header name the current span of ctx, in place of any other. Without a
// span, it changes nothing.
func SetHeader(ctx context.Context, header http.Header) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	delete(header, headerParent)
	delete(header, headerState)
	propagator.Inject(ctx, propagation.HeaderCarrier(header))
	if len(header.Get(headerState)) > maxState {
		delete(header, headerState)
	}
}
