package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// TestHeaderSources reads the id and the type from headers, as GitHub has them.
func TestHeaderSources(t *testing.T) {
	p := compile(t, acme("verify basic\nid header x-delivery\nkey type id\ntype header x-event {\npush code.pushed\n}"))
	const body = `{"id":"in the body","type":"in the body"}`
	for _, test := range []struct {
		name   string
		header http.Header
		want   provider.Event
	}{
		{"both", http.Header{"X-Delivery": {"d1"}, "X-Event": {"push"}}, provider.Event{
			Event:    envelope.Event{ID: "d1", Type: "code.pushed", ProviderType: "push"},
			DedupKey: "push\x00d1",
		}},
		{"no id", http.Header{"X-Event": {"push"}}, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "code.pushed", ProviderType: "push"},
			DedupKey:  "\x00" + envelope.Hash(body),
			MissingID: true,
		}},
		{"no type", http.Header{"X-Delivery": {"d1"}}, provider.Event{
			Event:    envelope.Event{ID: "d1", Type: "acme.unknown"},
			DedupKey: "\x00" + envelope.Hash(body),
		}},
		{"ones that cannot be carried", http.Header{"X-Delivery": {"d\x7f"}, "X-Event": {"caf\xe9"}}, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "acme.unknown"},
			DedupKey:  "\x00" + envelope.Hash(body),
			MissingID: true,
		}},
		{"none", nil, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "acme.unknown"},
			DedupKey:  "\x00" + envelope.Hash(body),
			MissingID: true,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Provider, test.want.Original, test.want.Fields = "acme", body, []byte{}
			checkEvent(t, read(t, p, body, test.header), test.want)
		})
	}
}

// TestMemberCalledHeader reads the id and the type where the word header would be
// taken for that of a header.
func TestMemberCalledHeader(t *testing.T) {
	p := compile(t, acme("verify basic\nid \\header kind\ntype \\header"))
	e := read(t, p, `{"header":"a.b","kind":"c"}`, http.Header{"Kind": {"d"}})
	if e.ID != "a.b" || e.Type != "acme.a.b" {
		t.Errorf("id %q, type %q, want a.b and acme.a.b", e.ID, e.Type)
	}
}

// TestType shows what an event is called.
func TestType(t *testing.T) {
	const mapped = "type type kind {\nopened conversation.created\nmessage.created\n7 seventh.event\nnew_* message.created\n*_message message.updated\n}"
	for _, test := range []struct{ lines, event, own, want string }{
		{mapped, `{"type":"opened"}`, "opened", "conversation.created"},
		{mapped, `{"type":"message.created"}`, "message.created", "message.created"},
		{mapped, `{"type":"\u006fpened"}`, "opened", "conversation.created"},
		{mapped, `{"type":7}`, "7", "seventh.event"},
		{mapped, `{"kind":"opened"}`, "opened", "conversation.created"},
		{mapped, `{"type":"new_"}`, "new_", "message.created"},
		{mapped, `{"type":"new_message"}`, "new_message", "message.created"}, // the first pattern
		{mapped, `{"type":"old_message"}`, "old_message", "message.updated"},
		{mapped, `{"type":"Opened"}`, "Opened", "acme.Opened"},
		{mapped, `{"type":"conversation.created"}`, "conversation.created", "acme.conversation.created"},
		{mapped, `{"type":"a new one"}`, "a new one", "acme.a new one"},
		{mapped, `{"type":""}`, "", "acme.unknown"},
		{mapped, `{"type":null}`, "", "acme.unknown"},
		{mapped, `{"type":true}`, "", "acme.unknown"},
		{mapped, `{"type":{"a":1}}`, "", "acme.unknown"},
		{mapped, `{"type":"a\u0000"}`, "", "acme.unknown"},
		{mapped, `{"type":"` + strings.Repeat("x", 1025) + `"}`, "", "acme.unknown"},
		{mapped, `{}`, "", "acme.unknown"},

		{"type type {\n* acme.other\nopened conversation.created\n}", `{"type":"opened"}`, "opened", "conversation.created"}, // exact before pattern
		{"type type {\n* acme.other\nopened conversation.created\n}", `{"type":"closed"}`, "closed", "acme.other"},
		{"type type {\n* acme.other\n}", `{}`, "", "acme.unknown"},

		{"type type", `{"type":"message.created"}`, "message.created", "acme.message.created"},
		{"type type", `{"type":"customer.subscription.trial_will_end"}`, "customer.subscription.trial_will_end", "acme.customer.subscription.trial_will_end"},
		{"type type", `{"type":"message"}`, "message", "acme.message"},
		{"type type", `{"type":"Message.Created"}`, "Message.Created", "acme.Message.Created"},
		{"type type", `{"type":"message."}`, "message.", "acme.message."},
		{"type type", `{}`, "", "acme.unknown"},

		{"type $body(kind).$body(action) kind", `{"kind":"issue","action":"opened"}`, "issue.opened", "acme.issue.opened"},
		{"type $body(kind).$body(action) kind", `{"kind":"push","action":""}`, "push", "acme.push"},
		{"type has message edited_message {\nmessage message.created\n}", `{"id":1,"message":{"text":"x"}}`, "message", "message.created"},
		{"type has message edited_message {\nmessage message.created\n}", `{"message":null,"edited_message":{}}`, "edited_message", "acme.edited_message"},
		{"type has message edited_message {\nmessage message.created\n}", `{"poll":{}}`, "", "acme.unknown"},
		{"type has a.b.0 c", `{"a":{"b":[0]}}`, "a.b.0", "acme.a.b.0"},

		{"type always message.created", `{"type":"x"}`, "", "message.created"},
		{"type always message.created", `{}`, "", "message.created"},
	} {
		t.Run(oneLine(test.lines)+" "+test.event, func(t *testing.T) {
			e := read(t, compile(t, acme("verify basic\n"+test.lines)), test.event, nil)
			if e.Type != test.want || e.ProviderType != test.own {
				t.Errorf("%q (%q), want %q (%q)", e.Type, e.ProviderType, test.want, test.own)
			}
		})
	}
}

// TestSubject shows what groups the events whose order matters.
func TestSubject(t *testing.T) {
	const rules = "field conversation.id chat.id chat_id\nfield contact.id user\n"
	for _, test := range []struct{ rules, event, subject, key string }{
		{rules, `{"chat":{"id":"c"},"user":"u"}`, "conversations/c", "c"},
		{rules, `{"chat":{"id":7525695}}`, "conversations/7525695", "7525695"},
		{rules, `{"chat_id":"c"}`, "conversations/c", "c"},
		{rules, `{"user":"u"}`, "contacts/u", "u"},
		{rules, `{"chat_id":"","user":"u"}`, "contacts/u", "u"},
		{rules, `{"chat_id":true,"user":"u"}`, "contacts/u", "u"},
		{rules, `{"chat_id":"a\u0000","user":"u"}`, "contacts/u", "u"},
		{rules, `{"chat_id":"` + strings.Repeat("x", 1025) + `","user":"u"}`, "contacts/u", "u"},
		{rules, `{"user":"\n"}`, "", ""},
		{rules, `{}`, "", ""},
		{"field conversation.name chat.id", `{"chat":{"id":"c"}}`, "", ""},
		{"field conversation chat.id", `{"chat":{"id":"c"}}`, "", ""},
		{"list conversation.id chat {\nfield id id\n}", `{"chat":{"id":"c"}}`, "", ""},
		{"field conversation.id a as lower {\nx y\n}", `{"a":"X"}`, "conversations/y", "y"},
		{"field conversation.id always one", `{}`, "conversations/one", "one"},
		{"field conversation.id c as value", `{"c":"x"}`, "conversations/x", "x"},
		{"field conversation.id c as value", `{"c":7525695}`, "conversations/7525695", "7525695"},
		{"field conversation.id c as value\nfield contact.id u as value", `{"c":{"id":1},"u":1.0}`, "contacts/1.0", "1.0"},
		{"field conversation.id c as value", `{"c":[1]}`, "", ""},
		{"field conversation.id c as value", `{"c":""}`, "", ""},
		{"field conversation.id c as value", `{"c":null}`, "", ""},
		// Of several rules the first that yields something and whose `when` holds.
		{"field conversation.id a\nfield conversation.id b", `{"a":"","b":"b"}`, "conversations/b", "b"},
		{"field conversation.id a\nwhen kind is x {\nfield conversation.id b\n}", `{"a":"a","b":"b","kind":"x"}`, "conversations/b", "b"},
		{"field conversation.id a\nwhen kind is x {\nfield conversation.id b\n}", `{"a":"a","b":"b","kind":"y"}`, "conversations/a", "a"},
	} {
		t.Run(oneLine(test.rules)+" "+test.event, func(t *testing.T) {
			e := read(t, compile(t, acme(basics+test.rules)), test.event, nil)
			if e.Subject != test.subject || e.PartitionKey != test.key {
				t.Errorf("subject %q, partition key %q; want %q, %q", e.Subject, e.PartitionKey, test.subject, test.key)
			}
		})
	}
}

// TestTime shows when an event happened. An event without a time, or with one in
// another format, has none. The formats themselves are in TestTimes.
func TestTime(t *testing.T) {
	for _, test := range []struct{ lines, event, want string }{
		{"time at", `{"at":"2026-11-20T12:00:00.120+01:00"}`, "2026-11-20T11:00:00.120Z"},
		{"time at as rfc3339", `{"at":"2026-11-20T12:00:00Z"}`, "2026-11-20T12:00:00Z"},
		{"time at as unix", `{"at":1700000000.5}`, "2023-11-14T22:13:20.5Z"},
		{"time at as unix_ms", `{"at":"1700000000123"}`, "2023-11-14T22:13:20.123Z"},
		{`time at as "2006-01-02 15:04:05"`, `{"at":"2023-09-01 14:13:32.141788"}`, "2023-09-01T14:13:32.141788Z"},
		{"time data.updated data.created as unix", `{"data":{"updated":null,"created":1}}`, "1970-01-01T00:00:01Z"},
		{"time data.updated data.created as unix", `{"data":{"updated":2,"created":1}}`, "1970-01-01T00:00:02Z"},
		{"time at", `{"at":1700000000}`, ""},
		{"time at", `{"at":""}`, ""},
		{"time at", `{"at":null}`, ""},
		{"time at as unix", `{"at":"soon"}`, ""},
		{"time at as unix", `{}`, ""},
		{"", `{"time":"2026-11-20T12:00:00Z"}`, ""},
	} {
		t.Run(test.lines+" "+test.event, func(t *testing.T) {
			if e := read(t, compile(t, acme(basics+test.lines)), test.event, nil); e.Time != test.want {
				t.Errorf("%q, want %q", e.Time, test.want)
			}
		})
	}
}

// TestOriginal keeps the event's own bytes, less the white space around them.
func TestOriginal(t *testing.T) {
	p := compile(t, acme(basics+"field a a"))
	const event = `{ "a" : 1.0e+2,"a":2,  "\u0061":"\/<é>\ud800" ,"b":[ ] }`
	e := read(t, p, "\r\n\t "+event+" \n", nil)
	if e.Original != event {
		t.Errorf("got %s, want %s", e.Original, event)
	}
	if want := `"a":"1.0e+2"`; string(e.Fields) != want {
		t.Errorf("got %s, want %s", e.Fields, want)
	}
}
