package queue

import (
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Event is an accepted event.
type Event struct {
	// Seq is its place in the order of arrival, from 1. Store sets it.
	Seq int64

	// Key identifies the event: another event with the same key is a duplicate.
	Key envelope.Key

	// Source, Provider, Type, Subject, PartitionKey and ID are attributes of its
	// envelope.
	Source, Provider, Type, Subject, PartitionKey, ID string

	// Received is when it came in.
	Received time.Time

	// Window is how long its key is remembered. With 0, the event is stored even if its
	// key is known.
	Window time.Duration

	// Request is the request that brought it. Events of one request point to the same
	// one, which is then stored once.
	Request *Request

	// Body is the envelope or, for a batch that is stored as it came, the provider's own
	// bytes.
	Body []byte

	// Original is the number of bytes of the envelope that are the provider's own: those
	// before the two braces at its end. 0 if Body is not an envelope.
	Original int

	bytes int64 // its size, once Body and Request are dropped; see withoutBytes

	// shared is the number of the first event of the same request if that brought
	// several, inCommon until they have numbers, and 0 if the event came alone.
	shared int64
}

// inCommon marks an event without a number that shares its request.
const inCommon = -1

// ownRequest returns the request to store with the event: nil if the event shares it.
func (e *Event) ownRequest() []byte {
	if e.shared != 0 || e.Request == nil {
		return nil
	}
	return e.Request.encoded()
}

// withoutBytes returns a copy of the event without its body and request.
func (e *Event) withoutBytes() *Event {
	c := *e
	c.bytes = e.size()
	c.Request, c.Body = nil, nil
	return &c
}

// IsEnvelope reports whether Body is an envelope.
func (e *Event) IsEnvelope() bool { return e.Original > 0 }

// envelope returns the envelope, nil if Body is not one.
func (e *Event) envelope() []byte {
	if !e.IsEnvelope() {
		return nil
	}
	return e.Body
}

// OriginalBytes returns the provider's own bytes.
func (e *Event) OriginalBytes() []byte {
	if !e.IsEnvelope() {
		return e.Body
	}
	end := len(e.Body) - len("}}")
	return e.Body[end-e.Original : end]
}

// clean replaces NUL in what the sender chose. PostgreSQL's text type refuses it, so
// that the event would fail however often it came.
func (e *Event) clean() {
	for _, s := range []*string{&e.Type, &e.Subject, &e.PartitionKey, &e.ID} {
		*s = withoutNUL(*s)
	}
}

func withoutNUL(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// overhead is about the number of bytes that an event takes on disk beside its own.
const overhead = 256

// size is about the number of bytes that the event takes on disk, without a shared
// request.
func (e *Event) size() int64 {
	if e.bytes != 0 {
		return e.bytes
	}
	return overhead + int64(len(e.ownRequest())+len(e.Body)+
		len(e.Source)+len(e.Provider)+len(e.Type)+len(e.Subject)+len(e.PartitionKey)+len(e.ID))
}

// weight is about the number of bytes that the event takes in memory.
func (e *Event) weight() int64 {
	if e.shared != 0 && e.Request != nil {
		return e.size() + int64(len(e.Request.encoded()))
	}
	return e.size()
}
