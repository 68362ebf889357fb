package queue

import "time"

// Delivery is an event on its way to a destination.
type Delivery struct {
	*Event

	// Attempt is the number of the attempt, from 1.
	Attempt int

	// Replay is true for an event that Replay has scheduled.
	Replay bool
}

// Result is the result of an attempt. Without Err, a status of 2xx is a success.
type Result struct {
	// Status is the status of the answer, 0 for none.
	Status int

	// RetryAfter is the header of that name in the answer.
	RetryAfter string

	// Excerpt is the beginning of the answer, to be shown with a dead letter.
	Excerpt []byte

	// Err is why there is no answer, or why the attempt failed in spite of it.
	Err error
}

// Outcome is what follows from the result of an attempt.
type Outcome string

// Outcomes.
const (
	OutcomeDelivered  Outcome = "delivered"   // the destination acknowledged the event
	OutcomeRetrying   Outcome = "retry"       // failed; another attempt follows
	OutcomeDead       Outcome = "dead_letter" // failed; no attempt follows by itself
	OutcomeHandedBack Outcome = "handed_back" // cut short by a reload, a shutdown or a lost lease; another attempt follows
)

// Attempt describes an attempt that has ended.
type Attempt struct {
	Destination string // the name of the destination
	Delivery
	Result
	Outcome Outcome       // what follows from the result
	Took    time.Duration // 0 if no attempt was made
	Next    time.Time     // when the next attempt is due; only for OutcomeRetrying
}

// Observer is notified of what happens to deliveries. Its methods must return quickly,
// and are called from several goroutines.
type Observer interface {
	// Attempted is called after every attempt, and for an event that becomes a
	// dead letter without one.
	Attempted(a Attempt)

	// Down is called when a destination has failed often enough in a row to be
	// probed with one event at a time; last is its last answer.
	Down(destination string, failures int, last Result)

	// Up is called when the destination answers again.
	Up(destination string)

	// Discarded is called when dead letters are removed because they are too old or take
	// too much room.
	Discarded(destination string, n int)
}
