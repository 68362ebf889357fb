package queue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// slow answers 200 after some time, unless it is cut short.
func slow(d time.Duration) func(context.Context, *Delivery) Result {
	return func(ctx context.Context, _ *Delivery) Result {
		select {
		case <-time.After(d):
			return Result{Status: 200}
		case <-ctx.Done():
			return Result{Err: context.Cause(ctx)}
		}
	}
}

// TestReloadGoesOn shows that a reload neither repeats nor loses anything: what is
// under way ends where it began, and what is not goes to the new one.
func TestReloadGoesOn(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		old, current := &receiver{answer: slow(300 * time.Millisecond)}, new(receiver)
		g := start(t, s, newDestination("a", old.deliver))
		g.keep(t, newEvents(100)...)
		eventually(t, "the beginning", func() bool { return len(old.all()) == DefaultConcurrency })
		g.reload(t, newDestination("a", current.deliver))
		g.drain(t, "a")
		if g.o.count(OutcomeDelivered) != 100 || g.o.count(OutcomeHandedBack)+g.o.count(OutcomeRetrying) != 0 {
			t.Errorf("observed: %d, %v", g.o.count(OutcomeDelivered), g.o.lines("handed"))
		}
		old.wantEachOnce(t, DefaultConcurrency)
		current.wantEachOnce(t, 100-DefaultConcurrency)
		for _, a := range append(old.all(), current.all()...) {
			if a.attempt != 1 {
				t.Errorf("%+v", a)
			}
		}
	})
}

// TestHeld shows that a configuration that is held delivers nothing until it is
// released, and that what it held back has not been tried.
func TestHeld(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		old, current := new(receiver), new(receiver)
		g := start(t, s, newDestination("a", old.deliver))
		g.keep(t, newEvent("1", ""))
		time.Sleep(soon)
		hold := func() *logGeneration {
			return g.q.serve(Service{Destinations: []Destination{newDestination("a", current.deliver)}, Observer: g.o, Retention: s.Retention, Size: s.Size, Held: true})
		}
		held := hold()
		g.keep(t, newEvent("2", ""))
		time.Sleep(time.Minute)
		old.wants(t, "1")
		current.wants(t)
		held.stop(t.Context()) // it did not start
		time.Sleep(soon)
		old.wants(t, "1", "2")

		held = hold()
		g.keep(t, newEvent("3", ""))
		time.Sleep(time.Minute)
		g.g.stop(t.Context())
		g.g = held
		current.wants(t)
		held.release()
		time.Sleep(soon)
		old.wants(t, "1", "2")
		current.wants(t, "3")
		for _, a := range append(old.all(), current.all()...) {
			if a.attempt != 1 {
				t.Errorf("%+v", a)
			}
		}

		after := new(receiver)
		next := g.q.serve(Service{Destinations: []Destination{newDestination("a", after.deliver)}, Observer: g.o, Retention: s.Retention, Size: s.Size, Held: true})
		g.keep(t, newEvent("4", ""))
		time.Sleep(time.Minute)
		g.g.stop(t.Context())
		g.g = next
		g.stop(t)
		start(t, s, newDestination("a", after.deliver))
		time.Sleep(soon)
		if got := after.all(); len(got) != 1 || got[0].attempt != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestReloadCutsShort hands what does not end in time to the new configuration.
func TestReloadCutsShort(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		old, current := &receiver{answer: slow(time.Hour)}, new(receiver)
		d := newDestination("a", old.deliver)
		d.Timeout = 2 * time.Hour
		g := start(t, s, d)
		g.keep(t, newEvents(5)...)
		time.Sleep(soon)
		before := g.g
		g.serve(newDestination("a", current.deliver))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		before.stop(ctx)
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it took %s", took)
		}
		time.Sleep(soon)
		current.wantEachOnce(t, 5)
		for _, a := range current.all() {
			if a.attempt != 2 {
				t.Errorf("%+v", a)
			}
		}
		if n := g.o.count(OutcomeHandedBack); n != 5 {
			t.Errorf("%d were handed back", n)
		}
	})
}

// TestReloadFails gives the old configuration its turn again when the new one does
// not start, with nothing lost that the old one has accepted meanwhile.
func TestReloadFails(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a, b, c := new(receiver), new(receiver), new(receiver)
		da := newDestination("a", a.deliver)
		da.Concurrency = 1
		g := start(t, s, da, newDestination("b", b.deliver))
		g.keep(t, newEvent("1", ""))
		g.drain(t, "a")
		g.drain(t, "b")

		old := g.g
		g.serve(newDestination("b", c.deliver), newDestination("c", c.deliver))
		waitDeclared(t, g.g)
		if _, err := old.store(t.Context(), []*Event{newEvent("2", "")}); err != nil {
			t.Fatal(err)
		}
		g.g.stop(t.Context())
		g.g = old
		g.keep(t, newEvent("3", ""))
		for _, name := range []string{"a", "b"} {
			g.drain(t, name)
		}
		a.wants(t, "1", "2", "3")
		if n := len(b.all()) + len(c.of("2")); n < 3 {
			t.Errorf("b got %v and %v", b.ids(), c.ids())
		}
		eventually(t, "that c is gone", func() bool { return !g.status(t, "c").Configured })
	})
}

// TestReloadWhileOpening has two configurations follow each other before the first
// was declared.
func TestReloadWhileOpening(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		for i := range 20 {
			old := g.g
			g.serve(newDestination("a", r.deliver))
			for n, generation := range []*logGeneration{old, g.g} {
				if _, err := generation.store(t.Context(), []*Event{newEvent(fmt.Sprint(i, n), "")}); err != nil {
					t.Fatal(err)
				}
			}
			old.stop(t.Context())
		}
		g.drain(t, "a")
		r.wantEachOnce(t, 40)
	})
}

// TestSettingsChange shows that changed settings take effect on the backlog.
func TestSettingsChange(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{time.Minute, time.Minute}
		g := start(t, s, d)
		g.keep(t, newEvent("1", ""), newEvent("2", ""))
		time.Sleep(5*time.Minute + time.Second)
		attempts := len(r.of("1"))
		if attempts < 5 {
			t.Fatalf("%d attempts", attempts)
		}

		// Fewer attempts than were made: it is dead.
		d.Attempts = 3
		g.reload(t, d)
		time.Sleep(2 * time.Minute)
		if st := g.status(t, "a"); st.DeadLetters != 2 || len(r.of("1")) != attempts {
			t.Errorf("%+v, %d attempts", st, len(r.of("1")))
		}

		// A shorter timeout, and then a longer one.
		r.respond(slow(20 * time.Second))
		d.Attempts, d.Timeout, d.Backoff = 100, 10*time.Second, Backoff{time.Second, time.Second}
		g.reload(t, d)
		g.keep(t, newEvent("3", ""))
		time.Sleep(15 * time.Second)
		if n := g.o.count(OutcomeDelivered); n != 0 {
			t.Errorf("%d were delivered", n)
		}
		d.Timeout = 30 * time.Second
		g.reload(t, d)
		time.Sleep(time.Minute)
		if n := g.o.count(OutcomeDelivered); n != 1 {
			t.Errorf("%d were delivered", n)
		}

		// Other types, from the backlog on.
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		updated := newEvent("updated", "")
		updated.Type = "message.updated"
		g.keep(t, newEvent("4", ""), updated, newEvent("5", ""))
		d.Types = types("*.updated")
		r.respond(answers(200))
		g.reload(t, d)
		if n := g.status(t, "a").Backlog; n != 1 {
			t.Errorf("the backlog is %d", n)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		if len(r.of("updated")) != 1 || len(r.of("4"))+len(r.of("5")) != 0 || g.status(t, "a").Backlog != 0 {
			t.Errorf("%v, %+v", r.ids(), g.status(t, "a"))
		}
	})
}

// TestGenerationsLeaveNothingBehind stops and starts in all orders, and has the
// bubble find what goes on after the end.
func TestGenerationsLeaveNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: slow(time.Second)}
		d := newDestination("a", r.deliver)
		g := start(t, s)
		for i := range 30 {
			g.keep(t, newEvent(fmt.Sprint(i), ""))
			old := g.g
			d.Ordered = i%3 == 0
			if i%4 == 3 {
				g.serve()
			} else {
				g.serve(d)
			}
			go old.stop(context.Background())
			if i%5 == 0 {
				synctest.Wait()
			}
		}
		time.Sleep(10 * time.Second)
		g.q.mu.Lock()
		defer g.q.mu.Unlock()
		if n := len(g.q.leaving); n != 0 {
			t.Errorf("%d are still leaving", n)
		}
	})
}
