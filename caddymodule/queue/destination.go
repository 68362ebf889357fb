package queue

import (
	"context"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

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
