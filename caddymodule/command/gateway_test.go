package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// knownID is the event of answerAsGateway.
const knownID = "msg_qmg34d6hl7ceiilpask66mlmymhvjw2m"

// knownEnvelope is its envelope.
const knownEnvelope = `{"specversion":"1.0","id":"a056V7R7NmNRjl70","type":"message.updated","data":{"original":{"id":"a056V7R7NmNRjl70"}}}`

// knownEvent returns the event of answerAsGateway.
func knownEvent(now time.Time) journal.Event {
	return journal.Event{Summary: queue.Summary{
		ID: knownID, EventID: "a056V7R7NmNRjl70", Provider: "notifly", Source: "/webhooks/notifly", Type: "message.updated",
		Subject: "conversations/xgQQXg3hrtjh7AvZ", PartitionKey: "xgQQXg3hrtjh7AvZ", Received: now, Size: 1024, Duplicates: 1, LastDuplicate: now,
		Destinations: []queue.DeliveryStatus{
			{Destination: "archive", State: queue.StateDead, Attempt: 24, LastStatus: 500, LastError: "answered 500"},
			{Destination: "crm", State: queue.StateDelivered, Attempt: 1},
		},
	}}
}

// answerAsGateway answers as the admin API of a gateway with a dead letter does.
func answerAsGateway(w http.ResponseWriter, r *http.Request) {
	current := time.Now()
	ago := func(d time.Duration) time.Time { return current.Add(-d - 30*time.Second) }
	letter := queue.DeadLetter{
		ID: knownID, Destination: "archive", Provider: "notifly", EventID: "a056V7R7NmNRjl70",
		Type: "message.updated", Attempts: 24, LastStatus: http.StatusInternalServerError, LastError: "answered 500",
		Excerpt: "disk full", Received: ago(50 * time.Hour), Died: ago(2 * time.Hour),
	}
	event := knownEvent(current)
	history := journal.History{
		Event: event, Envelope: json.RawMessage(knownEnvelope),
		Request: &journal.Request{Method: "POST", URI: "/notifly", Host: "hooks.example.com", RemoteAddr: "203.0.113.9:40112", Header: http.Header{"Content-Type": {"application/json"}}},
	}
	history.Received = ago(50 * time.Hour)
	history.LastDuplicate = ago(49 * time.Hour)
	history.Destinations = []queue.DeliveryStatus{event.Destinations[0], event.Destinations[1]}
	history.Destinations[0].Attempts = []queue.PastAttempt{
		{Attempt: 23, Began: ago(4 * time.Hour), TookMS: 5012, Outcome: queue.OutcomeRetrying, Error: "dial tcp 10.0.0.7:8080: connect: connection refused"},
		{Attempt: 24, Began: ago(2 * time.Hour), TookMS: 12, Status: 500, Outcome: queue.OutcomeDead, Error: "answered 500", Excerpt: "disk full"},
	}
	history.Destinations[1].Attempts = []queue.PastAttempt{{Attempt: 1, Began: ago(50 * time.Hour), TookMS: 3.8, Status: 204, Outcome: queue.OutcomeDelivered}}
	newer := knownEvent(current)
	newer.ID, newer.Type, newer.Duplicates = "msg_rqcaknx2gkbndm77ruvd4pgcpm4fjml5", "group.created", 0
	newer.Subject, newer.Destinations = "", []queue.DeliveryStatus{{Destination: "crm", State: queue.StateWaiting}}
	answers := map[string]any{
		"GET /webhooks/queue": admin.Queue{Ready: true, Bytes: 12 << 20, LimitBytes: 1 << 30},
		"GET /webhooks/destinations": []journal.Destination{
			{
				DestinationStatus: queue.DestinationStatus{
					Destination: "archive", Configured: true, Backlog: 1204, OldestUndelivered: ago(18 * time.Minute), DeadLetters: 1, Down: true, Gateway: "gw1-6f1c", Here: true,
					LastFailed: current, FailedSince: ago(18 * time.Minute), LastStatus: 500, LastError: "answered 500",
				},
				FailedPerSecond: 0.1, TookP50MS: 12, TookP99MS: 48,
			},
			{
				DestinationStatus:  queue.DestinationStatus{Destination: "crm", Configured: true, Gateway: "gw1-6f1c", Here: true},
				DeliveredPerSecond: 41.7, TookP50MS: 3.8, TookP99MS: 21,
			},
		},
		"GET /webhooks/events":            journal.Events{Events: []journal.Event{newer, event}},
		"GET /webhooks/events/" + knownID: history,
		"GET /webhooks/refusals": journal.Refusals{Refusals: []journal.Refusal{{
			Time: current, Provider: "notifly", Source: "/webhooks/notifly", Reason: "bad_credential", Status: 401,
			Cause: "the signature does not match", ClientIP: "203.0.113.9", Method: "POST", Path: "/notifly", Size: 642, Headers: []string{"Content-Type", "X-Notifly-Signature"},
		}}},
		"GET /webhooks/blocks": journal.Blocks{Blocks: []journal.Block{
			{Provider: "notifly", Source: "/webhooks/notifly", Destinations: []string{"archive", "crm"}, LastAccepted: ago(0), AcceptedPerMinute: 7, LastRefused: ago(2 * time.Hour), LastRefusedReason: "bad_credential", LastSecret: 2},
			{Provider: "wotnot", Source: "/webhooks/wotnot", Destinations: []string{}, Note: "Events: the URL of your block and a token of your choice, which is `token`"},
		}},
		"GET /webhooks/dead": []queue.DeadLetter{letter},
		"GET /webhooks/causes": admin.Causes{Causes: []queue.Cause{
			{Destination: "archive", Cause: "answered 500", DeadLetters: 1180, Oldest: ago(26 * time.Hour), Newest: ago(2 * time.Hour)},
			{Destination: "crm", Cause: "dial tcp 10.0.0.7:8080: connect: connection refused", DeadLetters: 3, Oldest: ago(50 * time.Hour), Newest: ago(50 * time.Hour)},
		}},
		"GET /webhooks/dead/" + letter.ID:    []admin.DeadLetter{{DeadLetter: letter, Body: json.RawMessage(`{"specversion":"1.0","id":"a056V7R7NmNRjl70","type":"message.updated"}`)}},
		"DELETE /webhooks/dead/" + letter.ID: admin.Discarded{Discarded: 1},
		"POST /webhooks/replay":              admin.Replayed{Replayed: 1},
		"POST /webhooks/pause/archive":       struct{}{},
		"POST /webhooks/resume/archive":      struct{}{},
		"POST /webhooks/forget/old-crm":      admin.Discarded{Discarded: 3},
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if strings.HasSuffix(r.URL.Path, "/envelope") {
		_, _ = io.WriteString(w, knownEnvelope)
		return
	}
	answer, ok := answers[r.Method+" "+r.URL.Path]
	if !ok {
		http.Error(w, fmt.Sprintf(`{"error":"no answer to %s %s"}`, r.Method, r.URL.Path), http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}
