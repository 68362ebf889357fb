package console

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// state is the state of a destination.
type state struct {
	level
	Name   string // in a word
	Symbol string // its sign
}

// destinationState returns the state of a destination, the worst that is true.
func destinationState(d journal.Destination, now time.Time) state {
	switch {
	case !d.Configured && d.Backlog == 0:
		return state{levelGood, "removed", "–"}
	case !d.Configured:
		return state{levelNote, "removed", "–"}
	case d.Paused:
		return state{levelNote, "paused", "‖"}
	case d.Down:
		return state{levelBad, "down", "✕"}
	case d.Gateway == "":
		return state{levelBad, "no gateway", "✕"}
	case !d.FailedSince.IsZero():
		return state{levelNote, "failing", "▲"}
	case rejects(d):
		return state{levelNote, "rejects", "▲"}
	case d.Backlog > 0 && !d.OldestUndelivered.IsZero() && now.Sub(d.OldestUndelivered) > lateAfter:
		return state{levelNote, "behind", "▲"}
	}
	return state{levelGood, "delivers", "✓"}
}

// rejects reports whether the last answer of a destination made a dead letter at once,
// as 410 and redirects do. The queue does not count that as a failure.
func rejects(d journal.Destination) bool {
	return d.DeadLetters > 0 && d.FailedSince.IsZero() && d.LastFailed.After(d.LastDelivered)
}

// sentence says what is wrong with a destination, and why.
func (s state) sentence(d journal.Destination, now time.Time) sentence {
	parts := []any{d.Destination}
	var why []any
	switch s.Name {
	case "down", "failing":
		parts = append(parts, " is "+s.Name)
		if !d.FailedSince.IsZero() {
			parts = append(parts, " since ", d.FailedSince)
		}
		if d.LastError != "" {
			why = []any{" Last failure: " + clip(d.LastError, maxText) + "."}
		}
	case "rejects":
		return say(s.level, append(parts, " rejects events: its last answer was "+status(d.LastStatus)+" at ", d.LastFailed,
			", which makes a dead letter at once.")...)
	case "no gateway":
		parts = append(parts, " is delivered by no gateway")
	case "removed":
		parts = append(parts, " is no longer configured")
	default:
		parts = append(parts, " is "+s.Name)
	}
	return say(s.level, append(append(parts, ": "+waiting(d, now)+"."), why...)...)
}

// waiting says what is not delivered.
func waiting(d journal.Destination, now time.Time) string {
	switch {
	case d.Backlog == 0 && d.DeadLetters > 0:
		return "nothing waits, and " + plural(d.DeadLetters, "dead letter") + " can be replayed"
	case d.Backlog == 0:
		return "nothing waits"
	}
	waits := plural(d.Backlog, "event") + " wait"
	if d.Backlog == 1 {
		waits += "s"
	}
	if !d.OldestUndelivered.IsZero() {
		waits += ", the oldest " + span(now.Sub(d.OldestUndelivered))
	}
	return waits
}
