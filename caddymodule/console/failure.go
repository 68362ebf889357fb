package console

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// failure is a page that says what is wrong, and what to do.
type failure struct {
	status int
	title  string
	text   string
}

// Error implements error.
func (f *failure) Error() string { return f.text }

func newFailure(status int, title, text string) *failure { return &failure{status, title, text} }

var (
	notFound = newFailure(http.StatusNotFound, "No such page",
		"There is nothing at this address. The link may be from another version of the console.")
	forged = newFailure(http.StatusForbidden, "Not changed",
		"The form was not sent from a page of this console, or the gateway was restarted since that page was opened. Go back, reload the page, and try again.")
	slow = newFailure(http.StatusServiceUnavailable, "The queue does not answer",
		"The queue's database did not answer in time. Events may still come in and be delivered. Reload the page; if this stays, look at the database and at Caddy's log.")
	unavailable = newFailure(http.StatusServiceUnavailable, "The queue is not available",
		"The queue's database cannot be read now. Caddy's log says why.")
	internal = newFailure(http.StatusInternalServerError, "Internal error",
		"The page could not be made. Caddy's log says why.")
)

// failureOf returns what to show for an error. Internal errors go to the log only.
func (v *visit) failureOf(ctx context.Context, err error) *failure {
	var known *failure
	var ofLogs *queue.LogError
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return slow
	case errors.Is(err, queue.ErrUnknown):
		return newFailure(http.StatusNotFound, "Not stored",
			"It is not in the queue. It may have been older than `retention`, discarded, or never received.")
	case errors.Is(err, journal.ErrNoQueue):
		return newFailure(http.StatusNotFound, "No queue",
			"This configuration has no queue: no block has a `destination`, so that there are no deliveries to show or to change.")
	case errors.Is(err, journal.ErrCursor):
		return newFailure(http.StatusBadRequest, "Not a page of this list",
			"The link to this page of the list is damaged. Begin at the first page.")
	case errors.Is(err, webhooks.ErrNotRunning):
		return newFailure(http.StatusServiceUnavailable, "Not running", "No configuration is running. Try again in a moment.")
	case errors.Is(err, errTooManyJobs):
		return newFailure(http.StatusServiceUnavailable, "Not begun",
			"Other replays and discards are still running. Try again when they have ended.")
	case errors.As(err, &ofLogs):
		v.log().Error("cannot read the queue", zap.Error(err))
		return newFailure(unavailable.status, unavailable.title,
			"The database of "+ofLogs.Names()+" cannot be read or written now. Caddy's log says why.")
	case errors.Is(err, queue.ErrUnavailable), errors.Is(err, queue.ErrClosed):
		v.log().Error("cannot read the queue", zap.Error(err))
		return unavailable
	}
	v.log().Error("cannot make a page", zap.Error(err))
	return internal
}
