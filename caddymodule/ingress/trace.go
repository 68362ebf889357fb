package ingress

import (
	"context"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/traced"
)

// Spans of a request whose trace Caddy's `tracing` handler has begun.
const (
	spanVerify  = "webhooks.verify"
	spanStore   = "webhooks.store"
	spanForward = "webhooks.forward"
)

// requestTrace is the trace of a request, which Caddy's `tracing` handler has begun. The
// zero value is none.
type requestTrace struct {
	traced.Context
	span trace.Span // of the request
}

// traceOf returns the trace of a request.
func traceOf(r *http.Request) requestTrace {
	span := trace.SpanFromContext(r.Context())
	return requestTrace{traced.Of(span), span}
}

// describe adds provider and outcome to the span of the request. Its status is not the
// provider's answer to a refusal, which Caddy gives after `tracing` has ended.
func (t requestTrace) describe(provider string, outcome Outcome) {
	if !t.IsZero() {
		t.span.SetAttributes(attribute.String(traced.Provider, provider), attribute.String(traced.Outcome, string(outcome)))
	}
}

// span is a part of the work on a request. The methods that end it take a nil one, of a
// request that is in no trace.
type span struct{ trace.Span }

// span begins a span of the request.
func (x *exchange) span(name string, kind trace.SpanKind) (context.Context, *span) {
	ctx := x.r.Context()
	if x.trace.IsZero() {
		return ctx, nil
	}
	tracer := x.trace.span.TracerProvider().Tracer(traced.ScopeName)
	ctx, begun := tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(
		attribute.String(traced.Provider, x.rc.Provider.Name()), attribute.String(traced.Source, x.rc.Source)))
	return ctx, &span{begun}
}

// setEvent names the event at hand.
func (s *span) setEvent(x *exchange) {
	s.SetAttributes(attribute.String(traced.ID, x.current.key.String()), attribute.String(traced.Type, x.current.eventType))
}

// end ends the span with an outcome, if there is one. Errors are left out: one of the
// next handler's may hold anything.
func (s *span) end(outcome Outcome, isFailure bool) {
	if outcome != "" {
		s.SetAttributes(attribute.String(traced.Outcome, string(outcome)))
	}
	if isFailure {
		s.SetStatus(codes.Error, string(outcome))
	}
	s.End()
}

// endVerify ends the span of the proof. secret is the position of the secret that
// matched, 0 for none.
func (s *span) endVerify(secret int, err error) {
	switch {
	case s == nil:
	case err != nil:
		s.end(refusalFor(err).Reason, true)
	default:
		s.SetAttributes(attribute.Int(traced.Secret, secret))
		s.end("", false)
	}
}

// endStore ends the span of the events that a request stores.
func (s *span) endStore(x *exchange, events int, outcome Outcome) {
	if s == nil {
		return
	}
	if events == 1 {
		s.setEvent(x)
	}
	s.SetAttributes(attribute.Int(traced.Events, events))
	s.end(outcome, outcome == outcomeQueueUnavailable)
}

// traceForward begins the span of an event that goes to the next handler with r.
func (x *exchange) traceForward(r *http.Request) *span {
	ctx, s := x.span(spanForward, trace.SpanKindClient)
	if s == nil {
		return nil
	}
	s.setEvent(x)
	*r = *r.WithContext(trace.ContextWithSpan(r.Context(), s.Span)) // in place: the replacer holds this pointer
	traced.SetHeader(ctx, r.Header)
	return s
}

// endForward ends the span of an event that went to the next handler.
func (s *span) endForward(status int, err error) {
	if s == nil {
		return
	}
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) {
		status = handlerErr.StatusCode
	}
	if status != 0 {
		s.SetAttributes(attribute.Int(traced.Status, status))
	}
	outcome := outcomeAccepted
	if err != nil || !isSuccess(status) {
		outcome = outcomeUpstreamFailed
	}
	s.end(outcome, outcome != outcomeAccepted)
}
