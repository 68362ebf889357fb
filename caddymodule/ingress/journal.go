package ingress

import (
	"unsafe"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// journaled returns a refusal for the journal: with the names of headers, and no values.
func (x *exchange) journaled(refused *Refusal) journal.Refusal {
	names := make([]string, 0, len(x.r.Header))
	for name := range x.r.Header {
		// Those of the gateway's own came in place of the sender's.
		if !x.isClean || !isForgeable(name) {
			names = append(names, name)
		}
	}
	return journal.Refusal{
		Reason: string(refused.Reason), Status: refused.Status, Cause: refused.Err.Error(),
		ClientIP: x.clientIP(), Method: x.r.Method, Path: x.r.URL.Path,
		Size: x.size, Headers: names,
	}
}

// publish adds an event to the live feed. body is what was or would have been handed over;
// without one, it is the provider's own bytes.
func (x *exchange) publish(e *provider.Event, key envelope.Key, body []byte, result Outcome) {
	if !x.rc.Journal.PublishesEvents() {
		return
	}
	if body == nil {
		body = unsafe.Slice(unsafe.StringData(e.Original), len(e.Original)) // nobody writes to it
	}
	x.rc.Journal.PublishEvent(key, &e.Event, x.received, string(result), body)
}

// reportDirect counts the event at hand, notes what became of it, and adds it to the live
// feed.
func (x *exchange) reportDirect(e *provider.Event, result Outcome) {
	x.count(e, result)
	switch {
	case x.handed.Body != nil:
		x.handed.IsAccepted = result == outcomeAccepted
		x.rc.Journal.Handled(&x.handed)
	case result == outcomeDuplicate:
		x.rc.Journal.CameAgain(x.current.key, x.received)
	}
	x.publish(e, x.current.key, x.handed.Body, result)
}

// reportStored counts an event for the queue, and adds it to the live feed.
func (x *exchange) reportStored(e *provider.Event, stored *queue.Event, result Outcome) {
	x.count(e, result)
	x.publish(e, stored.Key, stored.Body, result)
}
