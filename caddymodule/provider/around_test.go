package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// entries are lines of a provider whose events are in nested arrays.
const entries = "verify basic\ntype ..field {\nmessages message.created\n}\n" +
	"events entry.#.changes.#.value.messages entry.#.changes.#.value.statuses entry.#.changes"

// TestAround reads what is around events, in the nearest object that has it.
func TestAround(t *testing.T) {
	const body = `{"app":"A","entry":[
		{"id":"e1","changes":[{"field":"messages","value":{"to":{"id":1},"messages":[{"id":"m1"},{"id":"m2","app":"inner"}]}}]},
		{"id":"e2","changes":[{"field":"x","to":null},{"field":"messages","value":{"messages":[{"id":"m3","app":null}],"to":{"id":2}}}]}
	]}`
	p := compile(t, acme(entries+"\nid id $body(..id)/$body(field)\nfield a ..app\nfield c ..entry.1.id\nfield to ..to.id\nfield e $body(..id)-$body(id)\nwhen ..to.id is 2 {\nfield two always yes\n}"))
	events, err := p.Split(body)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, raw := range events {
		e := p.Read(raw, nil)
		got = append(got, fmt.Sprintf("%s %s %s", e.ID, e.Type, e.Fields))
	}
	want := []string{
		`m1 message.created "a":"A","c":"e2","to":"1","e":"e1-m1"`,
		`m2 message.created "a":"A","c":"e2","to":"1","e":"e1-m2"`,
		`e2/x acme.unknown "a":"A","c":"e2"`,
		`m3 message.created "a":"A","c":"e2","to":"2","e":"e2-m3","two":"yes"`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAroundIsRedacted shows that nothing reads redacted members around an event
// either.
func TestAroundIsRedacted(t *testing.T) {
	p := compile(t, acme("verify token {\nfrom body meta.token\n}\nevents items.#.events\nid id\ntype type\nredact secret\nfield a ..meta as value\nfield b ..events as value\nfield c ..meta.token"))
	events, err := p.Split(`{"items":[{"events":[{"id":1,"secret":"s"}]}],"meta":{"token":"t","n":1}}`)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	if got, want := string(p.Read(events[0], nil).Fields), `"a":{"n":1},"b":[{"id":1}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAsRequest shows the request that is left of each event.
func TestAsRequest(t *testing.T) {
	for _, test := range []struct {
		name, lines, body string
		want              []string
	}{
		{
			"nested", entries + " as request\nredact secret",
			` {"app":1,"entry":[{"id":"e1","changes":[{"value":{"to":1,"messages":[{"n":1,"secret":2}, {"n":2}],"statuses":[ {"n":3} ]}}]},{"id":"e2","changes":[{"n":4},{"value":{"messages":[]}}]}],"z":[1]} `,
			[]string{
				`{"app":1,"entry":[{"id":"e1","changes":[{"value":{"to":1,"messages":[{"n":1}],"statuses":[]}}]}],"z":[1]}`,
				`{"app":1,"entry":[{"id":"e1","changes":[{"value":{"to":1,"messages":[{"n":2}],"statuses":[]}}]}],"z":[1]}`,
				`{"app":1,"entry":[{"id":"e1","changes":[{"value":{"to":1,"messages":[],"statuses":[{"n":3}]}}]}],"z":[1]}`,
				`{"app":1,"entry":[{"id":"e2","changes":[{"n":4}]}],"z":[1]}`,
				`{"app":1,"entry":[{"id":"e2","changes":[{"value":{"messages":[]}}]}],"z":[1]}`,
			},
		},
		{
			"members", basics + "events a.event b.event c.list as request",
			`{"a":{"event":{"n":1},"x":1},"b":{"event":{"n":2}},"c":{"list":[{"n":3},{"n":4}]}}`,
			[]string{
				`{"a":{"event":{"n":1},"x":1},"b":{"event":null},"c":{"list":[]}}`,
				`{"a":{"event":null,"x":1},"b":{"event":{"n":2}},"c":{"list":[]}}`,
				`{"a":{"event":null,"x":1},"b":{"event":null},"c":{"list":[{"n":3}]}}`,
				`{"a":{"event":null,"x":1},"b":{"event":null},"c":{"list":[{"n":4}]}}`,
			},
		},
		{"objects in an array", basics + "events items.#.item as request", `{"live":"true","items":[{"item":{"n":1}},{"item":{"n":2}},{}]}`,
			[]string{`{"live":"true","items":[{"item":{"n":1}}]}`, `{"live":"true","items":[{"item":{"n":2}}]}`}},
		{
			"redacted around the events", entries + " as request\nredact ..contact.pin ..secret",
			`{"secret":1,"contact":{"pin":1},"entry":[{"id":"e1","secret":{},"changes":[{"contact":{"id":1,"pin":2},"value":{"contact":{"pin":3},"messages":[{"secret":4,"contact":{"pin":5}}]}},{"secret":6}]}]}`,
			[]string{
				`{"contact":{},"entry":[{"id":"e1","changes":[{"contact":{"id":1},"value":{"contact":{},"messages":[{"secret":4,"contact":{"pin":5}}]}}]}]}`,
				`{"contact":{},"entry":[{"id":"e1","changes":[{}]}]}`,
			},
		},
		{"an array", basics + "events . as request", `[{"n":1},{"n":2}]`, []string{`[{"n":1}]`, `[{"n":2}]`}},
		{"an object", basics + "events . as request", ` {"n":1}`, []string{`{"n":1}`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compile(t, acme(test.lines))
			events, err := p.Split(test.body)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, raw := range events {
				got = append(got, p.Read(raw, nil).Original)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// TestOriginalsAreBounded shows that many events cannot each take a large request with
// them.
func TestOriginalsAreBounded(t *testing.T) {
	const events = provider.MaxEvents
	p := compile(t, acme(basics+"events events as request"))
	body := func(size int) string {
		return `{"events":` + repeat(events, `{}`) + `,"x":"` + strings.Repeat("x", size) + `"}`
	}
	around := len(`{"events":[{}],"x":""}`)
	if split, err := p.Split(body(provider.MaxOriginals/events - around)); err != nil || len(split) != events {
		t.Errorf("%d events, %v", len(split), err)
	}
	if _, err := p.Split(body(provider.MaxOriginals/events - around + 1)); !errors.Is(err, provider.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, provider.ErrTooLarge)
	}
}

// FuzzSplit shows that the events of a body are objects in it, in its order, and that
// the request of each is JSON and holds this event only.
func FuzzSplit(f *testing.F) {
	for _, body := range []string{
		`{"entry":[{"changes":[{"value":{"messages":[{"n":1},{"n":2}],"statuses":[{}]}},{"x":1}]},{"changes":[]},{}]}`,
		`{"entry":[{"changes":{"value":{"messages":{"n":1}}}}],"item":{"n":1},"other":[{"item":{"n":2}},{"item":[{},{}]}]}`,
		`{"item":{"item":{}},"item":1,"\u0069tem":{}}`, `[{},{}]`, `{"entry":[1]}`, `{"entry":null,"other":[ { "item" : [ {} , { } ] } ] }`,
	} {
		f.Add(body)
	}
	p := compile(f, acme(basics+"id ..n/$body(n) id $body(item)\nevents entry.#.changes.#.value.messages entry.#.changes.#.value.statuses entry.#.changes item other.#.item as request"))
	f.Fuzz(func(t *testing.T, body string) {
		if envelope.Check([]byte(body)) != nil {
			return
		}
		events, err := p.Split(body)
		if err != nil {
			return
		}
		last := 0
		for _, event := range events {
			if event.Start < last || body[event.Start:event.Start+len(event.Text)] != event.Text || event.Text[0] != '{' {
				t.Fatalf("%q at %d is not an event of %s", event.Text, event.Start, body)
			}
			last = event.Start + len(event.Text)
			e := p.Read(event, nil)
			checkRead(t, e)
			alone, err := p.Split(e.Original)
			if err != nil || len(alone) != 1 || alone[0].Text != event.Text {
				t.Errorf("%s of %s became %s: %d events, %v", event.Text, body, e.Original, len(alone), err)
			}
			if !json.Valid([]byte(event.Text)) {
				t.Errorf("%q is not JSON", event.Text)
			}
		}
	})
}
