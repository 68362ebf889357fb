package queue

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestChangesOverSeveralLogs shows that replays, discards, pauses and forgetting reach
// all logs, and that what they report adds up.
func TestChangesOverSeveralLogs(t *testing.T) {
	eachEngineWithLogs(t, func(t *testing.T, open func(...Destination) *several) {
		r := &receiver{answer: answers(410)}
		a := newDestination("a", r.deliver)
		g := open(a)
		all := newEvents(40)
		g.keepInTurn(t, all...)
		isDead := func(n int64) func(s DestinationStatus) bool {
			return func(s DestinationStatus) bool { return s.DeadLetters == n && s.Backlog == 0 }
		}
		g.wait(t, "a", isDead(40))

		want := func(what string, n int64, err error, wanted int64) {
			t.Helper()
			if err != nil || n != wanted {
				t.Errorf("%s: %d %v, want %d", what, n, err, wanted)
			}
		}
		keys := column(all[:6], func(e *Event) envelope.Key { return e.Key })
		n, err := g.q.Discard(t.Context(), Selection{Dead: true, DryRun: true})
		want("discard all, dry", n, err, 40)
		n, err = g.q.Discard(t.Context(), Selection{Keys: keys, DryRun: true})
		want("discard six, dry", n, err, 6)
		var progress []int64
		n, err = g.q.Discard(t.Context(), Selection{Keys: keys, Progress: func(n int64) { progress = append(progress, n) }})
		want("discard six", n, err, 6)
		if !slices.IsSorted(progress) || len(progress) == 0 || progress[len(progress)-1] != 6 {
			t.Errorf("progress %d", progress)
		}
		g.wait(t, "a", isDead(34))
		if _, err = g.q.Discard(t.Context(), Selection{Keys: keys[:1]}); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}

		r.respond(answers(200))
		n, err = g.q.Replay(t.Context(), Selection{Dead: true, DryRun: true})
		want("replay dead, dry", n, err, 34)
		n, err = g.q.Replay(t.Context(), Selection{Keys: keys})
		want("replay six that were discarded", n, err, 6)
		n, err = g.q.Replay(t.Context(), Selection{Search: &Search{State: StateDead, Destination: "a"}})
		want("replay what a search finds", n, err, 34)
		g.wait(t, "a", isDead(0))
		n, err = g.q.Replay(t.Context(), Selection{Since: time.Now().Add(-time.Hour)})
		want("replay all", n, err, 40)
		g.wait(t, "a", isDead(0))
		if n := g.o.count(OutcomeDelivered); n != 80 {
			t.Errorf("%d were delivered", n)
		}

		if err = g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		late := newEvents(48)[40:]
		g.keepInTurn(t, late...)
		if s := g.status(t, "a"); !s.Paused || s.Backlog != 8 {
			t.Errorf("%+v", s)
		}
		if _, err = g.q.Forget(t.Context(), "a"); !errors.Is(err, ErrConfigured) {
			t.Error(err)
		}
		if err = g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.wait(t, "a", func(s DestinationStatus) bool { return s.Backlog == 0 && !s.Paused })
		if n := g.o.count(OutcomeDelivered); n != 88 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestForgetInSeveralLogs forgets a destination that has left the configuration.
func TestForgetInSeveralLogs(t *testing.T) {
	eachEngineWithLogs(t, func(t *testing.T, open func(...Destination) *several) {
		g := open(newDestination("old", (&receiver{answer: answers(410)}).deliver))
		g.keepInTurn(t, newEvents(9)...)
		g.wait(t, "old", func(s DestinationStatus) bool { return s.DeadLetters == 9 })
		before := g.g
		g.g = g.q.Serve(Service{Observer: g.o, Retention: DefaultRetention, Size: DefaultSize})
		before.Stop(t.Context())
		g.wait(t, "old", func(s DestinationStatus) bool { return !s.Configured })
		if held, err := g.q.HeldStatus(t.Context()); err != nil || len(held) != 1 || held[0].DeadLetters != 9 {
			t.Errorf("%v %v", held, err)
		}
		if n, err := g.q.Forget(t.Context(), "old"); n != 9 || err != nil {
			t.Error(n, err)
		}
		if all, err := g.q.Status(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%v %v", all, err)
		}
	})
}
