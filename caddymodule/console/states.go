package console

import (
	"strconv"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// deliveryStates has, for each state of an event at a destination, how it is shown: no
// two have the same sign.
var deliveryStates = map[queue.State]state{
	queue.StateWaiting:   {levelPlain, "waiting", "○"},
	queue.StateRetrying:  {levelNote, "retrying", "↻"},
	queue.StateParked:    {levelNote, "parked", "‖"},
	queue.StateDelivered: {levelGood, "delivered", "✓"},
	queue.StateDead:      {levelBad, "dead", "✕"},
	queue.StateDiscarded: {levelPlain, "discarded", "–"},
	queue.StateUnrouted:  {levelPlain, "unrouted", "∅"},
}

// stateNames lists the states that a filter can select, in the order of a life.
var stateNames = []queue.State{
	queue.StateWaiting, queue.StateRetrying, queue.StateParked, queue.StateDelivered, queue.StateDead,
	queue.StateDiscarded, queue.StateUnrouted,
}

func deliveryState(s queue.State) state {
	if shown, ok := deliveryStates[s]; ok {
		return shown
	}
	return state{levelNote, string(s), "?"}
}

// outcomes has, for each outcome of an attempt, how it is shown.
var outcomes = map[queue.Outcome]state{
	queue.OutcomeDelivered:  {levelGood, "delivered", "✓"},
	queue.OutcomeRetrying:   {levelNote, "failed, tried again", "↻"},
	queue.OutcomeDead:       {levelBad, "failed, dead letter", "✕"},
	queue.OutcomeHandedBack: {levelNote, "cut short, tried again", "–"},
}

func outcomeState(o queue.Outcome) state {
	if shown, ok := outcomes[o]; ok {
		return shown
	}
	return state{levelNote, string(o), "?"}
}

// directState returns how an event is shown that went to the next handler.
func directState(d *journal.Direct) state {
	if d.Outcome == "accepted" {
		return state{levelGood, "answered", "✓"}
	}
	return state{levelBad, "failed", "✕"}
}

// moreThan returns the error of an attempt, empty if it says no more than the status of
// the answer.
func moreThan(status int, err string) string {
	if err == "answered "+strconv.Itoa(status) {
		return ""
	}
	return err
}
