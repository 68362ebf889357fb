package admin

import (
	"encoding/json"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Bounds of the number of dead letters in one answer.
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

// Discarded is the answer of a request that discards.
type Discarded struct {
	// Discarded is the number of deliveries that were discarded.
	Discarded int64 `json:"discarded"`
}

// Replayed is the answer of POST /webhooks/replay.
type Replayed struct {
	// Replayed is the number of deliveries that begin again.
	Replayed int64 `json:"replayed"`
}

// DeadLetter is a dead letter with the body that the destination was sent.
type DeadLetter struct {
	queue.DeadLetter

	// Body is the body as it is if it is JSON, else a string with it.
	Body json.RawMessage `json:"body,omitempty"`
}
