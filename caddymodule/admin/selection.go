package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// readSelection reads a selection by exactly one of the given ways.
func readSelection(r *http.Request, ways ...string) (queue.Selection, error) {
	if _, err := readQuery(r); err != nil {
		return queue.Selection{}, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return queue.Selection{}, err
	}
	selection, err := parseSelection(body, ways)
	if err != nil {
		return selection, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return selection, nil
}

// Selection is a queue.Selection in JSON: exactly one of IDs, Dead, Since and Filter.
type Selection struct {
	// IDs are the events with these names, `msg_…`.
	IDs []string `json:"ids,omitempty"`

	// Dead is all dead letters.
	Dead bool `json:"dead,omitempty"`

	// Since is all events received since a time in RFC 3339, or how long ago, such as
	// 2h.
	Since string `json:"since,omitempty"`

	// Filter is all events to which these filters apply, by their names in
	// journal.FilterNames. A `destination` and a `state` limit it to deliveries to that
	// destination, and in that state.
	Filter map[string]string `json:"filter,omitempty"`

	// Destination limits the selection to one destination. A Filter names it itself.
	// Default: all.
	Destination *string `json:"destination,omitempty"`

	// Cause limits Dead to dead letters with this last error. Default: all.
	Cause string `json:"cause,omitempty"`

	// DryRun only counts.
	DryRun bool `json:"dry_run,omitempty"`
}

// Ways lists the ways in which events are selected: `ids`, `dead`, `since` and `filter`.
func (s Selection) Ways() []string {
	var given []string
	if len(s.IDs) > 0 {
		given = append(given, "ids")
	}
	if s.Dead {
		given = append(given, "dead")
	}
	if s.Since != "" {
		given = append(given, "since")
	}
	if len(s.Filter) > 0 {
		given = append(given, "filter")
	}
	return given
}

// parseSelection is strict: text that is not understood must not select more than
// was meant.
func parseSelection(body []byte, ways []string) (s queue.Selection, err error) {
	read, err := decodeSelection(body)
	if err != nil {
		return s, fmt.Errorf("the body is not a selection, such as {\"dead\":true,\"destination\":\"crm\"}: %w", err)
	}
	given := read.Ways()
	switch {
	case len(given) != 1 || !slices.Contains(ways, given[0]):
		return s, fmt.Errorf("select events by exactly one of %s", strings.Join(ways, ", "))
	case read.Cause != "" && !read.Dead:
		return s, errors.New("member \"cause\" is for dead letters; use it with \"dead\"")
	case read.Filter != nil && read.Destination != nil:
		return s, errors.New("member \"destination\" is not for a filter; put it into the filter")
	}
	s.Dead, s.Cause, s.DryRun = read.Dead, read.Cause, read.DryRun
	if read.Destination != nil {
		s.Destination = *read.Destination
	}
	if read.Since != "" {
		if s.Since, err = journal.ParseTime(read.Since, time.Now()); err != nil {
			return s, fmt.Errorf("since: %w", err)
		}
	}
	if read.Filter != nil {
		s.Search = new(queue.Search)
		if *s.Search, err = journal.ParseFilter(func(name string) string { return read.Filter[name] }, time.Now()); err != nil {
			return s, fmt.Errorf("filter: %w", err)
		}
	}
	s.Keys, err = ParseIDs(read.IDs)
	return s, err
}

// ParseIDs parses names of events, and returns each key once, so that none is counted
// twice.
func ParseIDs(ids []string) ([]envelope.Key, error) {
	var keys []envelope.Key
	seen := make(map[envelope.Key]bool, len(ids))
	for _, id := range ids {
		key, err := envelope.ParseKey(id)
		if err != nil {
			return nil, err
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}
