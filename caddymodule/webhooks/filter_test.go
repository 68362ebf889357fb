package webhooks

import (
	"reflect"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// ofText is a condition that the kind of a message is text.
var ofText = envelope.Condition{Path: "data.message.kind", Is: []string{"text"}}

// TestFilterOfDestination shows what the queue gets of the settings.
func TestFilterOfDestination(t *testing.T) {
	d := &Destination{Types: []string{"message.*"}, When: []envelope.Condition{ofText}}
	want := queue.Filter{Source: "/webhooks/acme", Types: []envelope.TypePattern{{"message", "*"}}, When: d.When}
	if got := d.newFilter("/webhooks/acme"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestRefusal shows that a destination that is valid, and not provisioned, says which of
// its lines refuses an event.
func TestRefusal(t *testing.T) {
	body := []byte(`{"type":"message.created","data":{"message":{"kind":"text"}}}`)
	for want, d := range map[string]*Destination{
		"":                  {Name: "all"},
		"types contact.* a": {Types: []string{"contact.*", "a"}, When: []envelope.Condition{ofText}},
		"when data.message.kind is not text": {
			Types: []string{"message.*"},
			When:  []envelope.Condition{ofText, {Path: "data.message.kind", IsNot: []string{"text"}}},
		},
		"when subject is *": {When: []envelope.Condition{{Path: "subject", Is: []string{"*"}}}},
	} {
		if got := d.Refusal("message.created", body); got != want {
			t.Errorf("%+v: %q, want %q", d, got, want)
		}
	}
}

// TestFilterErrors shows the errors of conditions in JSON, which no parser has checked.
func TestFilterErrors(t *testing.T) {
	for want, d := range map[string]Destination{
		"`when`: a path is required, such as data.message.kind":             {When: []envelope.Condition{{}}},
		"`when`: subject: use either `is` or `is not`, with words after it": {When: []envelope.Condition{ofText, {Path: "subject"}}},
		"`when`: path \"data|type\": use . between members, not |":          {When: []envelope.Condition{{Path: "data|type", Is: []string{"a"}}}},
		"`when` selects events, and `format original` is a whole request; remove `when`, or use `format cloudevents`": {
			Format: envelope.FormatOriginal, When: []envelope.Condition{ofText},
		},
	} {
		d.setDefaults(envelope.FormatCloudEvents)
		if err := d.validateFilter(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
