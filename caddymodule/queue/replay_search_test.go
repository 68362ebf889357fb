package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// wantReplayedAs replays, after a dry run, and fails the test unless both count so many.
func (g *gateway) wantReplayedAs(t testing.TB, s Selection, want int64) {
	t.Helper()
	s.DryRun = true
	s.Progress = func(int64) { t.Error("a dry run made progress") }
	g.wantReplayed(t, s, want)
	var steps []int64
	s.DryRun, s.Progress = false, func(n int64) { steps = append(steps, n) }
	g.wantReplayed(t, s, want)
	if want > 0 && (len(steps) == 0 || steps[len(steps)-1] != want || !slices.IsSorted(steps)) {
		t.Errorf("progress: %v", steps)
	}
}

func TestReplaySearch(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a := new(receiver)
		b := &receiver{answer: answers(410)}
		g := start(t, s, newDestination("a", a.deliver), newDestination("b", b.deliver))
		g.q.searchTime = -1 // a page ends as early as it can
		events := newEvents(1300)
		for i, e := range events {
			e.Body = fmt.Appendf(nil, `{"n":"<%d>"}`, i)
			e.PartitionKey = fmt.Sprint("c-", i%10)
		}
		g.keep(t, events...)
		eventually(t, "that all are tried", func() bool {
			return g.status(t, "a").Backlog == 0 && g.status(t, "b").DeadLetters == 1300
		})
		came := func(r *receiver, n int) {
			t.Helper()
			eventually(t, "the replay", func() bool { return len(r.all()) == n })
		}

		g.wantReplayedAs(t, Selection{Search: &Search{Destination: "a"}}, 1300)
		came(a, 2600)
		g.wantReplayedAs(t, Selection{Search: &Search{PartitionKey: "c-3"}, Destination: "a"}, 130)
		came(a, 2730)
		g.wantReplayedAs(t, Selection{Search: &Search{Text: "<1299>", Destination: "a"}}, 1)
		came(a, 2731)
		g.wantReplayedAs(t, Selection{Search: &Search{State: StateDelivered}, Destination: "b"}, 0)
		g.drain(t, "a")
		time.Sleep(2 * commitInterval)

		g.wantReplayedAs(t, Selection{Search: &Search{State: StateDead, PartitionKey: "c-7"}}, 130) // not to a
		came(b, 1430)
		b.respond(answers(200))
		eventually(t, "their deaths", func() bool { return g.status(t, "b").DeadLetters == 1300 })
		g.wantReplayedAs(t, Selection{Search: &Search{PartitionKey: "c-7", Since: time.Now().Add(time.Hour)}}, 0)
		g.wantReplayedAs(t, Selection{Search: &Search{PartitionKey: "c-7"}}, 260)
		came(a, 2861)
		came(b, 1560)
		g.drain(t, "b")
		if n := g.status(t, "b").DeadLetters; n != 1170 {
			t.Errorf("%d dead letters are left", n)
		}
		for _, s := range []Selection{{Search: &Search{Destination: "nobody"}}, {Search: &Search{}, Destination: "nobody"}} {
			if _, err := g.q.Replay(t.Context(), s); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := g.q.Replay(ctx, Selection{Search: &Search{}}); !errors.Is(err, context.Canceled) || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// TestReplaySearchOfWhatComes shows that a replay leaves alone what waits for its first
// attempt, what comes in while it runs, and what it has replayed itself.
func TestReplaySearchOfWhatComes(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver), newDestination("paused", new(receiver).deliver))
		if err := g.q.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvents(1200)...)
		time.Sleep(soon)
		g.wantReplayedAs(t, Selection{Search: &Search{State: StateWaiting}}, 0)
		g.wantReplayedAs(t, Selection{Search: &Search{Destination: "paused"}}, 0)

		i := 1200
		n, err := g.q.Replay(t.Context(), Selection{Search: &Search{}, Progress: func(int64) {
			g.keep(t, newEvent(fmt.Sprint(i), ""))
			i++
			time.Sleep(soon)
		}})
		if err != nil || n != 1200 || i < 1203 {
			t.Errorf("%d, %v; %d came meanwhile", n, err, i-1200)
		}
		time.Sleep(soon)
		for id, n := range r.counts() {
			if want := map[bool]int{true: 2, false: 1}[len(id) < 4 || id < "1200"]; n != want {
				t.Errorf("%s came %d times, want %d", id, n, want)
			}
		}
	})
}

// TestDeadByCause replays and discards dead letters with one cause.
func TestDeadByCause(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		causes := func(_ context.Context, d *Delivery) Result {
			if len(d.ID)%2 == 0 {
				return Result{Status: 301}
			}
			return Result{Status: 410}
		}
		g := start(t, s, newDestination("a", causes), newDestination("b", answers(410)))
		g.keep(t, newEvents(1000)...) // 10 and 900 with 410 at a
		dead := func() bool { return g.status(t, "a").DeadLetters == 1000 && g.status(t, "b").DeadLetters == 1000 }
		eventually(t, "their deaths", dead)
		g.wantReplayedAs(t, Selection{Dead: true, Destination: "a", Cause: "answered 301"}, 90)
		eventually(t, "their deaths", dead)
		// They are dead again before it ends, and are not replayed twice.
		g.wantReplayedAs(t, Selection{Dead: true, Cause: "answered 410"}, 1910)
		eventually(t, "their deaths", dead)
		discard := func(s Selection, want int64) {
			t.Helper()
			var steps []int64
			s.Progress = func(n int64) { steps = append(steps, n) }
			for _, s.DryRun = range []bool{true, true, false} {
				if n, err := g.q.Discard(t.Context(), s); err != nil || n != want {
					t.Errorf("%d were discarded, %v, want %d", n, err, want)
				}
			}
			if want > 0 && (len(steps) == 0 || steps[len(steps)-1] != want) {
				t.Errorf("progress: %v", steps)
			}
		}
		discard(Selection{Dead: true, Cause: "answered 301", Destination: "b"}, 0)
		discard(Selection{Dead: true, Cause: "answered 301"}, 90)
		discard(Selection{Keys: keys(newEvent("1", ""), newEvent("1", ""), newEvent("22", ""))}, 3)
		discard(Selection{Dead: true, Cause: "answered 410", Destination: "a"}, 909)
		discard(Selection{Dead: true}, 998)
		for _, dry := range []bool{true, false} {
			if _, err := g.q.Discard(t.Context(), Selection{Keys: keys(newEvent("1", "")), DryRun: dry}); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
	})
}

// TestDryRun compares dry runs of many selections with what follows.
func TestDryRun(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		m := newModel(1000, time.Now().Add(-time.Hour))
		g.keep(t, m.events...)
		m.addStates()
		m.write(t, g, m.remove())
		for range 15 {
			s := Selection{Destination: pick(m.r, "", "", "all", "behind", "gone", "moved"), DryRun: true}
			switch m.r.IntN(4) {
			case 0:
				search := m.search()
				s.Search = &search
			case 1:
				s.Since = pick(m.r, m.events...).Received
			case 2:
				s.Keys = keys(pick(m.r, m.events...), pick(m.r, m.events...))
			default:
				s.Dead = true
			}
			want, err := g.q.Replay(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			s.DryRun = false
			if got, err := g.q.Replay(t.Context(), s); err != nil || got != want {
				t.Errorf("%d were replayed, %v, want %d: %+v, %+v", got, err, want, s, s.Search)
			}
		}
	})
}
