package admin

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

func noSuchPage(_ http.ResponseWriter, r *http.Request) error {
	return apiError(http.StatusNotFound, "no such endpoint: %.100s (try ready, queue, blocks, destinations, events, tail, refusals, dead, causes, replay, pause/{name}, resume/{name} or forget/{name} under /webhooks/)", r.URL.Path)
}

// apiError returns an error whose text is for the client.
func apiError(status int, format string, args ...any) caddy.APIError {
	return caddy.APIError{HTTPStatus: status, Message: fmt.Sprintf(format, args...)}
}

// toAPIError returns the answer for an error. Internal errors go to the log only.
func toAPIError(err error) caddy.APIError {
	var known caddy.APIError
	var tooLong *http.MaxBytesError
	var ofLogs *queue.LogError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLong):
		return apiError(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes; send fewer ids at a time", tooLong.Limit)
	case errors.Is(err, webhooks.ErrNotRunning), errors.Is(err, journal.ErrFeedEnded), errors.Is(err, journal.ErrTooManyFollowers):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	case errors.Is(err, journal.ErrCursor):
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	case errors.Is(err, queue.ErrUnknown), errors.Is(err, journal.ErrNoQueue):
		return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
	case errors.Is(err, queue.ErrConfigured):
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: err}
	case errors.As(err, &ofLogs):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: ofLogs.Names() + " of the queue: not available; see Caddy's log"}
	case errors.Is(err, queue.ErrUnavailable), errors.Is(err, queue.ErrClosed):
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "the queue is not available; see Caddy's log"}
	default:
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err, Message: "internal error; see Caddy's log"}
	}
}

func noDeadLetter(key envelope.Key) error {
	return apiError(http.StatusNotFound, "no dead letter %s", key)
}
