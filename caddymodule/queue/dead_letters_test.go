package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDeadLetters(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			return Result{Status: 500 + d.Attempt, Excerpt: []byte("oops " + d.ID)}
		}}
		b := &receiver{answer: answers(410)}
		da, db := newDestination("a", a.deliver), newDestination("b", b.deliver)
		da.Attempts, da.Backoff = 3, Backoff{time.Millisecond, time.Millisecond}
		g := start(t, s, da, db)
		events := newEvents(5)
		for i, e := range events {
			g.keep(t, e)
			eventually(t, "its death", func() bool { return g.status(t, "a").DeadLetters == int64(i+1) })
		}
		ctx := t.Context()
		list := func(destination string, limit int) (ids []string) {
			t.Helper()
			dead, err := g.q.DeadLetters(ctx, destination, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range dead {
				ids = append(ids, d.Destination+d.EventID)
				if d.Body != nil {
					t.Error("there is a body")
				}
			}
			return ids
		}
		if got := list("a", 100); !slices.Equal(got, []string{"a4", "a3", "a2", "a1", "a0"}) {
			t.Error(got)
		}
		if got := list("b", 2); !slices.Equal(got, []string{"b4", "b3"}) {
			t.Error(got)
		}
		if got := list("", 100); len(got) != 10 {
			t.Error(got)
		}
		if got := list("nobody", 100); len(got) != 0 {
			t.Error(got)
		}
		dead, err := g.q.DeadLettersOf(ctx, events[2].Key)
		if err != nil || len(dead) != 2 {
			t.Fatal(dead, err)
		}
		d := dead[0]
		if d.ID != events[2].Key.String() || d.Destination != "a" || d.Provider != "test" || d.EventID != "2" || d.Type != "message.created" ||
			d.Attempts != 3 || d.LastStatus != 503 || d.LastError != "answered 503" || d.Excerpt != "oops 2" ||
			!d.Received.Equal(events[2].Received.Truncate(time.Microsecond)) || d.Died.Before(d.Received) || time.Since(d.Died) > time.Minute ||
			string(d.Body) != string(events[2].Body) {
			t.Errorf("%+v", d)
		}
		if dead[1].Destination != "b" || dead[1].LastStatus != 410 || dead[1].Attempts != 1 {
			t.Errorf("%+v", dead[1])
		}
		if _, err := g.q.DeadLettersOf(ctx, newEvent("unknown", "").Key); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}

		// Discarding.
		discard := func(s Selection, want int64) {
			t.Helper()
			if n, err := g.q.Discard(ctx, s); err != nil || n != want {
				t.Errorf("%d were discarded, %v, want %d", n, err, want)
			}
		}
		discard(Selection{Keys: keys(events[0], events[1]), Destination: "a"}, 2)
		discard(Selection{Keys: keys(events[0])}, 1)
		for _, s := range []Selection{{Keys: keys(events[2], events[0])}, {Keys: keys(events[0]), Destination: "a"}} {
			if n, err := g.q.Discard(ctx, s); !errors.Is(err, ErrUnknown) || n != 0 {
				t.Error(n, err)
			}
		}
		if got := list("", 100); len(got) != 7 {
			t.Error(got)
		}
		discard(Selection{Dead: true, Destination: "b"}, 4)

		// Replaying gives them all their attempts again.
		a.respond(func(_ context.Context, d *Delivery) Result {
			if d.Attempt < 3 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		})
		before := len(a.all())
		g.wantReplayed(t, Selection{Keys: keys(events[2])}, 2) // b gets it as well
		g.wantReplayed(t, Selection{Dead: true, Destination: "a"}, 2)
		g.drain(t, "a")
		got := a.all()[before:]
		if len(got) != 9 {
			t.Errorf("%d attempts: %+v", len(got), got)
		}
		for _, r := range got {
			if !r.replay || r.attempt > 3 {
				t.Errorf("%+v", r)
			}
		}
		if st := g.status(t, "a"); st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}
		eventually(t, "its other death", func() bool { return g.status(t, "b").DeadLetters == 1 })
		discard(Selection{Dead: true}, 1)
		discard(Selection{Dead: true}, 0)
	})
}

// TestDeadLetterOfAForgottenKey shows that a dead letter can be reached by its key
// although another event has it by now.
func TestDeadLetterOfAForgottenKey(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(410)}
		g := start(t, s, newDestination("a", r.deliver))
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(2 * time.Hour)
		r.respond(answers(200))
		wantAccepted(t, g.keep(t, newEvent("1", "")), true)
		time.Sleep(soon)
		dead, err := g.q.DeadLettersOf(t.Context(), e.Key)
		if err != nil || len(dead) != 1 {
			t.Fatal(dead, err)
		}
		if n, err := g.q.Discard(t.Context(), Selection{Keys: keys(e)}); err != nil || n != 1 {
			t.Error(n, err)
		}
		if n, err := g.q.Discard(t.Context(), Selection{Keys: keys(e)}); !errors.Is(err, ErrUnknown) || n != 0 {
			t.Error(n, err)
		}
	})
}
