package provider_test

import (
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

func TestNearestPattern(t *testing.T) {
	spec, err := provider.Parse("acme", []byte(`provider acme {
		verify basic
		type event {
			msg         message.created
			msg.edited  message.updated
			chat.closed conversation.resolved
			chat.note   conversation.note.created
		}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"mesage.created":         "message.created",
		"message.create":         "message.created",
		"messages.*":             "message.*",
		"mesage.*":               "message.*",
		"*.craeted":              "*.created",
		"conversation.notes.*":   "conversation.note.*",
		"conversation.*.updated": "conversation.*.created",
		"message_created":        "message.created",
		"charge.succeeded":       "acme.charge.succeeded",
		"chat.*":                 "acme.chat.*",
		"acm.charge.*":           "acme.charge.*",
		"acme":                   "acme.*",
		"invoice":                "acme.invoice",
	} {
		parsed, err := envelope.ParseTypePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.NearestPattern(parsed); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}
