package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestTroubleLosesNothing has writes fail for a while, with attempts of every kind
// under way.
func TestTroubleLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		var n atomic.Int64
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			time.Sleep(time.Duration(n.Add(1)%7) * 50 * time.Millisecond)
			if n.Load()%3 == 0 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Attempts = 100
		g := start(t, quietly(s), d)
		g.keep(t, newEvents(400)...)
		for range 5 {
			time.Sleep(90 * time.Millisecond)
			g.trouble(t, true)
			time.Sleep(1500 * time.Millisecond)
			after := new(receiver)
			crashed := start(t, withoutTrouble(t, g.crash(t)), newDestination("a", after.deliver))
			time.Sleep(time.Minute)
			delivered := g.o.delivered()
			got := after.counts()
			for _, e := range newEvents(400) {
				if delivered[e.ID]+got[e.ID] == 0 {
					t.Errorf("%s is lost", e.ID)
				}
			}
			crashed.stop(t)
			g.trouble(t, false)
		}
		time.Sleep(time.Minute)
		counts := g.o.delivered()
		for _, e := range newEvents(400) {
			if counts[e.ID] != 1 {
				t.Errorf("%s was delivered %d times", e.ID, counts[e.ID])
			}
		}
		if st := g.status(t, "a"); st.Backlog != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// trouble has every write fail of how far a destination is, until it is called
// again with false.
func (g *gateway) trouble(t testing.TB, is bool) {
	t.Helper()
	statement := `DROP TRIGGER webhooks_trouble`
	if is {
		statement = `CREATE TRIGGER webhooks_trouble BEFORE UPDATE OF position ON webhooks_destinations BEGIN SELECT RAISE(FAIL, 'trouble'); END`
	}
	if err := g.q.do(func(t *tx) error { return t.exec(statement) }); err != nil {
		t.Fatal(err)
	}
}

// TestAttemptEndsWhileItsWriteFails has a write fail that says that an attempt is
// under way, when that has ended.
func TestAttemptEndsWhileItsWriteFails(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "0" {
				return slow(300*time.Millisecond)(ctx, d)
			}
			return Result{Status: 200}
		}}
		g := start(t, quietly(s), newDestination("a", r.deliver))
		g.keep(t, newEvents(2)...)
		time.Sleep(50 * time.Millisecond)
		g.trouble(t, true)
		release := g.hold(t)
		time.Sleep(300 * time.Millisecond)
		release()
		time.Sleep(50 * time.Millisecond)
		g.trouble(t, false)
		time.Sleep(5 * time.Second)
		r.wantEachOnce(t, 2)
		if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries`); n != 0 {
			t.Errorf("%d deferred deliveries are left", n)
		}
		if n := g.number(t, `SELECT position FROM webhooks_destinations`); n != 2 {
			t.Errorf("the position is %d", n)
		}
	})
}

// TestWaitingEventWhoseWriteFails has a write fail that makes a deferred delivery of an
// event that waited for its key, and then a pause keep it from being tried: the
// position must not pass it as if it were written.
func TestWaitingEventWhoseWriteFails(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "first" {
				return slow(120*time.Millisecond)(ctx, d)
			}
			return Result{Status: 200}
		}}
		g := start(t, quietly(s), ordered("a", r.deliver))
		g.keep(t, newEvent("first", "key"), newEvent("waiting", "key"))
		time.Sleep(50 * time.Millisecond)
		g.keep(t, newEvent("other", "other"))
		time.Sleep(30 * time.Millisecond)
		g.trouble(t, true)
		time.Sleep(300 * time.Millisecond)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.trouble(t, false)
		time.Sleep(5 * time.Second)
		if len(r.of("waiting")) != 0 {
			t.Fatalf("%v came", r.ids())
		}
		after := new(receiver)
		crashed := start(t, g.crash(t), ordered("a", after.deliver))
		if err := crashed.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		after.wants(t, "waiting")
	})
}

// TestAttemptWhoseCommitIsInDoubt has a commit succeed, and the worker be told that it
// failed: what it writes again is not remembered twice.
func TestAttemptWhoseCommitIsInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.Attempt == 1 {
				return Result{Status: 500}
			}
			return slow(300*time.Millisecond)(ctx, d)
		}}
		g := start(t, quietly(s), newDestination("a", r.deliver))
		g.keep(t, newEvents(1)...)
		eventually(t, "the second attempt", func() bool { return len(r.all()) == 2 })
		time.Sleep(2 * commitInterval)
		release := g.hold(t)
		time.Sleep(time.Second)
		g.q.writer.submit(t.Context(), &change{run: func(tx *tx) error { return tx.exec(`COMMIT`) }})
		release()
		time.Sleep(time.Minute)
		g.wantPast(t, "a", 1, "1 retry 500, answered 500", "2 delivered 200")
	})
}

// withoutTrouble removes the trigger from a queue that is not open.
func withoutTrouble(t testing.TB, s Settings) Settings {
	execute(t, s.File, `DROP TRIGGER webhooks_trouble`)
	return s
}
