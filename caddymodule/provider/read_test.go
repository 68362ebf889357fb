package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// checkEvent compares all that Read returns.
func checkEvent(t testing.TB, got, want provider.Event) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got:\n%+v\nfields %s\nwant:\n%+v\nfields %s", got, got.Fields, want, want.Fields)
	}
}

// checkProof shows that the provider's scheme accepts what a sender signed who
// knows nothing of this project, and nothing else.
func checkProof(t testing.TB, p *provider.Provider, body, content string, at int64, header func(signature string) http.Header) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write([]byte(content))
	verifier, err := verify.NewSignatureVerifier(*p.Spec().Verify.Signature, []string{"s3cret"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	request := &verify.Request{
		Method: http.MethodPost,
		Header: header(hex.EncodeToString(mac.Sum(nil))),
		Body:   []byte(body),
		Time:   time.Unix(at, 0),
	}
	if _, err := verifier.Verify(request); err != nil {
		t.Errorf("a signed request is refused: %v", err)
	}
	request.Body = []byte(body + " ")
	if _, err := verifier.Verify(request); err == nil {
		t.Error("another body passes with the signature")
	}
}

// TestAcme reads with the provider that the documentation shows.
func TestAcme(t *testing.T) {
	p := compileFile(t, "acme.caddyfile")
	const body = `{"delivery_id":"d-1","event":"reply.sent","occurred_at":"2026-11-20T12:00:00+01:00","ticket":{"id":42},"reply":{"text":"Hello"}}`
	checkProof(t, p, body, "1700000000."+body, 1700000000, func(signature string) http.Header {
		return http.Header{"X-Acme-Timestamp": {"1700000000"}, "X-Acme-Signature": {"sha256=" + signature}}
	})
	checkEvent(t, read(t, p, body, nil), provider.Event{
		Event: envelope.Event{
			ID:           "d-1",
			Type:         "message.created",
			Subject:      "conversations/42",
			Time:         "2026-11-20T11:00:00Z",
			PartitionKey: "42",
			Provider:     "acme",
			ProviderType: "reply.sent",
			Fields:       []byte(`"conversation":{"id":"42"},"message":{"text":"Hello"}`),
			Original:     body,
		},
		DedupKey: "d-1",
	})
}

// TestStripe reads with a provider that is made as Stripe's is.
func TestStripe(t *testing.T) {
	p := compileFile(t, "stripe.caddyfile")
	const invoice = `{
  "id": "evt_1", "object": "event", "type": "invoice.paid", "created": 1700000000, "account": "acct_1",
  "data": {"object": {
    "id": "in_1", "object": "invoice", "customer": "cus_1", "receipt_email": null, "amount": 1, "amount_paid": 2000,
    "status_transitions": {"paid_at": 1699999999},
    "lines": {"data": [{"description": "Tea", "amount": 1500}, {"description": null, "amount": 500}, {"description": ""}]},
    "metadata": {"order": "6735", "note": "", "n": 1}
  }}
}`
	checkProof(t, p, invoice, "1700000000."+invoice, 1700000010, func(signature string) http.Header {
		return http.Header{"Stripe-Signature": {"t=1700000000,v1=" + strings.Repeat("0", 64) + ",v1=" + signature + ",v0=old"}}
	})
	checkEvent(t, read(t, p, invoice, nil), provider.Event{
		Event: envelope.Event{
			ID:           "evt_1",
			Type:         "invoice.paid",
			Subject:      "contacts/cus_1",
			Time:         "2023-11-14T22:13:20Z",
			PartitionKey: "cus_1",
			Provider:     "stripe",
			ProviderType: "invoice.paid",
			Fields: []byte(`"account":{"id":"acct_1"},"contact":{"id":"cus_1"},` +
				`"payment":{"id":"in_1","amount":2000,"kind":"invoice","paid_at":"2023-11-14T22:13:19Z",` +
				`"metadata":[{"name":"order","value":"6735"},{"name":"n","value":"1"}],` +
				`"lines":[{"text":"Tea","amount":1500},{"amount":500}]}`),
			Original: invoice,
		},
		DedupKey: "evt_1",
	})

	// The customer as an object, and no invoice.
	const charge = `{"id":"evt_2","type":"charge.succeeded","data":{"object":{"id":"ch_1","object":"charge","customer":{"id":"cus_2","email":"a@example.com"},"amount":100,"amount_paid":200,"lines":{"data":[{"description":"x"}]}}}}`
	checkEvent(t, read(t, p, charge, nil), provider.Event{
		Event: envelope.Event{
			ID:           "evt_2",
			Type:         "charge.succeeded",
			Subject:      "contacts/cus_2",
			PartitionKey: "cus_2",
			Provider:     "stripe",
			ProviderType: "charge.succeeded",
			Fields:       []byte(`"contact":{"id":"cus_2","email":"a@example.com"},"payment":{"id":"ch_1","amount":100,"kind":"charge"}`),
			Original:     charge,
		},
		DedupKey: "evt_2",
	})
}

// TestSlack reads with a provider that is made as Slack's is.
func TestSlack(t *testing.T) {
	p := compileFile(t, "slack.caddyfile")
	const body = `{"token":"t0p","team_id":"T1","event":{"type":"message","subtype":"bot_message","bot_id":"B1","user":"U1","text":"hi","ts":"1700000000.000100","channel":"C1","files":[{"name":"a"},{"url_private":"https://example.com/b","title":"b"}]},"type":"event_callback","event_id":"Ev1","event_time":1700000000,"authorizations":[{"user_id":"U1","is_bot":false}]}`
	checkProof(t, p, body, "v0:1700000000:"+body, 1700000000, func(signature string) http.Header {
		return http.Header{"X-Slack-Request-Timestamp": {"1700000000"}, "X-Slack-Signature": {"v0=" + signature}}
	})
	want := provider.Event{
		Event: envelope.Event{
			ID:           "Ev1",
			Type:         "message.created",
			Subject:      "conversations/C1",
			Time:         "2023-11-14T22:13:20Z",
			PartitionKey: "C1",
			Provider:     "slack",
			ProviderType: "message",
			Fields: []byte(`"account":{"id":"T1"},"conversation":{"id":"C1"},"contact":{"id":"B1"},` +
				`"message":{"id":"1700000000.000100","text":"hi","kind":"text",` +
				`"attachments":[{"url":"https://example.com/b","name":"b"}],"author":{"kind":"bot"}}`),
			Original: strings.NewReplacer(`"token":"t0p",`, "", `"user_id":"U1",`, "").Replace(body),
		},
		DedupKey: "Ev1",
	}
	checkEvent(t, read(t, p, body, nil), want)

	// What has no canonical type passes on, with what holds for every event.
	other := strings.Replace(body, `"type":"message"`, `"type":"pin_added"`, 1)
	want.Type, want.ProviderType = "slack.pin_added", "pin_added"
	want.Fields = []byte(`"account":{"id":"T1"},"conversation":{"id":"C1"},"contact":{"id":"U1"}`)
	want.Original = strings.Replace(want.Original, `"type":"message"`, `"type":"pin_added"`, 1)
	checkEvent(t, read(t, p, other, nil), want)

	for own, canonical := range map[string]string{
		"member_joined_channel": "group.updated",
		"member_left_channel":   "group.updated",
		"member_channel":        "slack.member_channel",
		"reaction_added":        "message.updated",
	} {
		e := read(t, p, fmt.Sprintf(`{"event":{"type":%q},"type":"event_callback"}`, own), nil)
		if e.Type != canonical || e.ProviderType != own {
			t.Errorf("%s is %s (%s), want %s", own, e.Type, e.ProviderType, canonical)
		}
	}
}

// TestID shows what identifies an event, and that an id that is missing or cannot
// be carried never makes two events the same.
func TestID(t *testing.T) {
	p := compile(t, acme(basics+"id id meta.id"))
	for _, test := range []struct {
		name, event string
		id          string // "" for the hash
	}{
		{"text", `{"id":"a056V7R7NmNRjl70"}`, "a056V7R7NmNRjl70"},
		{"number", `{"id":7525695}`, "7525695"},
		{"number of 400 digits", `{"id":` + strings.Repeat("1234567890", 40) + `}`, strings.Repeat("1234567890", 40)},
		{"number beyond a float", `{"id":9007199254740993}`, "9007199254740993"},
		{"number as it is written", `{"id":-1.50E+2}`, "-1.50E+2"},
		{"zero", `{"id":0}`, "0"},
		{"text with escapes", `{"id":"\u0061\/\"b"}`, `a/"b`},
		{"text beyond ASCII", `{"id":"zażółć-🎉"}`, "zażółć-🎉"},
		{"escaped astral character", `{"id":"\ud83c\udf89"}`, "🎉"},
		{"1,024 bytes", `{"id":"` + strings.Repeat("x", 1024) + `"}`, strings.Repeat("x", 1024)},
		{"second path", `{"meta":{"id":"m"}}`, "m"},
		{"null before the second path", `{"id":null,"meta":{"id":"m"}}`, "m"},
		{"both paths", `{"meta":{"id":"m"},"id":"i"}`, "i"},

		{"missing", `{"a":1}`, ""},
		{"null", `{"id":null}`, ""},
		{"empty", `{"id":""}`, ""},
		{"empty before the second path", `{"id":"","meta":{"id":"m"}}`, ""},
		{"blank", `{"id":" "}`, ""},
		{"true", `{"id":true}`, ""},
		{"false", `{"id":false}`, ""},
		{"object", `{"id":{"id":"a"}}`, ""},
		{"array", `{"id":["a"]}`, ""},
		{"control character", `{"id":"a\u0000b"}`, ""},
		{"line feed", `{"id":"a\nb"}`, ""},
		{"C1 control character", `{"id":"a\u0085b"}`, ""},
		{"lone surrogate", `{"id":"a\ud800b"}`, ""},
		{"noncharacter", `{"id":"a\uffff"}`, ""},
		{"1,025 bytes", `{"id":"` + strings.Repeat("x", 1025) + `"}`, ""},
		{"number of 1,025 digits", `{"id":1` + strings.Repeat("0", 1024) + `}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := read(t, p, test.event, nil)
			want := test.id
			if want == "" {
				want = envelope.Hash(test.event)
			}
			if e.ID != want || e.DedupKey != want {
				t.Errorf("id %q, key %q, want %q", e.ID, e.DedupKey, want)
			}
			if e.MissingID != (test.id == "") {
				t.Errorf("lacks an id: %v", e.MissingID)
			}
		})
	}
}

// TestNoIDByNature is about a provider that has no ids: its events lack none.
func TestNoIDByNature(t *testing.T) {
	p := compile(t, acme(basics))
	const event = `{"id":"not said to be one"}`
	e := read(t, p, event, nil)
	if hash := envelope.Hash(event); e.ID != hash || e.DedupKey != hash || e.MissingID {
		t.Errorf("id %q, key %q, lacks %v; want the hash %q", e.ID, e.DedupKey, e.MissingID, hash)
	}
	if !p.KeyIsHash() {
		t.Error("the key is not the hash")
	}
	if other := read(t, p, `{"id":"not said to be one" }`, nil); other.DedupKey == e.DedupKey {
		t.Error("other bytes have the same key")
	}
}

// TestKey combines what may identify an event.
func TestKey(t *testing.T) {
	const full, noID, noType, neither = `{"id":7,"type":"a.b"}`, `{"type":"a.b"}`, `{"id":7}`, `{}`
	for _, test := range []struct {
		lines, event string
		key          string // "" for the hash alone
		id           string // "" for the hash
		lacks        bool
	}{
		{"id id\nkey id", full, "7", "7", false},
		{"id id\nkey type id", full, "a.b/7", "7", false},
		{"id id\nkey id type", full, "7/a.b", "7", false},
		{"id id\nkey type id", noID, "", "", true},
		{"id id\nkey type id", noType, "", "7", false},
		{"id id\nkey type id", neither, "", "", true},
		{"id id\nkey hash", full, "", "7", false},
		{"id id\nkey hash", noID, "", "", true},
		{"key hash", full, "", "", false},
		{"key hash type", full, envelope.Hash(full) + "/a.b", "", false},
		{"key hash type", noType, "", "", false},
		{"id id\nkey id type hash", full, "7/a.b/" + envelope.Hash(full), "7", false},
		{"id id\nkey id hash", noID, "", "", true},
	} {
		t.Run(oneLine(test.lines)+" "+test.event, func(t *testing.T) {
			hash := envelope.Hash(test.event)
			key, id := test.key, test.id
			if key == "" {
				key = hash
			}
			if id == "" {
				id = hash
			}
			e := read(t, compile(t, acme(basics+test.lines)), test.event, nil)
			if e.DedupKey != key || e.ID != id || e.MissingID != test.lacks {
				t.Errorf("key %q, id %q, lacks %v; want %q, %q, %v", e.DedupKey, e.ID, e.MissingID, key, id, test.lacks)
			}
		})
	}
}

// TestKeyHasTheOwnType shows that two types of the provider that are one here
// still tell events apart.
func TestKeyHasTheOwnType(t *testing.T) {
	p := compile(t, acme("verify basic\nid id\nkey type id\ntype type {\na message.created\nb message.created\n}"))
	a, b := read(t, p, `{"id":1,"type":"a"}`, nil), read(t, p, `{"id":1,"type":"b"}`, nil)
	if a.Type != b.Type || a.DedupKey != "a/1" || b.DedupKey != "b/1" {
		t.Errorf("%s %s and %s %s", a.Type, a.DedupKey, b.Type, b.DedupKey)
	}
}

// TestKeyOfNothing shows that an empty list in JSON is the default, so that no two
// events have one key.
func TestKeyOfNothing(t *testing.T) {
	const event = `{"id":7,"type":"a.b"}`
	for lines, want := range map[string]string{
		"":      envelope.Hash(event),
		"id id": "7",
	} {
		t.Run(lines, func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(basics+lines)))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(`{"keys":[]}`), spec); err != nil || spec.Keys == nil {
				t.Fatalf("key %#v, %v; want an empty list", spec.Keys, err)
			}
			p, err := spec.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if e := p.Read(event, nil); e.DedupKey != want {
				t.Errorf("key %q, want %q", e.DedupKey, want)
			}
			if p.KeyIsHash() != (lines == "") {
				t.Errorf("key is hash: %v", p.KeyIsHash())
			}
		})
	}
}

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
			DedupKey: "push/d1",
		}},
		{"no id", http.Header{"X-Event": {"push"}}, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "code.pushed", ProviderType: "push"},
			DedupKey:  envelope.Hash(body),
			MissingID: true,
		}},
		{"no type", http.Header{"X-Delivery": {"d1"}}, provider.Event{
			Event:    envelope.Event{ID: "d1", Type: "acme.unknown"},
			DedupKey: envelope.Hash(body),
		}},
		{"ones that cannot be carried", http.Header{"X-Delivery": {"d\x7f"}, "X-Event": {"caf\xe9"}}, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "acme.unknown"},
			DedupKey:  envelope.Hash(body),
			MissingID: true,
		}},
		{"none", nil, provider.Event{
			Event:     envelope.Event{ID: envelope.Hash(body), Type: "acme.unknown"},
			DedupKey:  envelope.Hash(body),
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
	if e.ID != "a.b" || e.Type != "a.b" {
		t.Errorf("id %q, type %q, want a.b", e.ID, e.Type)
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

		{"type type", `{"type":"message.created"}`, "message.created", "message.created"},
		{"type type", `{"type":"customer.subscription.trial_will_end"}`, "customer.subscription.trial_will_end", "customer.subscription.trial_will_end"},
		{"type type", `{"type":"message"}`, "message", "acme.message"},
		{"type type", `{"type":"Message.Created"}`, "Message.Created", "acme.Message.Created"},
		{"type type", `{"type":"message."}`, "message.", "acme.message."},
		{"type type", `{}`, "", "acme.unknown"},

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

// TestTime shows when an event happened; one that does not say so, or not in the
// form that was told, has no time. The forms themselves are in TestTimes.
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

// TestWotNotKeys shows that nothing but its bytes tells WotNot's events apart,
// and that they do: also when one comes again inside another batch.
func TestWotNotKeys(t *testing.T) {
	p := get(t, "wotnot")
	all, err := fixtures.Of("wotnot")
	if err != nil {
		t.Fatal(err)
	}
	const samples = 28
	if len(all) != samples {
		t.Fatalf("%d samples, want %d", len(all), samples)
	}
	keys := make(map[string]string)
	var items []string
	for _, f := range all {
		events, err := p.Split(string(f.Payload))
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %d events, %v", f.Event, len(events), err)
		}
		e := p.Read(events[0], nil)
		if other, ok := keys[e.DedupKey]; ok {
			t.Errorf("%s has the same key as %s", f.Event, other)
		}
		if e.MissingID || e.ID != e.DedupKey {
			t.Errorf("%s: id %s, lacks %v", f.Event, e.ID, e.MissingID)
		}
		keys[e.DedupKey] = f.Event
		items = append(items, events[0])
	}
	if len(keys) != samples {
		t.Errorf("%d keys, want %d", len(keys), samples)
	}

	batch := "{\"token\": \"t\",\n\"events\": [\n  " + strings.Join(items, " ,\n  ") + "\n]}\n"
	events, err := p.Split(batch)
	if err != nil || len(events) != samples {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, event := range events {
		if e := p.Read(event, nil); keys[e.DedupKey] != all[i].Event {
			t.Errorf("%s has another key in a batch", all[i].Event)
		}
	}
}
