package ingress

import (
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Outcome is the result of a request or event: the label of metrics, the `reason`
// in the log, and the placeholder {http.webhooks.outcome}.
type Outcome string

// OutcomeHandshake is a request by which the provider tries the URL.
const OutcomeHandshake = outcomeHandshake

// Outcomes of what is served.
const (
	outcomeAccepted  Outcome = "accepted"
	outcomeDuplicate Outcome = "duplicate"
	outcomeHandshake Outcome = "handshake"

	// outcomeUnrouted is an event that is stored, although no destination takes it.
	outcomeUnrouted Outcome = "unrouted"
)

// Reasons for a refusal.
const (
	outcomeMissingCredential Outcome = "missing_credential"
	outcomeBadCredential     Outcome = "bad_credential"
	outcomeStaleTimestamp    Outcome = "stale_timestamp"
	outcomeMalformed         Outcome = "malformed"
	outcomeTooLarge          Outcome = "too_large"
	outcomeTooDeep           Outcome = "too_deep"
	outcomeTooMany           Outcome = "too_many"
	outcomeNoEvent           Outcome = "no_event"
	outcomeWrongMethod       Outcome = "method"
	outcomeUpstreamFailed    Outcome = "upstream"
	outcomeQueueUnavailable  Outcome = "queue_unavailable"
)

// Reasons are all reasons for a refusal.
var Reasons = []Outcome{
	outcomeMissingCredential, outcomeBadCredential, outcomeStaleTimestamp, outcomeMalformed, outcomeTooLarge, outcomeTooDeep,
	outcomeTooMany, outcomeNoEvent, outcomeWrongMethod, outcomeUpstreamFailed, outcomeQueueUnavailable,
}

// statuses are the HTTP statuses of refusals. That of outcomeUpstreamFailed depends
// on the answer of the application.
var statuses = map[Outcome]int{
	outcomeMissingCredential: http.StatusUnauthorized,
	outcomeBadCredential:     http.StatusUnauthorized,
	outcomeStaleTimestamp:    http.StatusUnauthorized,
	outcomeMalformed:         http.StatusBadRequest,
	outcomeTooDeep:           http.StatusBadRequest,
	outcomeNoEvent:           http.StatusBadRequest,
	outcomeTooLarge:          http.StatusRequestEntityTooLarge,
	outcomeTooMany:           http.StatusRequestEntityTooLarge,
	outcomeWrongMethod:       http.StatusMethodNotAllowed,
}

// reasons maps the errors of the core to outcomes.
var reasons = []struct {
	err    error
	reason Outcome
}{
	{verify.ErrMissing, outcomeMissingCredential},
	{verify.ErrBad, outcomeBadCredential},
	{verify.ErrStale, outcomeStaleTimestamp},
	{provider.ErrNoChallenge, outcomeMalformed},
	{form.ErrBroken, outcomeMalformed},
	{envelope.ErrTooDeep, outcomeTooDeep},
	{envelope.ErrNotUTF8, outcomeMalformed},
	{envelope.ErrNotJSON, outcomeMalformed},
	{provider.ErrNoEvent, outcomeNoEvent},
	{provider.ErrNotArray, outcomeMalformed},
	{provider.ErrNotEvent, outcomeMalformed},
	{provider.ErrTooMany, outcomeTooMany},
	{provider.ErrTooLarge, outcomeTooLarge},
}
