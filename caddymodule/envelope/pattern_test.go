package envelope_test

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

func TestTypePattern(t *testing.T) {
	types := []string{
		"message.created", "message.updated", "message.created.late", "conversation.created", "message", "created",
		"messages.created", "acme.a.b.created", "Message.created",
	}
	for pattern, want := range map[string]string{
		"*":                 strings.Join(types, " "),
		"message.*":         "message.created message.updated message.created.late",
		"*.created":         "message.created conversation.created messages.created Message.created",
		"message.created":   "message.created",
		"message":           "message",
		"message.created.*": "message.created.late",
		"*.*":               "message.created message.updated message.created.late conversation.created messages.created acme.a.b.created Message.created",
		"*.*.*":             "message.created.late acme.a.b.created",
		"*.created.*":       "message.created.late",
		"*.*.*.created":     "acme.a.b.created",
		"acme.*.created":    "",
		"acme.*.*.created":  "acme.a.b.created",
		"acme.*":            "acme.a.b.created",
		"unknown.*":         "",
	} {
		t.Run(pattern, func(t *testing.T) {
			p, err := envelope.ParseTypePattern(pattern)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, eventType := range types {
				if p.Match(eventType) {
					got = append(got, eventType)
				}
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("selects %q; want %q", got, want)
			}
			if p.Match("") {
				t.Error("selects the empty type")
			}
		})
	}
}

func TestParseTypePatternErrors(t *testing.T) {
	for _, pattern := range []string{"", ".", "message.", ".created", "message..created", "mess*", "*message", "message.*d", "**", "message.**", "*.", ".*"} {
		p, err := envelope.ParseTypePattern(pattern)
		if err == nil {
			t.Errorf("ParseTypePattern(%q) = %q", pattern, p)
			continue
		}
		if want := `"` + pattern + `" is not a pattern of event types; use words with dots between them, or * for a whole word, such as message.* or *.created`; err.Error() != want {
			t.Errorf("ParseTypePattern(%q) = %q; want %q", pattern, err, want)
		}
	}
}
