package ingress

import (
	"net"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// The durable way: events → queue → answer. The queue's unique key is the claim.

// store stores the events of a request, all of them or none, and answers once they
// are on disk.
func (x *exchange) store(events []provider.Raw) error {
	read := x.readEvents(events)
	stored := x.forQueue(read)
	ctx, span := x.span(spanStore, trace.SpanKindProducer)
	start := x.rc.Now()
	isNew, err := x.rc.Queue.Store(ctx, stored)
	x.waited += x.rc.Now().Sub(start)
	if err != nil {
		span.endStore(x, len(read), outcomeQueueUnavailable)
		for i := range read {
			x.reportStored(&read[i], stored[i], outcomeQueueUnavailable)
		}
		return x.notStored(err)
	}
	result := x.countStored(read, stored, isNew)
	span.endStore(x, len(read), result)
	return x.acknowledge(result)
}

// readEvents reads the events that the queue is to keep.
func (x *exchange) readEvents(events []provider.Raw) []provider.Event {
	// Some providers' types and ids are in the header, beside credentials.
	request := *x.request()
	request.Header = request.Header.Clone()
	x.removeCredentials()
	if x.rc.Queue.WholeRequest {
		return []provider.Event{x.whole(events, &request)}
	}
	read := make([]provider.Event, len(events))
	for i, event := range events {
		read[i] = x.rc.Provider.Read(event, &request)
	}
	return read
}

// forQueue returns events as the queue keeps them.
func (x *exchange) forQueue(read []provider.Event) []*queue.Event {
	request := x.snapshot()
	stored := make([]*queue.Event, len(read))
	for i := range read {
		e := &read[i]
		key := x.setCurrent(e)
		q := &queue.Event{
			// A text that was read from the body shares its memory, and would keep all of it.
			Key: key, Source: x.rc.Source, Provider: e.Provider, Type: strings.Clone(e.Type),
			Subject: strings.Clone(e.Subject), PartitionKey: strings.Clone(e.PartitionKey), ID: strings.Clone(e.ID),
			Received: x.received, Window: x.rc.Queue.Window, Request: request,
		}
		if x.rc.Queue.WholeRequest {
			q.Body = []byte(e.Original)
		} else {
			e.Source, e.Recorded = x.rc.Source, x.received
			e.TraceParent, e.TraceState = x.trace.Parent, x.trace.State
			q.Body, q.Original = e.Append(make([]byte, 0, e.Size())), len(e.Original)
		}
		stored[i] = q
	}
	return stored
}

// snapshot returns the request as the queue stores it, for the handlers that deliver
// its events: without its body, and after removeCredentials.
func (x *exchange) snapshot() *queue.Request {
	header := x.r.Header.Clone()
	for _, name := range staleHeaders {
		delete(header, name)
	}
	s := &queue.Request{
		Method:     x.r.Method,
		URI:        x.target(),
		Host:       x.r.Host,
		Proto:      x.r.Proto,
		RemoteAddr: x.r.RemoteAddr,
		TLS:        x.r.TLS != nil,
		Header:     header,

		TraceParent: x.trace.Parent,
		TraceState:  x.trace.State,
	}
	if local, ok := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		s.LocalAddr = local.String()
	}
	return s
}

// countStored counts the outcomes of events, and returns that of the request.
func (x *exchange) countStored(read []provider.Event, stored []*queue.Event, isNew []bool) Outcome {
	result := outcomeDuplicate
	x.isUnrouted = true
	for i := range read {
		outcome := outcomeAccepted
		switch {
		case !isNew[i]:
			x.reportStored(&read[i], stored[i], outcomeDuplicate)
			continue
		case !x.rc.Queue.IsRouted(stored[i]):
			outcome = outcomeUnrouted
			x.rc.Queue.Unrouted.Log(unroutedKind(read[i].Provider), zap.String("source", x.rc.Source),
				zap.String("type", stored[i].Type), zap.String("id", stored[i].Key.String()))
		default:
			x.isUnrouted = false
		}
		x.reportStored(&read[i], stored[i], outcome)
		result = outcomeAccepted
	}
	return result
}

// notStored is the refusal of a request whose events may not be on disk. Those that
// are will be duplicates when they come again.
func (x *exchange) notStored(err error) error {
	if x.r.Context().Err() != nil {
		return &Refusal{Reason: outcomeQueueUnavailable, Status: statusClientClosed, Err: errClientGone}
	}
	x.w.Header().Set("Retry-After", retryAfter)
	return &Refusal{Reason: outcomeQueueUnavailable, Status: http.StatusServiceUnavailable, Err: err}
}
