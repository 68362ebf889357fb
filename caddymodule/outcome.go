package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// outcome is what became of a request or event: the label of metrics, the
// `reason` in the log, and the placeholder {http.webhooks.outcome}.
type outcome string

// What is well.
const (
	accepted  outcome = "accepted"
	duplicate outcome = "duplicate"
	handshake outcome = "handshake"

	// unrouted is an event that is kept, but that no destination takes.
	unrouted outcome = "unrouted"
)

// Why a request was refused.
const (
	missingCredential outcome = "missing_credential"
	badCredential     outcome = "bad_credential"
	staleTimestamp    outcome = "stale_timestamp"
	malformed         outcome = "malformed"
	tooLarge          outcome = "too_large"
	tooDeep           outcome = "too_deep"
	tooMany           outcome = "too_many"
	noEvent           outcome = "no_event"
	wrongMethod       outcome = "method"
	upstream          outcome = "upstream"
	queueUnavailable  outcome = "queue_unavailable"
)

// statuses are the HTTP statuses of refusals; that of upstream depends on what
// happened there.
var statuses = map[outcome]int{
	missingCredential: http.StatusUnauthorized,
	badCredential:     http.StatusUnauthorized,
	staleTimestamp:    http.StatusUnauthorized,
	malformed:         http.StatusBadRequest,
	tooDeep:           http.StatusBadRequest,
	noEvent:           http.StatusBadRequest,
	tooLarge:          http.StatusRequestEntityTooLarge,
	tooMany:           http.StatusRequestEntityTooLarge,
	wrongMethod:       http.StatusMethodNotAllowed,
}

// reasons tells what the errors of the core mean.
var reasons = []struct {
	err    error
	reason outcome
}{
	{verify.ErrMissing, missingCredential},
	{verify.ErrBad, badCredential},
	{verify.ErrStale, staleTimestamp},
	{verify.ErrNoChallenge, malformed},
	{envelope.ErrTooDeep, tooDeep},
	{envelope.ErrNotUTF8, malformed},
	{envelope.ErrNotJSON, malformed},
	{provider.ErrNoEvent, noEvent},
	{provider.ErrNotArray, malformed},
	{provider.ErrTooMany, tooMany},
}

// refusal is why a request is not accepted. Its text goes to the log and, where
// the site says so, through {err.message}; it never holds anything of the
// request.
type refusal struct {
	reason outcome
	status int
	err    error
}

func (r *refusal) Error() string { return string(r.reason) + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refusalFor returns the refusal for an error of the core.
func refusalFor(err error) *refusal {
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			return refuseAs(known.reason, err)
		}
	}
	return refuseAs(malformed, err)
}

func refuseAs(reason outcome, err error) *refusal {
	return &refusal{reason: reason, status: statuses[reason], err: err}
}
