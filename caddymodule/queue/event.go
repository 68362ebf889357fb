package queue

import (
	"context"
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

// Filter says which events a destination takes.
type Filter struct {
	// Source is the source of the events.
	Source string `json:"source"`

	// Types selects event types; none takes all.
	Types []envelope.TypePattern `json:"types,omitempty"`
}

// Takes reports whether the filter lets an event through.
func (f Filter) Takes(source, eventType string) bool {
	return f.Source == source && f.TakesType(eventType)
}

// TakesType reports whether it lets events of a type through.
func (f Filter) TakesType(eventType string) bool {
	for _, pattern := range f.Types {
		if pattern.Match(eventType) {
			return true
		}
	}
	return len(f.Types) == 0
}

// Destination is where events are delivered to, and how.
type Destination struct {
	// Name is what its progress is kept under.
	Name string

	Filter

	// Attempts is how often an event is tried before it is a dead letter.
	Attempts int

	// Backoff is how long to wait between two attempts.
	Backoff Backoff

	// Timeout ends an attempt.
	Timeout time.Duration

	// Concurrency is how many attempts go on at a time.
	Concurrency int

	// Rate is how many attempts begin per unit of time; its zero value is no limit.
	Rate Rate

	// Ordered delivers the events of a partition key one at a time and in order.
	Ordered bool

	// Deliver makes one attempt. It must return soon after ctx is done.
	Deliver func(ctx context.Context, d *Delivery) Result
}

// Rate is a number per unit of time.
type Rate struct {
	N   int
	Per time.Duration
}

// Delivery is an event on its way to a destination.
type Delivery struct {
	*Event

	// Attempt counts from 1.
	Attempt int

	// Replay says that somebody asked for it again.
	Replay bool
}

// Result is how an attempt ended.
type Result struct {
	// Status is what the destination answered, 0 for nothing.
	Status int

	// RetryAfter is the header of that name in the answer.
	RetryAfter string

	// Excerpt is the beginning of the answer, for people to look at.
	Excerpt []byte

	// Err is why there is no answer, or why the one that there is does not count.
	Err error
}

// Outcome is what an attempt leads to.
type Outcome string

// Outcomes.
const (
	OutcomeDelivered  Outcome = "delivered"   // acknowledged with 2xx
	OutcomeRetrying   Outcome = "retry"       // failed, and will be tried again
	OutcomeDead       Outcome = "dead_letter" // failed, and will not be tried again by itself
	OutcomeHandedBack Outcome = "handed_back" // cut short by a reload or shutdown, and will be tried again
)

// Attempt is what an Observer is told of an attempt.
type Attempt struct {
	Destination string // the name of the destination
	Delivery
	Result
	Outcome Outcome
	Took    time.Duration
	Next    time.Time // when the next one is due, for Retrying
}

// Observer is told what happens. Its methods must return soon.
type Observer interface {
	// Attempted is called after every attempt, and for an event that becomes a
	// dead letter without one.
	Attempted(a Attempt)

	// Down is called when a destination has failed often enough in a row to be
	// probed with one event at a time; last is its last answer.
	Down(destination string, failures int, last Result)

	// Up is called when it answers again.
	Up(destination string)

	// Discarded is called when dead letters go because they are too old, or take
	// too much room.
	Discarded(destination string, n int)
}

// DestinationStatus tells how far a destination is.
type DestinationStatus struct {
	Destination string `json:"destination"`

	// Configured is false for a name that has left the configuration.
	Configured bool `json:"configured"`

	// Here is true if this gateway works it, and not another one.
	Here bool `json:"here"`

	Paused bool `json:"paused"`

	// Down is true while it is probed.
	Down bool `json:"down"`

	// Backlog is how many events are not delivered yet, dead letters not among
	// them.
	Backlog int64 `json:"backlog"`

	// OldestUndelivered is when the oldest of them came in, zero for none.
	OldestUndelivered time.Time `json:"oldest_undelivered,omitzero"`

	DeadLetters int64 `json:"dead_letters"`

	// Gateway names the gateway that works it: the host, and what tells it from others
	// there. Empty while none does.
	Gateway string `json:"gateway,omitempty"`
}

// DeadLetter is an event that a destination did not take.
type DeadLetter struct {
	ID          string    `json:"id"` // msg_…
	Destination string    `json:"destination"`
	Provider    string    `json:"provider"`
	EventID     string    `json:"event_id"` // the provider's own
	Type        string    `json:"type"`
	Attempts    int       `json:"attempts"`
	LastStatus  int       `json:"last_status"` // 0 for no answer
	LastError   string    `json:"last_error,omitempty"`
	Excerpt     string    `json:"excerpt,omitempty"` // of the last answer
	Received    time.Time `json:"received"`
	Died        time.Time `json:"died"`

	// Body is what the destination was sent; only DeadLettersOf fills it in.
	Body []byte `json:"-"`
}

// Selection says which events to replay, or which dead letters to discard.
type Selection struct {
	// Keys are single events.
	Keys []envelope.Key

	// Dead are all dead letters.
	Dead bool

	// Since are all events that came in at this time or later.
	Since time.Time

	// Destination limits it to one destination; empty is all of them.
	Destination string
}
