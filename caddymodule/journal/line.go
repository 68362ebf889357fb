package journal

import (
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Line is one line of the live feed: exactly one of Event, Attempt and Refusal.
type Line struct {
	ID      string       `json:"-"` // for Follow, to go on after this line
	Event   *EventLine   `json:"event,omitempty"`
	Attempt *AttemptLine `json:"attempt,omitempty"`
	Refusal *Refusal     `json:"refusal,omitempty"`
}

// EventLine is an event that has come in.
type EventLine struct {
	ID           string    `json:"id"` // msg_…
	EventID      string    `json:"event_id"`
	Provider     string    `json:"provider"`
	Source       string    `json:"source"`
	Type         string    `json:"type"`
	Subject      string    `json:"subject,omitempty"`
	PartitionKey string    `json:"partitionkey,omitempty"`
	Received     time.Time `json:"received"`
	Outcome      string    `json:"outcome"` // accepted, unrouted, duplicate, upstream or queue_unavailable
}

// AttemptLine is an attempt that has ended.
type AttemptLine struct {
	ID           string    `json:"id"` // of the event, msg_…
	EventID      string    `json:"event_id"`
	Provider     string    `json:"provider"`
	Source       string    `json:"source"`
	Type         string    `json:"type"`
	Subject      string    `json:"subject,omitempty"`
	PartitionKey string    `json:"partitionkey,omitempty"`
	Destination  string    `json:"destination"`
	Time         time.Time `json:"time"` // when it ended
	queue.PastAttempt
	Next time.Time `json:"next,omitzero"` // when the next attempt is due
}

// lineOverhead is about the number of bytes that a line takes beside its texts.
const lineOverhead = 384

// maxError is the maximum number of bytes of an error in a line.
const maxError = 1024

// entry is a line, and what decides who gets it.
type entry struct {
	Line
	n          int64 // the number in its ID
	attributes attributes
	state      queue.State // of an attempt's delivery, or unrouted
	hasBody    bool        // body is that of the event
	body       []byte
}

// destination returns the destination of an attempt.
func (e *entry) destination() string {
	if e.Attempt == nil {
		return ""
	}
	return e.Attempt.Destination
}

// size is about the number of bytes that the line takes in memory, with its body.
func (e *entry) size() int64 {
	a := &e.attributes
	size := lineOverhead + len(e.body) +
		len(a.provider) + len(a.source) + len(a.eventType) + len(a.subject) + len(a.partitionKey) + len(a.id)
	switch {
	case e.Attempt != nil:
		size += len(e.Attempt.Error) + len(e.Attempt.Excerpt)
	case e.Refusal != nil:
		size += len(e.Refusal.Cause) + len(e.Refusal.Path)
		for _, name := range e.Refusal.Headers {
			size += len(name) + 16
		}
	}
	return int64(size)
}

// newEventEntry returns the line of an event. It copies the attributes, which may share
// the memory of a whole body.
func newEventEntry(provider, source string, key envelope.Key, e *envelope.Event, received time.Time, outcome string, body []byte) *entry {
	line := &EventLine{
		ID: key.String(), EventID: strings.Clone(e.ID), Provider: provider, Source: source,
		Type: strings.Clone(e.Type), Subject: strings.Clone(e.Subject), PartitionKey: strings.Clone(e.PartitionKey),
		Received: received, Outcome: outcome,
	}
	en := &entry{Line: Line{Event: line}, hasBody: body != nil, body: body, attributes: attributes{
		line.Provider, line.Source, line.Type, line.Subject, line.PartitionKey, line.EventID, received,
	}}
	if outcome == string(queue.StateUnrouted) {
		en.state = queue.StateUnrouted
	}
	return en
}

// newAttemptEntry returns the line of an attempt that has ended now.
func newAttemptEntry(a *queue.Attempt, now time.Time) *entry {
	e := a.Event
	line := &AttemptLine{
		ID: e.Key.String(), EventID: e.ID, Provider: e.Provider, Source: e.Source,
		Type: e.Type, Subject: e.Subject, PartitionKey: e.PartitionKey,
		Destination: a.Destination, Time: now, Next: a.Next,
		PastAttempt: queue.PastAttempt{
			Attempt: a.Delivery.Attempt, Began: now.Add(-a.Took), Took: a.Took, TookMS: milliseconds(a.Took),
			Status: a.Status, Outcome: a.Outcome, Replay: a.Replay,
		},
	}
	if a.Err != nil {
		line.Error = bounded(a.Err.Error(), maxError)
	}
	if a.Outcome != queue.OutcomeDelivered {
		line.Excerpt = toValid(string(a.Excerpt))
	}
	return &entry{
		Line: Line{Attempt: line}, state: stateAfter(a.Outcome), hasBody: e.Body != nil, body: e.Body,
		attributes: attributes{e.Provider, e.Source, e.Type, e.Subject, e.PartitionKey, e.ID, e.Received},
	}
}

// stateAfter returns the state of a delivery after an attempt.
func stateAfter(outcome queue.Outcome) queue.State {
	switch outcome {
	case queue.OutcomeDelivered:
		return queue.StateDelivered
	case queue.OutcomeDead:
		return queue.StateDead
	default:
		return queue.StateRetrying
	}
}

// follow is what a follower wants to see.
type follow struct {
	search queue.Search
	text   *wanted

	// isPlain means that the search says nothing that only an event has.
	isPlain bool
}

func newFollow(s queue.Search) follow {
	f := follow{search: s, text: newWanted(s.Text)}
	s.Provider, s.Source, s.Since, s.Until = "", "", time.Time{}, time.Time{}
	f.isPlain = s.Type == nil && s.Subject == "" && s.PartitionKey == "" && s.ID == "" &&
		s.Destination == "" && s.State == "" && s.Text == ""
	return f
}

// wants reports whether a line is among those that the follower wants.
func (f *follow) wants(e *entry) bool {
	s := &f.search
	if e.Refusal != nil {
		return f.isPlain && selects(s, &e.attributes)
	}
	return (s.Destination == "" || s.Destination == e.destination()) &&
		(s.State == "" || s.State == e.state) &&
		selects(s, &e.attributes) &&
		(f.text == nil || e.hasBody && f.text.isIn(e.body))
}
