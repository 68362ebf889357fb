package caddymodule_test

import (
	"encoding/json"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// runningJournal returns the journal of the gateway.
func runningJournal(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := webhooks.RunningJournal()
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// noteJSON notes what the journal returns: it must not hold a secret.
func noteJSON(t testing.TB, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	noteText("journal in "+t.Name(), string(text))
}

// refusals returns the last refusals, the latest first.
func refusals(t testing.TB, n int) []journal.Refusal {
	t.Helper()
	found, err := runningJournal(t).Refusals(journal.RefusalFilter{}, journal.Page{Limit: n})
	if err != nil {
		t.Fatal(err)
	}
	noteJSON(t, found)
	return found.Refusals
}

// events returns the last events, the latest first.
func events(t testing.TB, n int) []journal.Event {
	t.Helper()
	found, err := runningJournal(t).Events(t.Context(), queue.Search{}, journal.Page{Limit: n})
	if err != nil {
		t.Fatal(err)
	}
	noteJSON(t, found)
	return found.Events
}

// historyOf returns all about an event.
func historyOf(t testing.TB, id string) *journal.History {
	t.Helper()
	key, err := envelope.ParseKey(id)
	if err != nil {
		t.Fatal(err)
	}
	h, err := runningJournal(t).Event(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	noteJSON(t, h)
	return h
}

// blockOf returns the block with a source.
func blockOf(t testing.TB, source string) journal.Block {
	t.Helper()
	found, err := runningJournal(t).Blocks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noteJSON(t, found)
	for _, b := range found.Blocks {
		if b.Source == source {
			return b
		}
	}
	t.Fatalf("no block %s in %+v", source, found.Blocks)
	panic("unreachable")
}
