package admin

import (
	"errors"
	"net/http"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func listDead(r *http.Request, q *queue.Queue) (any, error) {
	query, err := readQuery(r, "destination", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := readLimit(query)
	if err != nil {
		return nil, err
	}
	if err = checkDestination(r.Context(), q, query.Get("destination")); err != nil {
		return nil, err
	}
	letters, err := q.DeadLetters(r.Context(), query.Get("destination"), limit)
	return orEmpty(letters), err
}

func showDead(r *http.Request, q *queue.Queue) (any, error) {
	key, query, err := readID(r)
	if err != nil {
		return nil, err
	}
	letters, err := q.DeadLettersOf(r.Context(), key)
	if err != nil && !errors.Is(err, queue.ErrUnknown) {
		return nil, err
	}
	var shown []DeadLetter
	for _, letter := range letters {
		if destination := query.Get("destination"); destination == "" || destination == letter.Destination {
			shown = append(shown, DeadLetter{letter, journal.AsJSON(letter.Body)})
		}
	}
	if shown == nil {
		return nil, noDeadLetter(key)
	}
	return shown, nil
}

func discardOne(r *http.Request, q *queue.Queue) (any, error) {
	key, query, err := readID(r)
	if err != nil {
		return nil, err
	}
	selection := queue.Selection{Keys: []envelope.Key{key}, Destination: query.Get("destination")}
	if err = checkDestination(r.Context(), q, selection.Destination); err != nil {
		return nil, err
	}
	n, err := q.Discard(r.Context(), selection)
	if errors.Is(err, queue.ErrUnknown) {
		err = noDeadLetter(key)
	}
	return Discarded{Discarded: n}, err
}

func discardSelected(r *http.Request, q *queue.Queue) (any, error) {
	selection, err := readSelection(r, "ids", "dead")
	if err != nil {
		return nil, err
	}
	if err = checkDestination(r.Context(), q, selection.Destination); err != nil {
		return nil, err
	}
	n, err := q.Discard(r.Context(), selection)
	if selection.DryRun {
		return Discarded{WouldDiscard: &n}, err
	}
	return Discarded{Discarded: n}, err
}

func replaySelected(r *http.Request, q *queue.Queue) (any, error) {
	selection, err := readSelection(r, "ids", "dead", "since", "filter")
	if err != nil {
		return nil, err
	}
	destination := selection.Destination
	if selection.Search != nil {
		destination = selection.Search.Destination
	}
	if err = checkDestination(r.Context(), q, destination); err != nil {
		return nil, err
	}
	n, err := q.Replay(r.Context(), selection)
	if selection.DryRun {
		return Replayed{WouldReplay: &n}, err
	}
	return Replayed{Replayed: n}, err
}
