package webhooks

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
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

// TestWarnOfTypes shows which patterns of a destination are probably slips, for a provider
// whose file names types, and one whose types are all its own.
func TestWarnOfTypes(t *testing.T) {
	for _, c := range []struct{ mapped, types, want string }{
		{"", "*", ""},
		{"", "*.succeeded acme.charge.* acme.charge.succeeded", ""},
		{"", "charge.*", "charge.* acme.charge.*"},
		{"", "acm.charge.* acme", "acm.charge.* acme.charge.*, acme acme.*"},
		{"msg message.created", "message.* *.created acme.call.ended *", ""},
		{"msg message.created", "mesage.created *.craeted call.ended", "mesage.created message.created, *.craeted *.created, call.ended acme.call.ended"},
	} {
		text := "provider acme {\n verify basic\n type type\n}"
		if c.mapped != "" {
			text = "provider acme {\n verify basic\n type type {\n " + c.mapped + "\n}\n}"
		}
		spec, err := provider.Parse("acme", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := spec.Compile()
		if err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(zap.WarnLevel)
		d := &Destination{Name: "crm", Types: strings.Fields(c.types)}
		d.filter = d.newFilter("/webhooks/acme")
		d.warnOfTypes(&Handler{Provider: "acme", provider: compiled, logger: zap.New(core)})
		var got []string
		for _, line := range logs.All() {
			fields := line.ContextMap()
			got = append(got, fmt.Sprintf("%s %s", fields["pattern"], fields["nearest"]))
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: warnings about %q, want %q", c.types, got, c.want)
		}
	}
}
