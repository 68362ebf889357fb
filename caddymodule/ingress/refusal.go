package ingress

import (
	"errors"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/sampled"
)

// Refusal is the reason why a request is not accepted. Its text goes to Caddy's log and,
// where the site uses it, to {err.message}, which the sender may see; so it does not say
// what is wrong with a credential. It never holds a part of the request.
type Refusal struct {
	// Reason is the code in log and metrics.
	Reason Outcome

	// Status is the HTTP status of the answer.
	Status int

	// Err is the reason in words, for the log and the journal.
	Err error

	text       error // the reason in words for everybody, nil for Err
	isAnswered bool  // the application's answer was sent
	passed     error // from the next handler, for handle_errors as it is
}

// Error implements error.
func (r *Refusal) Error() string {
	text := r.Err
	if r.text != nil {
		text = r.text
	}
	return string(r.Reason) + ": " + text.Error()
}

// Unwrap returns the reason in words.
func (r *Refusal) Unwrap() error { return r.Err }

// result returns what the handler returns to Caddy.
func (r *Refusal) result() error {
	switch {
	case r.isAnswered:
		return nil
	case r.passed != nil:
		return r.passed
	}
	return caddyhttp.Error(r.Status, r)
}

// refusalFor returns an error as a Refusal: those of the core get their reason here.
func refusalFor(err error) *Refusal {
	var refused *Refusal
	if errors.As(err, &refused) {
		return refused
	}
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			refused = refuse(known.reason, err)
			refused.text = known.err
			return refused
		}
	}
	return refuse(outcomeMalformed, err)
}

func refuse(reason Outcome, err error) *Refusal {
	return &Refusal{Reason: reason, Status: statuses[reason], Err: err}
}

// RefusalLog logs refused requests, sampled by provider and reason: junk at one
// provider hides neither that at another, nor another reason.
type RefusalLog = sampled.Log[refusalKind]

// NewRefusalLog returns a log of refused requests.
func NewRefusalLog(logger *zap.Logger) *RefusalLog {
	return sampled.New[refusalKind](logger, zap.WarnLevel, "webhook refused", "more webhooks refused")
}

// refusalKind is what sampled refusals have in common.
type refusalKind struct {
	provider string
	reason   Outcome
}

// Fields implements sampled.Kind.
func (k refusalKind) Fields() []zap.Field {
	return []zap.Field{zap.String("reason", string(k.reason)), zap.String("provider", k.provider)}
}
