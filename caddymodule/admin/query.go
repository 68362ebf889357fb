package admin

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
)

// readQuery returns the query. A parameter that is misspelt or empty must not be
// ignored: without it, a request means more than was asked for.
func readQuery(r *http.Request, known ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, "the query is malformed: %v", err)
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return nil, apiError(http.StatusBadRequest, "unknown parameter %.40q; use %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
		if len(values) != 1 || values[0] == "" {
			return nil, apiError(http.StatusBadRequest, "the parameter %s takes one value; give it one, or leave it out", name)
		}
	}
	return query, nil
}

func readLimit(query url.Values) (int, error) {
	if !query.Has("limit") {
		return DefaultLimit, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > MaxLimit {
		return 0, apiError(http.StatusBadRequest, "limit takes a number from 1 to %d", MaxLimit)
	}
	return limit, nil
}

// readPage returns the part of a list that the query asks for.
func readPage(query url.Values) (journal.Page, error) {
	limit, err := readLimit(query)
	return journal.Page{Cursor: query.Get("cursor"), Limit: limit}, err
}

// readID returns the event that the path names, and the query.
func readID(r *http.Request) (envelope.Key, url.Values, error) {
	query, err := readQuery(r, "destination")
	if err != nil {
		return envelope.Key{}, nil, err
	}
	key, err := parseKey(r.PathValue("id"))
	return key, query, err
}

func parseKey(id string) (envelope.Key, error) {
	key, err := envelope.ParseKey(id)
	if err != nil {
		return key, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return key, nil
}
