package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// payload returns the payload of a fixture.
func payload(t testing.TB, provider, event string) []byte {
	t.Helper()
	f, err := fixtures.Get(provider, event)
	if err != nil {
		t.Fatal(err)
	}
	return f.Body
}

// notifly returns a Notifly payload with an id, and its header.
func notifly(secret, id string) (body []byte, header, signature string) {
	body = fmt.Appendf(nil, `{"id":%q,"type":"message.created","payload":{"id":"m-%s","conversation_id":"c-%s","message":"hi"}}`, id, id, id)
	return body, "X-Notifly-Signature", hexMAC(secret, body)
}

// batch makes a WotNot batch of items, each of a conversation.
func batch(items ...string) []byte {
	var events []string
	for _, item := range items {
		conversation, text, _ := strings.Cut(item, ":")
		events = append(events, fmt.Sprintf(
			`{"event":{"type":"message","payload":{"message":{"type":"text","text":%q}}},"conversation":{"id":%s}}`, text, conversation))
	}
	return []byte(`{"events":[` + strings.Join(events, ",") + `]}`)
}

// sendNotifly sends events with these ids, each of which must be accepted.
func sendNotifly(t testing.TB, secret string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		body, header, signature := notifly(secret, id)
		wantStatus(t, 200, "/", body, header, signature)
	}
}

// sendWotnot sends numbered events in batches, which must be accepted; the event
// n is of conversation n modulo conversations.
func sendWotnot(t testing.TB, secret string, from, to, conversations int) {
	t.Helper()
	const size = 50
	for ; from < to; from += size {
		var items []string
		for n := from; n < min(from+size, to); n++ {
			items = append(items, fmt.Sprintf("%d:%d", n%conversations, n))
		}
		wantStatus(t, 200, "/", batch(items...), "token", secret)
	}
}

// keyOf names an event of Notifly's.
func keyOf(id string) string {
	return envelope.NewKey("/webhooks/notifly", "message.created\x00"+id).String()
}
