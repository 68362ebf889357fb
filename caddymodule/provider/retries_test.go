package provider_test

import (
	"net/http"
	"testing"
	"time"
)

// TestRetries shows of built-in providers that an event which comes again, in other bytes
// and around other headers, is the same, and that two events which share an id are not.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		provider, first, second string
		same                    bool
	}{
		{"coinbase", `{"id":"d1","attempt_number":1,"event":{"id":"e","type":"charge:created"}}`, `{"id":"d2","attempt_number":2,"event":{"id":"e","type":"charge:created"}}`, true},
		{"docusign", `{"event":"envelope-sent","retryCount":0,"generatedDateTime":"T","data":{"envelopeId":"e"}}`, `{"event":"envelope-sent","retryCount":1,"generatedDateTime":"T","data":{"envelopeId":"e"}}`, true},
		{"docusign", `{"event":"recipient-completed","generatedDateTime":"T","data":{"envelopeId":"e","recipientId":"1"}}`, `{"event":"recipient-completed","generatedDateTime":"T","data":{"envelopeId":"e","recipientId":"2"}}`, false},
		{"freshchat", `{"action":"message_create","data":{"message":{"id":"m"}}}`, `{"action":"message_update","data":{"message":{"id":"m"}}}`, false},
		{"hubspot", `[{"eventId":1,"subscriptionId":2,"objectId":3,"occurredAt":4,"subscriptionType":"contact.creation","attemptNumber":0}]`, `[{"eventId":1,"subscriptionId":2,"objectId":3,"occurredAt":4,"subscriptionType":"contact.creation","attemptNumber":1}]`, true},
		{"hubspot", `[{"eventId":1,"subscriptionId":2,"fromObjectId":3,"toObjectId":4,"occurredAt":5,"subscriptionType":"contact.associationChange"}]`, `[{"eventId":1,"subscriptionId":2,"fromObjectId":3,"toObjectId":6,"occurredAt":5,"subscriptionType":"contact.associationChange"}]`, false},
		{"hubspot", `[{"eventId":1,"subscriptionId":2,"fromObjectId":3,"toObjectId":4,"occurredAt":5,"subscriptionType":"contact.associationChange","attemptNumber":0}]`, `[{"eventId":1,"subscriptionId":2,"fromObjectId":3,"toObjectId":4,"occurredAt":5,"subscriptionType":"contact.associationChange","attemptNumber":1}]`, true},
		{"intercom", `{"id":"notif_1","topic":"contact.deleted","delivery_attempts":1}`, `{"id":"notif_1","topic":"contact.deleted","delivery_attempts":2}`, true},
		{"line", `{"events":[{"type":"follow","webhookEventId":"w","deliveryContext":{"isRedelivery":false}}]}`, `{"events":[{"type":"follow","webhookEventId":"w","deliveryContext":{"isRedelivery":true}}]}`, true},
		{"linear", `{"type":"Issue","action":"update","data":{"id":"i"},"createdAt":"T","webhookTimestamp":1}`, `{"type":"Issue","action":"update","data":{"id":"i"},"createdAt":"T","webhookTimestamp":2}`, true},
		{"mailgun", `{"signature":{"timestamp":"1","token":"23"},"event-data":{"id":"a"}}`, `{"signature":{"timestamp":"12","token":"3"},"event-data":{"id":"b"}}`, true},
		{"messenger", `{"entry":[{"messaging":[{"message":{"mid":"m"}}]}]}`, `{"entry":[{"messaging":[{"message":{"mid":"m","is_deleted":true}}]}]}`, false},
		{"mux", `{"id":"e","type":"video.asset.ready","attempts":[]}`, `{"id":"e","type":"video.asset.ready","attempts":[{}]}`, true},
		{"notion", `{"id":"e","type":"page.created","attempt_number":1}`, `{"id":"e","type":"page.created","attempt_number":2}`, true},
		{"paddle", `{"event_id":"e","notification_id":"n1"}`, `{"event_id":"e","notification_id":"n2"}`, true},
		{"telnyx", `{"data":{"id":"e"},"meta":{"attempt":1}}`, `{"data":{"id":"e"},"meta":{"attempt":2}}`, true},
		{"viber", `{"event":"seen","message_token":1,"user_id":"a"}`, `{"event":"seen","message_token":1,"user_id":"b"}`, false},
		{"vonage", `{"message_uuid":"m","status":"delivered"}`, `{"message_uuid":"m","status":"read"}`, false},
		{"whatsapp", `{"entry":[{"changes":[{"value":{"statuses":[{"id":"w","status":"sent"}]}}]}]}`, `{"entry":[{"changes":[{"value":{"statuses":[{"id":"w","status":"read"}]}}]}]}`, false},
	} {
		t.Run(c.provider, func(t *testing.T) {
			p := get(t, c.provider)
			first := read(t, p, c.first, http.Header{})
			second := read(t, p, c.second, http.Header{})
			if same := first.DedupKey == second.DedupKey; same != c.same {
				t.Errorf("the same event: %v\n%s\n%s", same, c.first, c.second)
			}
		})
	}
}

// TestWindows shows that an event is remembered for as long as its provider may wait
// before it sends the event again.
func TestWindows(t *testing.T) {
	const day = 24 * time.Hour
	for name, wait := range map[string]time.Duration{
		"asana": day, "customerio": 7 * day, "docusign": 15 * day, "lemonsqueezy": time.Hour, "paddle": 3 * day,
		"messenger": 36 * time.Hour, "instagram": 36 * time.Hour, "stripe": 3 * day, "whatsapp": 7 * day, "zoom": time.Hour,
	} {
		if window := time.Duration(get(t, name).Spec().Dedup); window < wait {
			t.Errorf("%s: %v, want %v or more", name, window, wait)
		}
	}
}
