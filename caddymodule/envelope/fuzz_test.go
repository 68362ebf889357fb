package envelope_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// FuzzEnvelope looks for a payload that passes Check and breaks the envelope
// around it, for attributes that do, and for payloads about which Check and
// encoding/json disagree.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"id":"a056V7R7NmNRjl70"}`), "a056V7R7NmNRjl70", "/webhooks/notifly", "message.updated", "conversations/7", "7", "message.updated")
	f.Add([]byte(" \r\n\t[1.0e+2,\"\\ud800\\u0000\",\"\\\"[{\"]\n"), `"`, "urn:x", `a.\`, "contacts/é", "\u2028", "<&>")
	f.Add([]byte(`{"original":1,"original":2}}`), "", "", "", "", "", "")
	f.Add([]byte(nested(envelope.MaxDepth)), "1", "https://hooks.example.com/a?b=%2F#c", "a.b", "", "\U0010fffd", "\uFFFD")
	f.Add([]byte(nested(envelope.MaxDepth+1)), "1", "a", "a.b", "", "", "")
	f.Add([]byte(`-0`), " ", "%zz", "a.b", " ", " ", " ")
	f.Add([]byte(strings.Repeat("1234567890", 40)), "1", "a", "a.b", "", "", "")
	f.Add([]byte(`1E400`), "1", "a", "a.b", "", "", "")
	f.Fuzz(func(t *testing.T, original []byte, id, source, eventType, subject, partitionKey, providerType string) {
		err := envelope.Check(original)
		if right := utf8.Valid(original) && json.Valid(original) && depth(original) <= envelope.MaxDepth; right != (err == nil) {
			t.Fatalf("Check(%q) = %v; want passed = %v", original, err, right)
		}
		if err != nil {
			return
		}
		for _, required := range []string{id, source, eventType} {
			if !envelope.ValidAttribute(required) {
				return
			}
		}
		for _, optional := range []string{subject, partitionKey, providerType} {
			if optional != "" && !envelope.ValidAttribute(optional) {
				return
			}
		}
		// The source is configured; what is no URI-reference is no source, and
		// the library writes some of them in another way.
		if uri, err := url.Parse(source); err != nil || uri.String() != source {
			return
		}
		checkCloudEvent(t, &envelope.Event{
			ID: id, Source: source, Type: eventType, Subject: subject, PartitionKey: partitionKey, ProviderType: providerType,
			Time: "1991-12-08T23:00:00Z", Recorded: recorded, Provider: "acme",
			Fields:   []byte(`"contact":{"id":"7"}`),
			Original: string(original),
		})
	})
}

// depth returns how deep valid JSON is nested; 0 for anything else.
func depth(payload []byte) (deepest int) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
		deepest = max(deepest, depth)
	}
}
