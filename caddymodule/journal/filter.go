package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// FilterNames are the names of the filters of events, in the admin API, as flags of the
// commands and in the URLs of the console.
var FilterNames = []string{
	"provider", "source", "type", "subject", "partitionkey", "id", "destination", "state", "since", "until", "text",
}

// maxFilter is the maximum length in bytes of the value of a filter: that of an attribute.
const maxFilter = envelope.MaxAttribute

// states are the states that a search can select.
var states = []queue.State{
	queue.StateWaiting, queue.StateRetrying, queue.StateParked, queue.StateDelivered, queue.StateDead,
	queue.StateDiscarded, queue.StateUnrouted,
}

// ParseFilter parses filters by their names; get returns "" for one that is not set. A
// time is in RFC 3339, or how long ago it was, such as 2h or 7d.
func ParseFilter(get func(name string) string, now time.Time) (s queue.Search, err error) {
	for _, name := range FilterNames {
		if err = checkFilter(name, get(name)); err != nil {
			return queue.Search{}, err
		}
	}
	s = queue.Search{
		Provider: get("provider"), Source: get("source"), Subject: get("subject"),
		PartitionKey: get("partitionkey"), ID: get("id"), Destination: get("destination"), Text: get("text"),
	}
	if s.State, err = parseState(get("state")); err != nil {
		return queue.Search{}, err
	}
	if pattern := get("type"); pattern != "" {
		if s.Type, err = envelope.ParseTypePattern(pattern); err != nil {
			return queue.Search{}, fmt.Errorf("type: %w", err)
		}
	}
	for _, bound := range []struct {
		name string
		to   *time.Time
	}{{"since", &s.Since}, {"until", &s.Until}} {
		if text := get(bound.name); text != "" {
			if *bound.to, err = ParseTime(text, now); err != nil {
				return queue.Search{}, fmt.Errorf("%s: %w", bound.name, err)
			}
		}
	}
	if !s.Since.IsZero() && !s.Until.IsZero() && s.Since.After(s.Until) {
		return queue.Search{}, errors.New("since is after until; swap them, or leave one out")
	}
	return s, nil
}

// checkFilter refuses a value that no event can have, and that a database would not take.
func checkFilter(name, value string) error {
	switch {
	case len(value) > maxFilter:
		return fmt.Errorf("%s takes at most %d bytes, and this is %d", name, maxFilter, len(value))
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fmt.Errorf("%s takes UTF-8 text", name)
	}
	return nil
}

func parseState(text string) (queue.State, error) {
	state := queue.State(text)
	if text != "" && !slices.Contains(states, state) {
		last := len(states) - 1
		names := make([]string, last)
		for i, s := range states[:last] {
			names[i] = string(s)
		}
		return "", fmt.Errorf("state takes %s or %s", strings.Join(names, ", "), states[last])
	}
	return state, nil
}

// ParseTime parses a time at which an event can have come in: in RFC 3339, or how long
// ago it was.
func ParseTime(text string, now time.Time) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		ago, err := caddy.ParseDuration(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%.40q is not a time in RFC 3339, such as 2026-01-02T15:04:05Z, nor how long ago it was, such as 2h or 7d", text)
		}
		if ago < 0 {
			return time.Time{}, fmt.Errorf("%.40q is in the future; leave the sign out", text)
		}
		t = now.Add(-ago)
	}
	// Other times do not fit into 64 bits of nanoseconds, either.
	if t.Year() < 1970 || t.Year() > 2261 {
		return time.Time{}, fmt.Errorf("no event came in in the year %d; check the time", t.Year())
	}
	return t, nil
}
