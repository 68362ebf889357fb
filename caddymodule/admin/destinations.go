package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// readyTimeout bounds the check of GET /webhooks/ready: load balancers do not wait
// long.
const readyTimeout = 3 * time.Second

// onQueue calls serve with the running queue.
func onQueue(serve func(r *http.Request, q *queue.Queue) (any, error)) func(*http.Request) (any, error) {
	return onJournal(func(r *http.Request, j *journal.Journal) (any, error) {
		q, err := j.Queue()
		if err != nil {
			return nil, err
		}
		return serve(r, q)
	})
}

// ready reports whether events are taken. Without a queue they always are.
func ready(r *http.Request) (any, error) {
	q, err := webhooks.RunningQueue()
	if err != nil || q == nil {
		return readiness{true}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := q.Ready(ctx); err != nil {
		return nil, caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err, Message: "the queue takes no events now; see Caddy's log"}
	}
	return readiness{true}, nil
}

// showQueue reports whether the queue takes events, how full it is, and on its logs if it
// has several.
func showQueue(r *http.Request, q *queue.Queue) (any, error) {
	if _, err := readQuery(r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	shown := Queue{Ready: q.Ready(ctx) == nil}
	shown.Bytes, shown.LimitBytes = q.Size()
	if len(q.LogNumbers()) > 1 {
		shown.Logs = q.Logs(ctx)
		for i := range shown.Logs {
			shown.Logs[i].Destinations = orEmpty(shown.Logs[i].Destinations)
		}
	}
	return shown, nil
}

func listDestinations(r *http.Request, j *journal.Journal) (any, error) {
	if _, err := readQuery(r); err != nil {
		return nil, err
	}
	if _, err := j.Queue(); err != nil {
		return nil, err
	}
	destinations, err := j.Destinations(r.Context())
	return orEmpty(destinations), err
}

func pause(r *http.Request, q *queue.Queue) (any, error) {
	name, err := readName(r, q)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.Pause(r.Context(), name)
}

func resume(r *http.Request, q *queue.Queue) (any, error) {
	name, err := readName(r, q)
	if err != nil {
		return nil, err
	}
	return struct{}{}, q.Resume(r.Context(), name)
}

func forget(r *http.Request, q *queue.Queue) (any, error) {
	if _, err := readQuery(r); err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	n, err := q.Forget(r.Context(), name)
	switch {
	case errors.Is(err, queue.ErrUnknown):
		var destinations []queue.DestinationStatus
		if destinations, err = q.Status(r.Context()); err != nil {
			return nil, err
		}
		isConfigured := func(d queue.DestinationStatus) bool { return d.Configured }
		return nil, noDestination(name, slices.DeleteFunc(destinations, isConfigured), " to forget")
	case errors.Is(err, queue.ErrConfigured):
		err = apiError(http.StatusConflict, "%s is in use; remove the `destination` block from the configuration first", name)
	}
	return Discarded{Discarded: n}, err
}

// readName returns the destination that the path names.
func readName(r *http.Request, q *queue.Queue) (string, error) {
	if _, err := readQuery(r); err != nil {
		return "", err
	}
	name := r.PathValue("name")
	return name, checkDestination(r.Context(), q, name)
}

// checkDestination refuses a name that no destination has or had. An empty one means all
// of them.
func checkDestination(ctx context.Context, q *queue.Queue, name string) error {
	if name == "" {
		return nil
	}
	err := q.Known(ctx, name)
	if !errors.Is(err, queue.ErrUnknown) {
		return err
	}
	destinations, err := q.Status(ctx)
	if err != nil {
		return err
	}
	return noDestination(name, destinations, "")
}

// noDestination returns the error for an unknown name. It lists the destinations that can
// be named instead; purpose follows the list.
func noDestination(name string, destinations []queue.DestinationStatus, purpose string) error {
	names := make([]string, len(destinations))
	for i, destination := range destinations {
		names[i] = destination.Destination
	}
	there := "there is none"
	switch last := len(names) - 1; {
	case last == 0:
		there = "there is " + names[0]
	case last > 0:
		there = "there are " + strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return apiError(http.StatusNotFound, "no destination %.100q; %s%s", name, there, purpose)
}
