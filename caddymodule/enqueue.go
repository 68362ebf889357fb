package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// enqueue stores the events of a request, all of them or none, and answers after
// they are on disk.
func (x *exchange) enqueue(events []string) error {
	read := x.readAll(events)
	stored := x.forQueue(read)
	start := x.h.now()
	accepted, err := x.h.app.serving.store(x.r.Context(), stored)
	x.away += x.h.now().Sub(start)
	if err != nil {
		for i := range read {
			x.count(&read[i], queueUnavailable)
		}
		return x.refuse(x.notStored(err))
	}
	return x.acknowledge(x.countStored(read, accepted))
}

// readAll reads the events that the queue is to keep.
func (x *exchange) readAll(events []string) []provider.Event {
	// Some providers' types and ids are in the header, beside credentials.
	header := x.r.Header.Clone()
	x.removeCredentials()
	if x.h.isWholeBatch(x.h.provider) {
		return []provider.Event{x.h.provider.Whole(asString(x.body), events, header)}
	}
	read := make([]provider.Event, len(events))
	for i, event := range events {
		read[i] = x.h.provider.Read(event, header)
	}
	return read
}

// forQueue turns events into what is kept of them.
func (x *exchange) forQueue(read []provider.Event) []*queue.Event {
	carried := x.carry()
	request := &queue.Request{Bytes: carried.json(), Parsed: carried}
	var window time.Duration
	if !x.h.Dedup.Off {
		window = time.Duration(x.h.Dedup.Window)
	}
	isWhole := x.h.isWholeBatch(x.h.provider)
	stored := make([]*queue.Event, len(read))
	for i := range read {
		e := &read[i]
		key := x.begins(e)
		q := &queue.Event{
			// What was read from the body shares its memory, and would keep all of it.
			Key: key, Source: x.h.Source, Provider: e.Provider, Type: strings.Clone(e.Type),
			Subject: strings.Clone(e.Subject), PartitionKey: strings.Clone(e.PartitionKey), ID: strings.Clone(e.ID),
			Received: x.received, Window: window, Request: request,
		}
		if isWhole {
			q.Body = []byte(e.Original)
		} else {
			e.Source, e.Recorded = x.h.Source, x.received
			q.Body, q.Original = e.Append(make([]byte, 0, e.Size())), len(e.Original)
		}
		stored[i] = q
	}
	return stored
}

// countStored counts what became of the events, and returns what became of the
// request.
func (x *exchange) countStored(read []provider.Event, isNew []bool) outcome {
	result := duplicate
	for i := range read {
		switch {
		case !isNew[i]:
			x.count(&read[i], duplicate)
			continue
		case !x.h.isRouted(read[i].Type):
			x.count(&read[i], unrouted)
		default:
			x.count(&read[i], accepted)
		}
		result = accepted
	}
	return result
}

// isRouted reports whether a destination takes events of a type.
func (h *Handler) isRouted(eventType string) bool {
	for i := range h.destinations {
		if h.destinations[i].Takes(h.Source, eventType) {
			return true
		}
	}
	return false
}

// notStored is the refusal of a request whose events could not be stored. They
// may have been all the same; then they are duplicates when they come again.
func (x *exchange) notStored(err error) error {
	if x.r.Context().Err() != nil {
		return &refusal{reason: queueUnavailable, status: statusClientClosed, err: errors.New("the client went away")}
	}
	x.w.Header().Set("Retry-After", retryAfter)
	return &refusal{reason: queueUnavailable, status: http.StatusServiceUnavailable, err: err}
}

// errMixedBatch says why a block cannot have both formats.
var errMixedBatch = fmt.Errorf("all `destination` blocks beside each other need the same `format` for a provider that sends batches, which are one event as `%s` and several as `%s`; put them into two webhooks blocks with a `source` each",
	formatOriginal, formatCloudEvents)
