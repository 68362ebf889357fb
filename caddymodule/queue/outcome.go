package queue

import "time"

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
