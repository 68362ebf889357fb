package queue

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestViewsOfSeveralLogs shows that counts add up, that lists are merged, and that an
// event is found wherever it is.
func TestViewsOfSeveralLogs(t *testing.T) {
	eachEngineWithLogs(t, func(t *testing.T, open func(...Destination) *several) {
		refuses := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.PartitionKey == "other" {
				return Result{Status: 410, Excerpt: []byte("other")}
			}
			return Result{Status: 302}
		}}
		works := new(receiver)
		g := open(newDestination("refuses", refuses.deliver), newDestination("works", works.deliver))
		all := newEvents(41)
		for _, e := range all[30:] {
			e.PartitionKey = "other"
		}
		g.keepInTurn(t, all...)
		g.wait(t, "refuses", func(s DestinationStatus) bool { return s.DeadLetters == 41 && s.Backlog == 0 })
		g.wait(t, "works", func(s DestinationStatus) bool { return s.Backlog == 0 && s.Gateway == g.q.holder && s.Here })
		if bytes, limit := g.q.Size(); bytes != sizeOfAll(all) || limit != DefaultSize {
			t.Errorf("%d of %d bytes, want %d", bytes, limit, sizeOfAll(all))
		}
		if n := g.q.Commits(); n < 41 {
			t.Errorf("%d commits", n)
		}
		if err := g.q.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		causes, err := g.q.Causes(t.Context(), "refuses")
		if err != nil || len(causes) != 2 || causes[0].Cause != "answered 302" || causes[0].DeadLetters != 30 || causes[1].DeadLetters != 11 {
			t.Errorf("%v %v", causes, err)
		}
		letters, err := g.q.DeadLetters(t.Context(), "", 10)
		if err != nil || len(letters) != 10 || !slices.IsSortedFunc(letters, func(a, b DeadLetter) int { return b.Died.Compare(a.Died) }) {
			t.Errorf("%v %v", letters, err)
		}
		for _, e := range all {
			h, err := g.q.History(t.Context(), e.Key)
			if err != nil || h.EventID != e.ID {
				t.Fatal(h, err)
			}
			dead, err := g.q.DeadLettersOf(t.Context(), e.Key)
			if err != nil || len(dead) != 1 || string(dead[0].Body) != string(e.Body) {
				t.Fatal(dead, err)
			}
		}
		counts := make(map[string]int)
		for _, log := range g.q.LogNumbers() {
			for before := int64(0); ; {
				found, err := g.q.Search(t.Context(), log, Search{Destination: "refuses", State: StateDead}, before, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range found.Events {
					counts[e.EventID]++
				}
				if before = found.Before; before == 0 {
					break
				}
			}
		}
		if len(counts) != 41 {
			t.Errorf("%d were found", len(counts))
		}
		logs := g.q.Logs(t.Context())
		for i, want := range []int64{11, 10, 10, 10} {
			if l := logs[i]; l.Log != i || !l.Up || l.Destinations[0].DeadLetters != want || l.Bytes == 0 {
				t.Errorf("log %d: %+v", i, l)
			}
		}
		if down := g.q.DownLogs(); down != nil {
			t.Errorf("logs %d are down", down)
		}
		g.wantUnknown(t)
	})
}

func sizeOfAll(events []*Event) (size int64) {
	for _, e := range events {
		size += e.size()
	}
	return size
}

// wantUnknown asks for a destination and an event that no log has.
func (g *several) wantUnknown(t *testing.T) {
	t.Helper()
	key := envelope.NewKey(testSource, "absent")
	for what, ask := range map[string]func() error{
		"causes":  func() error { _, err := g.q.Causes(t.Context(), "absent"); return err },
		"search":  func() error { _, err := g.q.Search(t.Context(), 1, Search{Destination: "absent"}, 0, 1); return err },
		"log":     func() error { _, err := g.q.Search(t.Context(), 99, Search{}, 0, 1); return err },
		"history": func() error { _, err := g.q.History(t.Context(), key); return err },
		"letters": func() error { _, err := g.q.DeadLettersOf(t.Context(), key); return err },
		"replay":  func() error { _, err := g.q.Replay(t.Context(), Selection{Keys: []envelope.Key{key}}); return err },
		"replay a": func() error {
			_, err := g.q.Replay(t.Context(), Selection{Dead: true, Destination: "absent"})
			return err
		},
		"discard": func() error { _, err := g.q.Discard(t.Context(), Selection{Keys: []envelope.Key{key}}); return err },
		"pause":   func() error { return g.q.Pause(t.Context(), "absent") },
		"forget":  func() error { _, err := g.q.Forget(t.Context(), "absent"); return err },
	} {
		if err := ask(); !errors.Is(err, ErrUnknown) || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
