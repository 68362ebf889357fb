package provider_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
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
			Type:         "stripe.invoice.paid",
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
			Type:         "stripe.charge.succeeded",
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
