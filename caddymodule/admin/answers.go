package admin

import (
	"encoding/json"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Bounds of the number of entries in one answer.
const (
	// DefaultLimit is the number without a limit in the query.
	DefaultLimit = 100

	// MaxLimit is the largest number that a request may ask for.
	MaxLimit = 1000
)

// readiness is the answer of GET /webhooks/ready.
type readiness struct {
	Ready bool `json:"ready"`
}

// Queue is the answer of GET /webhooks/queue.
type Queue struct {
	// Ready is true if the queue takes events.
	Ready bool `json:"ready"`

	// Bytes is the number of bytes that the stored events take.
	Bytes int64 `json:"bytes"`

	// LimitBytes is the number of bytes from which on new events are refused.
	LimitBytes int64 `json:"limit_bytes"`

	// Logs are the logs of the queue, if it has several.
	Logs []queue.LogStatus `json:"logs,omitempty"`
}

// Discarded is the answer of a request that discards.
type Discarded struct {
	// Discarded is the number of deliveries that were discarded; 0 in a dry run.
	Discarded int64 `json:"discarded"`

	// WouldDiscard is the number that would be discarded. Only a dry run sets it.
	WouldDiscard *int64 `json:"would_discard,omitempty"`
}

// Replayed is the answer of POST /webhooks/replay.
type Replayed struct {
	// Replayed is the number of deliveries that begin again; 0 in a dry run.
	Replayed int64 `json:"replayed"`

	// WouldReplay is the number that would begin again. Only a dry run sets it.
	WouldReplay *int64 `json:"would_replay,omitempty"`
}

// DeadLetter is a dead letter with the body that the destination was sent.
type DeadLetter struct {
	queue.DeadLetter

	// Body is the body as it is if it is JSON, else a string with it.
	Body json.RawMessage `json:"body,omitempty"`
}

// Causes is the answer of GET /webhooks/causes.
type Causes struct {
	Causes []queue.Cause `json:"causes"`
}

// Names of the messages of GET /webhooks/tail.
const (
	EventMessage   = "event"   // data is a journal.Line with an Event
	AttemptMessage = "attempt" // data is a journal.Line with an Attempt
	RefusalMessage = "refusal" // data is a journal.Line with a Refusal
	LostMessage    = "lost"    // data is a Lost
)

// Lost reports that a reader of GET /webhooks/tail was too slow.
type Lost struct {
	// Lost is the number of lines that are missing before the next one.
	Lost int64 `json:"lost"`
}
