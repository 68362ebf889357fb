package queue

import (
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Event is one accepted event, as it is kept.
type Event struct {
	// Seq is its place in the order of arrival. The queue gives it.
	Seq int64

	// Key names the event, and is what makes it a duplicate.
	Key envelope.Key

	// Source, Provider, Type, Subject, PartitionKey and ID are attributes of its
	// envelope.
	Source, Provider, Type, Subject, PartitionKey, ID string

	// Received is when it came in.
	Received time.Time

	// Window is how long the same key is a duplicate; 0 lets every event in.
	Window time.Duration

	// Request is the request that brought it. Events of one request have the same,
	// which is then stored once.
	Request *Request

	// Body is the envelope; or, for a batch that is kept as it came, the provider's
	// own bytes.
	Body []byte

	// Original is how many bytes of the envelope are the provider's own: those
	// before the two braces at its end. 0 if Body is no envelope.
	Original int

	bytes int64 // its size, once it is without its bytes

	// shared is the number of the first event of its request if that brought several,
	// inCommon until they have numbers, and 0 if it came alone.
	shared int64
}

// inCommon says of an event without a number that it shares its request.
const inCommon = -1

// ownRequest returns the request as it is stored with the event: nil if that is
// done elsewhere, for all events of it.
func (e *Event) ownRequest() []byte {
	if e.shared != 0 || e.Request == nil {
		return nil
	}
	return e.Request.encoded()
}

// withoutBytes returns what is known of the event beside its bytes.
func (e *Event) withoutBytes() *Event {
	c := *e
	c.bytes = e.size()
	c.Request, c.Body = nil, nil
	return &c
}

// IsEnvelope reports whether Body is an envelope.
func (e *Event) IsEnvelope() bool { return e.Original > 0 }

// OriginalBytes returns the provider's own bytes.
func (e *Event) OriginalBytes() []byte {
	if !e.IsEnvelope() {
		return e.Body
	}
	end := len(e.Body) - len("}}")
	return e.Body[end-e.Original : end]
}

// clean takes out of what the sender chose the one character that PostgreSQL has
// no text with: the event would be refused however often it came.
func (e *Event) clean() {
	for _, s := range []*string{&e.Type, &e.Subject, &e.PartitionKey, &e.ID} {
		*s = withoutNUL(*s)
	}
}

func withoutNUL(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// overhead is about what an event takes on disk beside its own bytes, in bytes.
const overhead = 256

// size is about how many bytes the event takes on disk, without what it shares with
// others.
func (e *Event) size() int64 {
	if e.bytes != 0 {
		return e.bytes
	}
	return overhead + int64(len(e.ownRequest())+len(e.Body)+
		len(e.Source)+len(e.Provider)+len(e.Type)+len(e.Subject)+len(e.PartitionKey)+len(e.ID))
}

// weight is about how many bytes the event takes in memory.
func (e *Event) weight() int64 {
	if e.shared != 0 && e.Request != nil {
		return e.size() + int64(len(e.Request.encoded()))
	}
	return e.size()
}
