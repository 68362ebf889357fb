package envelope_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// sampleEnvelope is an envelope with values of each kind.
func sampleEnvelope() []byte {
	e := envelope.Event{
		ID: "e-1", Source: "/webhooks/acme", Type: "message.created", Subject: "conversations/7", Provider: "acme",
		Recorded: time.Unix(0, 0), Fields: []byte(`"message":{"kind":"text","text":"say \"hi\"","empty":""}`),
		Original: `{"live":true,"off":false,"amount":12.50,"none":null,"labels":[{"name":"bug"}],"nobody":[],"repository":{"full_name":"acme/shop"}}`,
	}
	return e.Append(nil)
}

func TestCondition(t *testing.T) {
	for text, want := range map[string]bool{
		"data.message.kind is text":                          true,
		"data.message.kind is image text":                    true,
		"data.message.kind is image":                         false,
		"data.message.kind is Text":                          false,
		"data.message.kind is not text":                      false,
		"data.message.kind is not image video":               true,
		"data.message.kind is t*t":                           true,
		"data.message.kind is *":                             true,
		"data.message.kind is not *":                         false,
		`data.message.text is say*"hi"`:                      true,
		"data.message.empty is *":                            true,
		"data.message.absent is *":                           false,
		"data.message.absent is not *":                       true,
		"data.message.absent is not text":                    true,
		"data.original.repository.full_name is acme/*":       true,
		"data.original.repository.full_name is other/*":      false,
		"data.original.repository is *":                      true,
		"data.original.repository is acme/shop":              false,
		"data.original.repository is not acme/shop":          true,
		"data.original.labels is *":                          true,
		"data.original.labels.0.name is bug":                 true,
		`data.original.labels.#(name=="bug").name is *`:      true,
		`data.original.labels.#(name=="question").name is *`: false,
		"data.original.live is true":                         true,
		"data.original.live is false":                        false,
		"data.original.off is false":                         true,
		"data.original.amount is 12.50":                      true,
		"data.original.amount is 12.5":                       false,
		"data.original.amount is 12*":                        true,
		"data.original.none is *":                            false,
		"data.original.none is null":                         false,
		"data.original.none is not *":                        true,
		"type is message.*":                                  true,
		"subject is conversations/*":                         true,
		"subject is contacts/*":                              false,
		"provider is acme":                                   true,
		"source is not /webhooks/acme":                       false,
		"partitionkey is *":                                  false,
		"data is *":                                          true,
	} {
		c := parsedCondition(t, text)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got := c.Holds(sampleEnvelope()); got != want {
			t.Errorf("%s: %t", text, got)
		}
		if got := c.String(); got != "when "+text {
			t.Errorf("got %q, want %q", got, "when "+text)
		}
	}
	if parsedCondition(t, "data is *").Holds([]byte("not JSON")) {
		t.Error("holds for what is not an envelope")
	}
}

// parsedCondition returns the condition of `<path> is [not] <word…>`.
func parsedCondition(t *testing.T, text string) (c envelope.Condition) {
	t.Helper()
	path, words, ok := strings.Cut(text, " is ")
	if !ok {
		t.Fatal(text)
	}
	c.Path = path
	if not, isNot := strings.CutPrefix(words, "not "); isNot {
		c.IsNot = strings.Fields(not)
	} else {
		c.Is = strings.Fields(words)
	}
	return c
}

// TestConditionMembers shows that conditions can be about every member of an envelope.
func TestConditionMembers(t *testing.T) {
	e := envelope.Event{
		ID: "1", Source: "/", Type: "a.b", Subject: "s", Time: "2026-01-01T00:00:00Z", PartitionKey: "k", Provider: "p", ProviderType: "t", OriginalType: "o",
		TraceParent: "p", TraceState: "s", Original: "{}",
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(e.Append(nil), &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if err := (envelope.Condition{Path: name, Is: []string{"*"}}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestConditionErrors(t *testing.T) {
	words := []string{"x"}
	for _, c := range []struct {
		condition envelope.Condition
		want      string
	}{
		{envelope.Condition{Is: words}, "a path is required, such as data.message.kind"},
		{envelope.Condition{Path: "subject"}, "subject: use either `is` or `is not`, with words after it"},
		{envelope.Condition{Path: "subject", Is: words, IsNot: words}, "subject: use either `is` or `is not`, with words after it"},
		{envelope.Condition{Path: "data.@reverse", Is: words}, `path "data.@reverse": modifiers and literals do not work here; for a member whose name begins with @ or !, write a backslash before it`},
		{envelope.Condition{Path: "$.data.message.kind", Is: words}, `path "$.data.message.kind": a path begins at the envelope, without $; write data.message.kind`},
		{envelope.Condition{Path: "data.", Is: words}, `path "data.": a name is missing before or after a dot`},
		{envelope.Condition{Path: "message.kind", Is: words}, `path "message.kind": an envelope has no "message"; begin with data, as in data.message.kind or data.original.message.kind, or use an attribute such as type or subject`},
	} {
		if err := c.condition.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("%+v: got %v; want %s", c.condition, err, c.want)
		}
	}
}

// TestConditionJSON shows the form in which a configuration and a queue hold it.
func TestConditionJSON(t *testing.T) {
	const text = `[{"path":"subject","is":["a","b"]},{"path":"data.message.kind","is_not":["text"]}]`
	var read []envelope.Condition
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		t.Fatal(err)
	}
	want := []envelope.Condition{{Path: "subject", Is: []string{"a", "b"}}, {Path: "data.message.kind", IsNot: []string{"text"}}}
	if !reflect.DeepEqual(read, want) {
		t.Errorf("read %+v", read)
	}
	if again, err := json.Marshal(read); err != nil || string(again) != text {
		t.Errorf("wrote %s, %v", again, err)
	}
}
