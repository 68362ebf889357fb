package delivery

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/traced"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// spanAttempt is the span of an attempt to deliver an event whose request is in a trace.
const spanAttempt = "webhooks.attempt"

// spans begins the spans of attempts. It lives as long as the queue, so that attempts go
// on being traced after a reload.
type spans struct {
	provider atomic.Pointer[trace.TracerProvider] // of the last request in a trace; nil for none
}

// learn remembers where the spans of a request go: Caddy shares that only with requests.
func (s *spans) learn(ctx context.Context, events []*queue.Event) {
	if !isTraced(events[0]) {
		return
	}
	provider := trace.SpanFromContext(ctx).TracerProvider()
	if known := s.provider.Load(); known == nil || *known != provider {
		s.provider.Store(&provider)
	}
}

// begin begins the span of an attempt as a child of the request's. Before the first
// request since Caddy has started there is none, but attempts still name their trace.
func (s *spans) begin(ctx context.Context, destination string, d *queue.Delivery) (context.Context, trace.Span) {
	ctx = traced.Context{Parent: d.Request.TraceParent, State: d.Request.TraceState}.Within(ctx)
	provider := s.provider.Load()
	if provider == nil {
		return ctx, trace.SpanFromContext(ctx)
	}
	return (*provider).Tracer(traced.ScopeName).Start(ctx, spanAttempt, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String(traced.Provider, d.Provider),
		attribute.String(traced.Source, d.Source),
		attribute.String(traced.Type, d.Type),
		attribute.String(traced.ID, d.Key.String()),
		attribute.String(traced.Destination, destination),
		attribute.Int(traced.Attempt, d.Attempt),
		attribute.Bool(traced.Replay, d.Replay),
	))
}

// traced returns the function that makes attempts for a destination, with a span for
// each attempt whose event is in a trace.
func (s *Service) traced(to queue.Destination) func(context.Context, *queue.Delivery) queue.Result {
	return func(ctx context.Context, d *queue.Delivery) (result queue.Result) {
		if !isTraced(d.Event) {
			return to.Deliver(ctx, d)
		}
		ctx, span := s.spans.begin(ctx, to.Name, d)
		defer func() { // also if a handler panics, which is a failed attempt
			outcome := result.Outcome(d.Attempt, to.Attempts)
			if outcome == queue.OutcomeRetrying && errors.Is(ctx.Err(), context.Canceled) {
				outcome = queue.OutcomeHandedBack
			}
			endAttempt(span, result.Status, outcome)
		}()
		return to.Deliver(ctx, d)
	}
}

// endAttempt ends the span of an attempt. Its error is left out: it may hold anything.
func endAttempt(span trace.Span, status int, outcome queue.Outcome) {
	if status != 0 {
		span.SetAttributes(attribute.Int(traced.Status, status))
	}
	span.SetAttributes(attribute.String(traced.Outcome, string(outcome)))
	if outcome != queue.OutcomeDelivered {
		span.SetStatus(codes.Error, string(outcome))
	}
	span.End()
}

// isTraced reports whether the request that brought an event is in a trace.
func isTraced(e *queue.Event) bool { return e.Request != nil && e.Request.TraceParent != "" }
