package queue

import (
	"context"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Filter selects the events that a destination takes.
type Filter struct {
	// Source is the source of the events.
	Source string `json:"source"`

	// Types are the event types. Default: all.
	Types []envelope.TypePattern `json:"types,omitempty"`

	// When are conditions on the envelope, all of which must hold. An event without an
	// envelope has none of the values. Default: no condition.
	When []envelope.Condition `json:"when,omitempty"`
}

// Takes reports whether the filter selects an event, without looking at the source.
func (f Filter) Takes(e *Event) bool {
	return f.takesType(e.Type) && f.holds(e.envelope())
}

// takesType reports whether the filter may select events of a type.
func (f Filter) takesType(eventType string) bool {
	for _, pattern := range f.Types {
		if pattern.Match(eventType) {
			return true
		}
	}
	return len(f.Types) == 0
}

// holds reports whether all conditions hold for an envelope.
func (f Filter) holds(body []byte) bool {
	for _, c := range f.When {
		if !c.Holds(body) {
			return false
		}
	}
	return true
}

// Refusal returns why the filter does not select an event with a type and an envelope,
// whatever its source is: its types, or the first condition that does not hold, as in a
// Caddyfile. It is empty if the filter selects the event.
func (f Filter) Refusal(eventType string, body []byte) string {
	if !f.takesType(eventType) {
		var types strings.Builder
		types.WriteString("types")
		for _, pattern := range f.Types {
			types.WriteString(" " + pattern.String())
		}
		return types.String()
	}
	for _, c := range f.When {
		if !c.Holds(body) {
			return c.String()
		}
	}
	return ""
}

// Destination is where events are delivered to, and how. The package has constants for
// the defaults, but does not apply them.
type Destination struct {
	// Name identifies the destination: its progress is stored under it.
	Name string

	Filter

	// Attempts is the maximum number of attempts before an event becomes a dead letter.
	Attempts int

	// Backoff is the time between two attempts.
	Backoff Backoff

	// Timeout is the maximum time of one attempt.
	Timeout time.Duration

	// Concurrency is the maximum number of attempts at a time.
	Concurrency int

	// Rate is the maximum number of attempts that begin per unit of time. Default:
	// unlimited.
	Rate Rate

	// Ordered delivers the events of a partition key one at a time, in order of arrival.
	// Changing it waits for the attempts under way.
	Ordered bool

	// Deliver makes one attempt. It must return soon after ctx is done. It is called
	// from several goroutines.
	Deliver func(ctx context.Context, d *Delivery) Result
}

// Rate is a number per unit of time.
type Rate struct {
	N   int           // 0 is unlimited
	Per time.Duration // the unit
}
