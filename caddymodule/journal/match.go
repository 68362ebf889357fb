package journal

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// attributes are those of an event that a search looks at.
type attributes struct {
	provider, source, eventType, subject, partitionKey, id string
	received                                               time.Time
}

// selects reports whether a search selects an event, apart from Destination, State and
// Text.
func selects(s *queue.Search, a *attributes) bool {
	switch {
	case s.Provider != "" && s.Provider != a.provider,
		s.Source != "" && s.Source != a.source,
		s.Subject != "" && s.Subject != a.subject,
		s.PartitionKey != "" && s.PartitionKey != a.partitionKey,
		s.ID != "" && s.ID != a.id,
		s.Type != nil && !s.Type.Match(a.eventType):
		return false
	}
	return isWithin(s, a.received)
}

// isWithin reports whether a time is within Since and Until.
func isWithin(s *queue.Search, at time.Time) bool {
	return (s.Since.IsZero() || !at.Before(s.Since)) && (s.Until.IsZero() || at.Before(s.Until))
}

// wanted is a text to look for in bodies: as it is, or escaped as in JSON.
type wanted struct{ plain, escaped []byte }

// newWanted returns a text to look for, nil for none.
func newWanted(text string) *wanted {
	if text == "" {
		return nil
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // never fails for a string
	return &wanted{[]byte(text), quoted.Bytes()[1 : quoted.Len()-len("\"\n")]}
}

// isIn reports whether the text is in a body. A nil text is in every one.
func (w *wanted) isIn(body []byte) bool {
	return w == nil || bytes.Contains(body, w.plain) || bytes.Contains(body, w.escaped)
}
