package envelope_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/extensions"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// recorded is in another zone and has nanoseconds, neither of which goes out.
var recorded = time.Date(2026, 11, 20, 13, 0, 0, 123_456_789, time.FixedZone("", 3600))

// full returns an event with every attribute, as product.md shows it.
func full() envelope.Event {
	return envelope.Event{
		ID:           "a056V7R7NmNRjl70",
		Source:       "/webhooks/notifly",
		Type:         "message.updated",
		Subject:      "conversations/xgQQXg3hrtjh7AvZ",
		Time:         "1991-12-08T23:00:00Z",
		Recorded:     recorded,
		PartitionKey: "xgQQXg3hrtjh7AvZ",
		Provider:     "notifly",
		ProviderType: "message.updated",
		Fields:       []byte(`"conversation":{"id":"xgQQXg3hrtjh7AvZ"},"message":{"kind":"text","text":"I’m"}`),
		Original:     `{ "id": "a056V7R7NmNRjl70", "n": 1.00, "n": 1e2, "s": "\u00e9\/" }`,
	}
}

// minimal returns an event of which nothing is known but its bytes.
func minimal() envelope.Event {
	return envelope.Event{
		ID:       "2c26b46b68ffc68ff99b453c1d304134",
		Source:   "/webhooks/acme",
		Type:     "acme.unknown",
		Recorded: time.Unix(0, 0),
		Provider: "acme",
		Original: `null`,
	}
}

const (
	traceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceState  = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
)

// inTrace returns an event whose request is in a trace.
func inTrace() envelope.Event {
	e := full()
	e.TraceParent, e.TraceState = traceParent, traceState
	return e
}

// ofForm returns an event that was made from a form.
func ofForm() envelope.Event {
	e := full()
	e.OriginalType = "application/x-www-form-urlencoded"
	return e
}

const (
	fullEnvelope = `{"specversion":"1.0","id":"a056V7R7NmNRjl70","source":"/webhooks/notifly","type":"message.updated",` +
		`"subject":"conversations/xgQQXg3hrtjh7AvZ","time":"1991-12-08T23:00:00Z","recordedtime":"2026-11-20T12:00:00.123456Z",` +
		`"partitionkey":"xgQQXg3hrtjh7AvZ","provider":"notifly","providertype":"message.updated","datacontenttype":"application/json",` +
		`"data":{"conversation":{"id":"xgQQXg3hrtjh7AvZ"},"message":{"kind":"text","text":"I’m"},` +
		`"original":{ "id": "a056V7R7NmNRjl70", "n": 1.00, "n": 1e2, "s": "\u00e9\/" }}}`

	minimalEnvelope = `{"specversion":"1.0","id":"2c26b46b68ffc68ff99b453c1d304134","source":"/webhooks/acme","type":"acme.unknown",` +
		`"recordedtime":"1970-01-01T00:00:00.000000Z","provider":"acme","datacontenttype":"application/json","data":{"original":null}}`
)

func TestAppend(t *testing.T) {
	fieldsOnly := minimal()
	fieldsOnly.Fields = []byte(`"contact":{"id":"7"}`)
	for _, test := range []struct {
		name  string
		event envelope.Event
		want  string
	}{
		{"full", full(), fullEnvelope},
		{"in a trace", inTrace(), strings.Replace(fullEnvelope, `,"datacontenttype"`, `,"traceparent":"`+traceParent+`","tracestate":"`+traceState+`","datacontenttype"`, 1)},
		{"of a form", ofForm(), strings.Replace(fullEnvelope, `,"datacontenttype"`, `,"originaltype":"application/x-www-form-urlencoded","datacontenttype"`, 1)},
		{"minimal", minimal(), minimalEnvelope},
		{"fields without attributes", fieldsOnly, strings.Replace(minimalEnvelope, `"original"`, `"contact":{"id":"7"},"original"`, 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(test.event.Append(nil)); got != test.want {
				t.Errorf("Append() = %s\nwant       %s", got, test.want)
			}
			// What is there already stays.
			if got := string(test.event.Append([]byte("before"))); got != "before"+test.want {
				t.Errorf("Append(before) = %s", got)
			}
			checkCloudEvent(t, &test.event)
		})
	}
}

// checkCloudEvent wants CloudEvents' own library to read from the envelope what
// was written into it.
func checkCloudEvent(t *testing.T, e *envelope.Event) {
	t.Helper()
	written := e.Append(nil)
	if !json.Valid(written) {
		t.Fatalf("not JSON: %q", written)
	}
	var got event.Event
	if err := got.UnmarshalJSON(written); err != nil {
		t.Fatalf("the CloudEvents SDK does not read %q: %v", written, err)
	}
	if err := got.Validate(); err != nil {
		t.Fatalf("the CloudEvents SDK does not accept %q: %v", written, err)
	}
	extension := func(name string) string {
		value, _ := got.Extensions()[name].(string)
		return value
	}
	trace, _ := extensions.GetDistributedTracingExtension(got)
	for _, attribute := range []struct{ name, got, want string }{
		{"specversion", got.SpecVersion(), "1.0"},
		{"id", got.ID(), e.ID},
		{"source", got.Source(), e.Source},
		{"type", got.Type(), e.Type},
		{"subject", got.Subject(), e.Subject},
		{"partitionkey", extension("partitionkey"), e.PartitionKey},
		{"provider", extension("provider"), e.Provider},
		{"providertype", extension("providertype"), e.ProviderType},
		{"originaltype", extension("originaltype"), e.OriginalType},
		{"recordedtime", extension("recordedtime"), e.Recorded.UTC().Format("2006-01-02T15:04:05.000000Z")},
		{"datacontenttype", got.DataContentType(), "application/json"},
		{"traceparent", trace.TraceParent, e.TraceParent},
		{"tracestate", trace.TraceState, e.TraceState},
	} {
		if attribute.got != attribute.want {
			t.Errorf("%s = %q; want %q", attribute.name, attribute.got, attribute.want)
		}
	}
	if e.Time != "" {
		if want, err := time.Parse(time.RFC3339, e.Time); err != nil || !got.Time().Equal(want) {
			t.Errorf("time = %v; want %s", got.Time(), e.Time)
		}
	}
	var data struct {
		Original json.RawMessage `json:"original"`
	}
	if err := json.Unmarshal(got.Data(), &data); err != nil {
		t.Fatal(err)
	}
	if want := strings.Trim(e.Original, " \t\r\n"); string(data.Original) != want {
		t.Errorf("data.original = %q\nwant            %q", data.Original, want)
	}
}

func TestAppendEscapesAttributes(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{`a"b`, `"a\"b"`},
		{`a\b`, `"a\\b"`},
		{`","source":"x`, `"\",\"source\":\"x"`},
		{"a\nb\x00", `"a\nb\u0000"`},
		{"<é> & 😀", `"\u003cé\u003e \u0026 😀"`},
		{"\u2028", `"\u2028"`},
		{"a/b<c>", `"a/b<c>"`},
		{"\x7f", "\"\x7f\""},
		{"a\xffb", "\"a\uFFFDb\""},
		{"\\ud800", `"\\ud800"`},
	} {
		e := minimal()
		e.ProviderType = test.value
		got := string(e.Append(nil))
		if want := strings.Replace(minimalEnvelope, `,"datacontenttype"`, `,"providertype":`+test.want+`,"datacontenttype"`, 1); got != want {
			t.Errorf("Append() = %s\nwant       %s", got, want)
		}
		var decoded struct{ ProviderType string }
		if err := json.Unmarshal([]byte(got), &decoded); err != nil || decoded.ProviderType != strings.ToValidUTF8(test.value, "\uFFFD") {
			t.Errorf("decoded = %q, %v; want %q", decoded.ProviderType, err, test.value)
		}
	}
}

// Microseconds are cut off, not rounded: an event is never recorded in the
// future.
func TestAppendRecordedTime(t *testing.T) {
	for _, test := range []struct {
		recorded time.Time
		want     string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05.000000Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC), "2026-01-02T03:04:05.000000Z"},
		{time.Date(2026, 1, 2, 3, 4, 5, 1000, time.UTC), "2026-01-02T03:04:05.000001Z"},
		{time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), "2026-12-31T23:59:59.999999Z"},
		{time.Date(2026, 1, 1, 0, 30, 0, 120_000_000, time.FixedZone("", 5400)), "2025-12-31T23:00:00.120000Z"},
		{time.Time{}, "0001-01-01T00:00:00.000000Z"},
	} {
		e := minimal()
		e.Recorded = test.recorded
		if got := string(e.Append(nil)); !strings.Contains(got, `"recordedtime":"`+test.want+`"`) {
			t.Errorf("Append() = %s; want recordedtime %s", got, test.want)
		}
	}
}

// Within its estimate, an envelope is written without growing its buffer.
func TestSize(t *testing.T) {
	big := full()
	big.ID = strings.Repeat("i", envelope.MaxAttribute)
	big.ProviderType = strings.Repeat("é", envelope.MaxAttribute/2)
	big.Original = `"` + strings.Repeat("x", 1<<20) + `"`
	big.Time = "2026-11-20T12:00:00.123456789Z"
	for _, e := range []envelope.Event{full(), minimal(), inTrace(), ofForm(), big} {
		size := e.Size()
		if written := e.Append(make([]byte, 0, size)); len(written) > size || cap(written) != size {
			t.Errorf("Size() = %d, for an envelope of %d bytes", size, len(written))
		}
	}
}

func TestValidAttribute(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        bool
	}{
		{"text", "message.updated", true},
		{"letters of other scripts", "é日本語😀", true},
		{"quotes and backslashes", `a"b\c`, true},
		{"longest", strings.Repeat("a", envelope.MaxAttribute), true},
		{"first after the control characters", "\u00a0x", true},
		{"blank", " \u00a0", false},
		{"space inside", "a b", true},
		{"private use", "\ue000\U0010fffd", true},
		{"around the noncharacters", "\ufdcf\ufdf0\ufffc\U0001fffd\U00020000", true},

		{"empty", "", false},
		{"too long", strings.Repeat("a", envelope.MaxAttribute+1), false},
		{"too long in bytes", strings.Repeat("é", envelope.MaxAttribute/2) + "a", false},
		{"NUL", "a\x00", false},
		{"line break", "a\nb", false},
		{"tab", "\ta", false},
		{"last of C0", "\x1f", false},
		{"DEL", "a\x7f", false},
		{"first of C1", "\u0080", false},
		{"last of C1", "\u009f", false},
		{"not UTF-8", "a\xff", false},
		{"surrogate in UTF-8", "\xed\xa0\x80", false},
		{"overlong", "\xc0\xaf", false},
		{"what a surrogate decodes to", "a\uFFFD", false},
		{"first noncharacter", "\ufdd0", false},
		{"noncharacter", "\ufdef", false},
		{"noncharacter at the end of a plane", "\ufffe", false},
		{"last of a plane", "\uffff", false},
		{"noncharacter in another plane", "\U0001fffe", false},
		{"last of all", "\U0010ffff", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := envelope.ValidAttribute(test.value); got != test.want {
				t.Errorf("ValidAttribute(%q) = %v", test.value, got)
			}
		})
	}
}
