package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestProbing shows that a destination that is down is tried with one event at a
// time, and that the others keep their attempts.
func TestProbing(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		c := new(crowd)
		r := &receiver{answer: c.answers(time.Second, 502)}
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{5 * time.Second, 6 * time.Hour}
		g := start(t, s, d)
		begun := time.Now()
		g.keep(t, newEvents(1000)...)
		time.Sleep(1500 * time.Millisecond)
		// Ten failed, and with them those that were under way, or began before that
		// was known.
		under := len(r.all())
		if under < downAfter || under >= downAfter+DefaultConcurrency {
			t.Errorf("%d attempts before it was down", under)
		}
		if st := g.status(t, "a"); !st.Down || st.Backlog != 1000 {
			t.Errorf("%+v", st)
		}
		if down := g.o.lines("down"); len(down) != 1 || down[0] != "a down after 10" {
			t.Error(down)
		}
		c.peak()
		time.Sleep(time.Hour)
		got := r.all()[under:]
		if n := c.peak(); n != 1 {
			t.Errorf("%d attempts at a time", n)
		}
		failed := begun.Add(time.Second)
		for i, a := range got {
			if a.attempt != 1 {
				t.Errorf("%s has attempt %d", a.id, a.attempt)
			}
			if want := min(5*time.Second<<min(i, 10), time.Minute); a.at.Sub(failed) < want || a.at.Sub(failed) > want+time.Second {
				t.Errorf("probe %d came after %s, want %s", i+1, a.at.Sub(failed), want)
			}
			failed = a.at.Add(time.Second)
		}
		if len(got) < 55 {
			t.Errorf("there were %d probes in an hour", len(got))
		}

		// It comes back, and what failed is due at once.
		r.respond(answers(200))
		time.Sleep(time.Minute + 5*time.Second)
		if g.o.count(OutcomeDelivered) != 1000 || g.o.count(OutcomeDead) != 0 || len(g.o.lines("a up")) != 1 {
			t.Errorf("%d delivered, %d dead, %v", g.o.count(OutcomeDelivered), g.o.count(OutcomeDead), g.o.lines("a up"))
		}
		for id, n := range r.counts() {
			if n > 2 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		if st := g.status(t, "a"); st.Down {
			t.Errorf("%+v", st)
		}
	})
}

// TestProbingFast is about a destination that fails at once, so that many
// attempts are written before anybody knows that it is down.
func TestProbingFast(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 3, Backoff{5 * time.Second, time.Hour}
		g := start(t, s, d)
		g.keep(t, newEvents(500)...)
		time.Sleep(4 * time.Second)
		if n := len(r.all()); n > downAfter+DefaultConcurrency {
			t.Errorf("%d attempts before it was probed", n)
		}
		time.Sleep(time.Hour)
		if n := len(r.all()); n > downAfter+DefaultConcurrency+65 {
			t.Errorf("%d attempts in an hour", n)
		}
		r.respond(answers(200))
		time.Sleep(2 * time.Minute)
		if n := g.o.count(OutcomeDelivered); n != 500 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestLongOutage shows that nothing is lost to an outage that is much longer than
// the attempts of one event last.
func TestLongOutage(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(503)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 5, Backoff{time.Second, 10 * time.Second}
		g := start(t, s, d)
		g.keep(t, newEvents(1000)...)
		for range 4 {
			time.Sleep(5 * time.Minute)
			g.keep(t, newEvent(time.Now().String(), ""))
		}
		r.respond(answers(200))
		time.Sleep(2 * time.Minute)
		if st := g.status(t, "a"); st.Backlog != 0 || st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestRecovery shows that what failed in an outage is due when it ends, and what
// failed before or by itself is not.
func TestRecovery(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		var healed atomic.Bool
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if healed.Load() && d.ID != "before" || d.ID == "fine" {
				return Result{Status: 200}
			}
			return Result{Status: 500}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Backoff = 1, Backoff{2 * time.Hour, 2 * time.Hour}
		g := start(t, s, d)
		g.keep(t, newEvent("before", ""))
		time.Sleep(soon)
		g.keep(t, newEvent("fine", ""))
		time.Sleep(soon)
		g.keep(t, newEvents(30)...)
		time.Sleep(10 * time.Minute)
		if n := len(r.counts()); n < 18 || n > 24 {
			t.Errorf("%d events came in ten minutes", n)
		}
		healed.Store(true)
		time.Sleep(maxProbeInterval + soon)
		if n := g.o.count(OutcomeDelivered); n != 31 || len(r.of("before")) != 1 {
			t.Errorf("%d were delivered, and the one before the outage came %d times", n, len(r.of("before")))
		}
		if lines := append(g.o.lines("down"), g.o.lines("up")...); len(lines) != 2 {
			t.Error(lines)
		}
	})
}

// TestFailuresAreInARow shows that one success among failures keeps a destination
// from being probed.
func TestFailuresAreInARow(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		var n atomic.Int64
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			if n.Add(1)%downAfter == 0 {
				return Result{Status: 200}
			}
			return Result{Status: 500}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency = 1
		g := start(t, s, d)
		g.keep(t, newEvents(40)...)
		g.drain(t, "a")
		if down := g.o.lines("down"); len(down) > 0 {
			t.Error(down)
		}
	})
}
