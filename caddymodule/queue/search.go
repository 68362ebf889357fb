package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// State is what became of an event at one destination.
type State string

// States.
const (
	StateWaiting   State = "waiting"   // for its first attempt
	StateRetrying  State = "retrying"  // for another attempt
	StateParked    State = "parked"    // for an older event of its partition key
	StateDelivered State = "delivered" // the destination acknowledged it
	StateDead      State = "dead"      // a dead letter
	StateDiscarded State = "discarded" // a dead letter that was discarded
	StateUnrouted  State = "unrouted"  // no destination takes it
)

// Search selects events: those to which all of its fields apply that are set. The zero
// value selects all.
type Search struct {
	Provider     string               // the provider's name
	Source       string               // the whole of it
	Type         envelope.TypePattern // of its type
	Subject      string               // the whole of it
	PartitionKey string               // the whole of it
	ID           string               // the provider's own
	Destination  string               // that takes it
	State        State                // at Destination or, without one, at any
	Since        time.Time            // received then or later
	Until        time.Time            // received before then
	Text         string               // in the body, as it is or escaped as in JSON
}

// Summary is a stored event without its bytes, and what became of it.
type Summary struct {
	// Seq is its place in the order of arrival.
	Seq int64 `json:"-"`

	// ID is the name of the event, msg_….
	ID string `json:"id"`

	// EventID is the provider's own id.
	EventID string `json:"event_id"`

	Provider     string `json:"provider"`               // its name
	Source       string `json:"source"`                 // of its envelope
	Type         string `json:"type"`                   // canonical
	Subject      string `json:"subject,omitempty"`      // of its envelope
	PartitionKey string `json:"partitionkey,omitempty"` // of its envelope

	Received time.Time `json:"received"` // by the gateway
	Size     int64     `json:"size"`     // of its body, in bytes

	// Duplicates is how often it came again, and LastDuplicate when last.
	Duplicates    int64     `json:"duplicates"`
	LastDuplicate time.Time `json:"last_duplicate,omitzero"`

	// Destinations are those that take it, by name. Empty for an unrouted event.
	Destinations []DeliveryStatus `json:"destinations"`
}

// DeliveryStatus is what became of an event at one destination.
type DeliveryStatus struct {
	Destination string `json:"destination"` // its name
	State       State  `json:"state"`

	// Attempt is the number of the last attempt that was begun; 0 for none, or if it is
	// not known any more.
	Attempt int `json:"attempt,omitempty"`

	LastStatus int       `json:"last_status,omitempty"` // of the last answer that failed
	LastError  string    `json:"last_error,omitempty"`  // why the last attempt failed
	Next       time.Time `json:"next,omitzero"`         // when the next attempt is due
	Replay     bool      `json:"replay,omitempty"`      // it was replayed

	// Attempts are those that are remembered, in order. Only Queue.History
	// fills it in.
	Attempts []PastAttempt `json:"attempts,omitempty"`
}

// PastAttempt is an attempt that has ended.
type PastAttempt struct {
	Attempt int           `json:"attempt"` // its number, from 1
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"-"`
	TookMS  float64       `json:"took_ms"` // Took in milliseconds
	Status  int           `json:"status"`  // of the answer, 0 for none
	Outcome Outcome       `json:"outcome"`
	Replay  bool          `json:"replay,omitempty"`
	Error   string        `json:"error,omitempty"`   // of one that failed
	Excerpt string        `json:"excerpt,omitempty"` // of the answer of one that failed
}

// Found is a page of events, the latest first.
type Found struct {
	Events []Summary

	// Before continues the search if it is passed to Search; 0 if there are no more.
	Before int64

	// SearchedTo is when the last event came in that was looked at, if the search ended
	// early because looking through bodies took too long. Otherwise it is zero.
	SearchedTo time.Time
}

// History is all that is known about one event.
type History struct {
	Summary
	Event *Event // with its request and body
}

// Search returns the latest events that were stored before a number, at most limit of
// them. With 0, it begins at the end of the log.
func (q *Queue) Search(ctx context.Context, s Search, before int64, limit int) (Found, error) {
	return Found{}, ErrUnavailable
}

// History returns all that is known about an event; ErrUnknown if it is not stored.
func (q *Queue) History(ctx context.Context, key envelope.Key) (*History, error) {
	return nil, ErrUnavailable
}

// Cause is why events became dead letters, with their number.
type Cause struct {
	Destination string    `json:"destination"`
	Cause       string    `json:"cause"` // the last error, such as "answered 500"
	DeadLetters int64     `json:"dead_letters"`
	Oldest      time.Time `json:"oldest"` // when the first of them died
	Newest      time.Time `json:"newest"` // when the last of them died
}

// Causes groups the dead letters of a destination, or of all, by destination and
// cause, the most frequent first.
func (q *Queue) Causes(ctx context.Context, destination string) ([]Cause, error) {
	return nil, ErrUnavailable
}
