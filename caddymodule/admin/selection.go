package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
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

// Selection is a queue.Selection in JSON: exactly one of IDs, Dead and Since.
type Selection struct {
	// IDs are the events with these names, `msg_…`.
	IDs []string `json:"ids,omitempty"`

	// Dead is all dead letters.
	Dead bool `json:"dead,omitempty"`

	// Since is all events received since a time in RFC 3339.
	Since string `json:"since,omitempty"`

	// Destination limits the selection to one destination. Default: all.
	Destination *string `json:"destination,omitempty"`
}

// Ways lists the ways in which events are selected: `ids`, `dead` and `since`.
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
	return given
}

// parseSelection is strict: text that is not understood must not select more than
// was meant.
func parseSelection(body []byte, ways []string) (s queue.Selection, err error) {
	read, err := decodeSelection(body)
	if err != nil {
		return s, fmt.Errorf("the body is not a selection, such as {\"dead\":true,\"destination\":\"crm\"}: %w", err)
	}
	if given := read.Ways(); len(given) != 1 || !slices.Contains(ways, given[0]) {
		return s, fmt.Errorf("select events by exactly one of %s", strings.Join(ways, ", "))
	}
	if read.Destination != nil {
		s.Destination = *read.Destination
	}
	s.Dead = read.Dead
	if read.Since != "" {
		if s.Since, err = ParseTime(read.Since); err != nil {
			return s, fmt.Errorf("since: %w", err)
		}
	}
	s.Keys, err = ParseIDs(read.IDs)
	return s, err
}

// decodeSelection decodes a selection. Unlike encoding/json, it refuses a member that
// is null, empty, unknown or there twice: each could widen a selection.
func decodeSelection(body []byte) (read Selection, err error) {
	members := map[string]struct {
		to   any
		want string
	}{
		"ids":         {&read.IDs, "a list of ids"},
		"dead":        {&read.Dead, "true or false"},
		"since":       {&read.Since, "a time"},
		"destination": {&read.Destination, "a name"},
	}
	object := gjson.ParseBytes(body)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return read, errors.New("it is empty")
	case envelope.Check(body) != nil: // which also bounds how deep it is
		return read, errors.New("it is not JSON")
	case !object.IsObject():
		return read, errors.New("it is not an object")
	}
	seen := make(map[string]bool)
	object.ForEach(func(name, value gjson.Result) bool {
		member, ok := members[name.String()]
		switch {
		case !ok:
			err = fmt.Errorf("unknown member %.40q; use ids, dead, since or destination", name.String())
		case seen[name.String()]:
			err = fmt.Errorf("duplicate member %q; remove one", name.String())
		case value.Type == gjson.Null:
			err = fmt.Errorf("member %q is null; leave it out", name.String())
		case value.IsArray() && !value.Get("0").Exists(), value.Type == gjson.String && value.Str == "":
			err = fmt.Errorf("member %q is empty; leave it out", name.String())
		case json.Unmarshal([]byte(value.Raw), member.to) != nil:
			err = fmt.Errorf("member %q must be %s", name.String(), member.want)
		}
		seen[name.String()] = true
		return err == nil
	})
	return read, err
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

// ParseTime parses a time in RFC 3339, at which an event can have come in.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("%.40q is not a time in RFC 3339, such as 2026-01-02T15:04:05Z", s)
	}
	// Other times do not fit into 64 bits of nanoseconds, either.
	if t.Year() < 1970 || t.Year() > 2261 {
		return t, fmt.Errorf("no event came in in the year %d; check the time", t.Year())
	}
	return t, nil
}
