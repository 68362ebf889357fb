package admin

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// onJournal calls serve with the journal of the running configuration.
func onJournal(serve func(r *http.Request, j *journal.Journal) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		j, err := webhooks.RunningJournal()
		if err != nil {
			return nil, err
		}
		return serve(r, j)
	}
}

func listEvents(r *http.Request, j *journal.Journal) (any, error) {
	search, query, err := readFilter(r, "limit", "cursor")
	if err != nil {
		return nil, err
	}
	page, err := readPage(query)
	if err != nil {
		return nil, err
	}
	found, err := j.Events(r.Context(), search, page)
	if errors.Is(err, queue.ErrUnknown) || search.Destination != "" && len(found.Events) == 0 {
		// A misspelt destination has no events. To look for it first would cost more.
		err = cmp.Or(checkFilter(r.Context(), j, search), err)
	}
	if err != nil {
		return nil, err
	}
	found.Events = orEmpty(found.Events)
	for i := range found.Events {
		found.Events[i].Destinations = orEmpty(found.Events[i].Destinations)
	}
	return found, nil
}

// readFilter returns the events that the query selects, and the query, which may have
// more parameters.
func readFilter(r *http.Request, more ...string) (s queue.Search, query url.Values, err error) {
	if query, err = readQuery(r, slices.Concat(journal.FilterNames, more)...); err != nil {
		return s, nil, err
	}
	if s, err = journal.ParseFilter(query.Get, time.Now()); err != nil {
		return s, nil, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return s, query, nil
}

// checkFilter refuses a destination that none has or had.
func checkFilter(ctx context.Context, j *journal.Journal, s queue.Search) error {
	if s.Destination == "" {
		return nil
	}
	q, err := j.Queue()
	if err != nil {
		return err
	}
	return checkDestination(ctx, q, s.Destination)
}

func showEvent(r *http.Request, j *journal.Journal) (any, error) {
	event, err := readEvent(r, j)
	if err != nil {
		return nil, err
	}
	event.Destinations = orEmpty(event.Destinations)
	return event, nil
}

// showEnvelope answers with the bytes that destinations get. In showEvent they lose the
// space between their tokens.
func showEnvelope(r *http.Request, j *journal.Journal) (any, error) {
	event, err := readEvent(r, j)
	if err != nil {
		return nil, err
	}
	return newDocument(envelope.ContentType, event.EnvelopeBytes, "no envelope of %s; it was forwarded as it came, or its body was too long to be remembered", event.ID)
}

// showOriginal answers with the bytes of the provider.
func showOriginal(r *http.Request, j *journal.Journal) (any, error) {
	event, err := readEvent(r, j)
	if err != nil {
		return nil, err
	}
	// The provider's own content type could make a browser run what it sent.
	contentType := "application/octet-stream"
	if envelope.Check(event.OriginalBytes) == nil {
		contentType = "application/json"
	}
	return newDocument(contentType, event.OriginalBytes, "no body of %s; it was too long to be remembered", event.ID)
}

// readEvent returns the event that the path names.
func readEvent(r *http.Request, j *journal.Journal) (*journal.History, error) {
	if _, err := readQuery(r); err != nil {
		return nil, err
	}
	key, err := parseKey(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return j.Event(r.Context(), key)
}

// newDocument returns the answer for bytes of an event, or an error if there are none.
func newDocument(contentType string, body []byte, format string, args ...any) (any, error) {
	if len(body) == 0 {
		return nil, apiError(http.StatusNotFound, format, args...)
	}
	return document{contentType, body}, nil
}
