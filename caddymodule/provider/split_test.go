package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// repeat returns an array of n items.
func repeat(n int, item string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// texts returns the texts of events, which are where they say in the body.
func texts(body string, events []provider.Raw) []string {
	var texts []string
	for _, e := range events {
		texts = append(texts, body[e.Start:e.Start+len(e.Text)])
		if e.Text != texts[len(texts)-1] {
			return nil
		}
	}
	return texts
}

// TestSplit finds the events in a body.
func TestSplit(t *testing.T) {
	const single, batch, nested, array = "", "events events", "events data.items", "events ."
	const entries = "events entry.#.changes"
	const rest = "events entry.#.changes.#.value.messages entry.#.changes.#.value.statuses entry.#.changes"
	for _, test := range []struct {
		name, lines, body string
		want              []string
		err               error
	}{
		{"one event", single, `{"a":1}`, []string{`{"a":1}`}, nil},
		{"one event with space around", single, "\r\n\t {\"a\":1} \n", []string{"\r\n\t {\"a\":1} \n"}, nil},
		{"one empty event", single, `{}`, []string{`{}`}, nil},
		{"one event that is an array", single, `[{"a":1}]`, nil, provider.ErrNoEvent},
		{"one event that is a text", single, `"{}"`, nil, provider.ErrNoEvent},
		{"one event that is a number", single, ` 1`, nil, provider.ErrNoEvent},
		{"one event that is null", single, `null`, nil, provider.ErrNoEvent},

		{"a batch", batch, `{"events":[{"a":1},{"b":2}]}`, []string{`{"a":1}`, `{"b":2}`}, nil},
		{"a batch of one", batch, `{"a":[{"x":1}],"events":[{"a":1}]}`, []string{`{"a":1}`}, nil},
		{"each its own bytes", batch, "{ \"events\" :\n[ { \"a\" : 1.0 } ,\t{\"\\u0062\":[ ]}\n] }", []string{`{ "a" : 1.0 }`, `{"\u0062":[ ]}`}, nil},
		{"equal events", batch, `{"events":[{},{}]}`, []string{`{}`, `{}`}, nil},
		{"an escaped name", batch, `{"\u0065vents":[{"a":1}]}`, []string{`{"a":1}`}, nil},
		{"the first of two", batch, `{"events":[{"a":1}],"events":[{"b":2}]}`, []string{`{"a":1}`}, nil},
		{"the first of two, which is not an array", batch, `{"events":1,"events":[{"b":2}]}`, nil, provider.ErrNotArray},
		{"nested", nested, `{"items":[{"a":1}],"data":{"items":[{"b":2}]}}`, []string{`{"b":2}`}, nil},

		{"missing", batch, `{"event":[{}]}`, nil, provider.ErrNoEvent},
		{"missing parent", nested, `{"items":[{}]}`, nil, provider.ErrNoEvent},
		{"null", batch, `{"events":null}`, nil, provider.ErrNoEvent},
		{"empty", batch, `{"events":[]}`, nil, provider.ErrNoEvent},
		{"empty, with space", batch, "{\"events\":[ \n]}", nil, provider.ErrNoEvent},
		{"no object", batch, `[{"events":[{}]}]`, nil, provider.ErrNoEvent},
		{"a text body", batch, `"events"`, nil, provider.ErrNoEvent},
		{"an object", batch, `{"events":{"a":1}}`, []string{`{"a":1}`}, nil},
		{"a text", batch, `{"events":"[{}]"}`, nil, provider.ErrNotArray},
		{"an empty text", batch, `{"events":""}`, nil, provider.ErrNotArray},
		{"a number", batch, `{"events":0}`, nil, provider.ErrNotArray},
		{"false", batch, `{"events":false}`, nil, provider.ErrNotArray},
		{"nested null", nested, `{"data":{"items":null}}`, nil, provider.ErrNoEvent},
		{"nested no array", nested, `{"data":{"items":true}}`, nil, provider.ErrNotArray},

		{"an array", array, `[{"a":1},{"b":2}]`, []string{`{"a":1}`, `{"b":2}`}, nil},
		{"an array with space", array, "\r\n\t [ {\"a\" : 1} ,\n{} ] \n", []string{`{"a" : 1}`, `{}`}, nil},
		{"an empty array", array, ` []`, nil, provider.ErrNoEvent},
		{"null instead of an array", array, ` null`, nil, provider.ErrNoEvent},
		{"an object instead of an array", array, ` {"events":[{}]}`, []string{`{"events":[{}]}`}, nil},
		{"a text instead of an array", array, `"[{}]"`, nil, provider.ErrNotArray},
		{"an array of too many", array, repeat(provider.MaxEvents+1, `{}`), nil, provider.ErrTooMany},

		{"as many as may be", batch, `{"events":` + repeat(provider.MaxEvents, `{}`) + `}`, slices.Repeat([]string{`{}`}, provider.MaxEvents), nil},
		{"one too many", batch, `{"events":` + repeat(provider.MaxEvents+1, `{}`) + `}`, nil, provider.ErrTooMany},
		{"many in an event", batch, `{"events":[{"a":` + repeat(provider.MaxEvents+1, `{}`) + `}]}`, []string{`{"a":` + repeat(provider.MaxEvents+1, `{}`) + `}`}, nil},

		{"a number", batch, `{"events":[{},1]}`, nil, provider.ErrNotEvent},
		{"a null", array, `[{},null]`, nil, provider.ErrNotEvent},
		{"a text", array, `["a"]`, nil, provider.ErrNotEvent},
		{"an array in an array", array, `[[{}]]`, nil, provider.ErrNotEvent},

		{"in nested arrays", entries, `{"entry":[{"changes":[{"n":1},{"n":2}]},{"id":1},{"changes":[]},{"changes":[{"n":3}]}]}`, []string{`{"n":1}`, `{"n":2}`, `{"n":3}`}, nil},
		{"in nested arrays, a number", entries, `{"entry":[{"changes":[{"n":1},2]}]}`, nil, provider.ErrNotEvent},
		{"in nested arrays, a number on the way", entries, `{"entry":[1]}`, nil, provider.ErrNotEvent},
		{"in nested arrays, an object on the way", entries, `{"entry":{"changes":[{}]}}`, nil, provider.ErrNotArray},
		{"in nested arrays, null on the way", entries, `{"entry":null}`, nil, provider.ErrNoEvent},
		{"in nested arrays, one event", entries, `{"entry":[{"changes":{"n":1}}]}`, []string{`{"n":1}`}, nil},
		{"too many in nested arrays", entries, `{"entry":` + repeat(2, `{"changes":`+repeat(provider.MaxEvents/2+1, `{}`)+`}`) + `}`, nil, provider.ErrTooMany},
		{"objects at the end", "events items.#.item", `{"items":[{"item":{"n":1}},{"item":{"n":2}}]}`, []string{`{"n":1}`, `{"n":2}`}, nil},
		{"objects at the end, a text", "events items.#.item", `{"items":[{"item":"x"}]}`, nil, provider.ErrNotArray},
		{"several paths, in order", "events a b", `{"b":[{"n":1}],"a":{"n":2}}`, []string{`{"n":1}`, `{"n":2}`}, nil},
		{"several paths, the rest", rest, `{"entry":[{"changes":[{"value":{"statuses":[{"n":2}],"messages":[{"n":1}]}},{"field":"x"},{"value":{"messages":[]}}]}]}`,
			[]string{`{"n":2}`, `{"n":1}`, `{"field":"x"}`, `{"value":{"messages":[]}}`}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			events, err := compile(t, acme(basics+test.lines)).Split(test.body)
			if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if got := texts(test.body, events); !slices.Equal(got, test.want) {
				t.Errorf("%d events %.100q, want %d", len(got), got, len(test.want))
			}
		})
	}
}

// TestSplitIsBounded shows that a body of a mebibyte cannot be turned into
// megabytes of events.
func TestSplitIsBounded(t *testing.T) {
	p := compile(t, acme(basics+"events events"))
	for _, item := range []string{`{}`, `0`, `""`, `[]`} {
		t.Run(item, func(t *testing.T) {
			body := `{"events":` + repeat(350_000, item) + `}`
			if err := envelope.Check([]byte(body)); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			events, err := p.Split(body)
			runtime.ReadMemStats(&after)
			if want := map[bool]error{true: provider.ErrTooMany, false: provider.ErrNotEvent}[item == `{}`]; events != nil || !errors.Is(err, want) {
				t.Errorf("%d events, %v", len(events), err)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<10 {
				t.Errorf("%d bytes were allocated", allocated)
			}
		})
	}
}

// TestWhole shows what a request is when it passes on as it came.
func TestReadWhole(t *testing.T) {
	const rules = "id id\ntype type\nfield conversation.id chat\n"
	request := &verify.Request{Header: http.Header{"X-Any": {"thing"}}}

	t.Run("one event", func(t *testing.T) {
		p := compile(t, acme("verify basic\n"+rules+"redact secret"))
		const body = `{"id":7,"type":"message.created","chat":"c","secret":"s"}` + "\n"
		events, err := p.Split(body)
		if err != nil {
			t.Fatal(err)
		}
		got := p.ReadWhole(body, events, request)
		if want := `{"id":7,"type":"message.created","chat":"c"}` + "\n"; got.Original != want {
			t.Errorf("got %q, want %q", got.Original, want)
		}
		want := p.Read(events[0], request)
		want.Original = got.Original
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got.ID != "7" || got.DedupKey != "7" || got.Subject != "conversations/c" {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("one event without an id", func(t *testing.T) {
		p := compile(t, acme("verify basic\n"+rules))
		const body = `{"type":"message.created"}`
		got := p.ReadWhole(body, []provider.Raw{raw(body)}, request)
		if hash := envelope.Hash(body); got.ID != hash || got.DedupKey != "\x00"+hash || !got.MissingID {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("a batch", func(t *testing.T) {
		p := compile(t, acme("verify basic\nevents events\n"+rules+"redact secret"))
		const body = `{"events":[{"id":1,"type":"message.created","secret":"s"},{"id":2}],"n":2}`
		events, err := p.Split(body)
		if err != nil {
			t.Fatal(err)
		}
		hash := envelope.Hash(body)
		checkEvent(t, p.ReadWhole(body, events, request), provider.Event{
			Event: envelope.Event{
				ID:       hash,
				Provider: "acme",
				Original: `{"events":[{"id":1,"type":"message.created"},{"id":2}],"n":2}`,
			},
			DedupKey: "\x00" + hash,
		})
	})

	t.Run("an array", func(t *testing.T) {
		p := compile(t, acme("verify basic\nevents .\n"+rules+"redact secret"))
		const body = ` [{"id":1,"type":"message.created","secret":"s"}, {"id":2}]`
		events, err := p.Split(body)
		if err != nil {
			t.Fatal(err)
		}
		if e := p.Read(events[0], request); e.ID != "1" || e.Original != `{"id":1,"type":"message.created"}` {
			t.Errorf("got %+v", e)
		}
		hash := envelope.Hash(body)
		checkEvent(t, p.ReadWhole(body, events, request), provider.Event{
			Event: envelope.Event{
				ID:       hash,
				Provider: "acme",
				Original: ` [{"id":1,"type":"message.created"}, {"id":2}]`,
			},
			DedupKey: "\x00" + hash,
		})
	})

	t.Run("a batch of one", func(t *testing.T) {
		p := compile(t, acme("verify basic\nevents events\n"+rules))
		for _, event := range []string{`{"id":1,"type":"message.created","chat":"c"}`, `{"type":"message.created","chat":"c"}`} {
			body := fmt.Sprintf(`{"events":[%s]}`, event)
			hash := envelope.Hash(body)
			got := p.ReadWhole(body, []provider.Raw{raw(event)}, request)
			got.Fields = nil // which are not used
			checkEvent(t, got, provider.Event{
				Event: envelope.Event{
					ID:           hash,
					Type:         "acme.message.created",
					ProviderType: "message.created",
					Subject:      "conversations/c",
					PartitionKey: "c",
					Provider:     "acme",
					Original:     body,
				},
				DedupKey: "\x00" + hash,
			})
		}
	})
}
