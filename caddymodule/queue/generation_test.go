package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
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
		hold := func() *Generation {
			return g.q.Serve(Service{Destinations: []Destination{newDestination("a", current.deliver)}, Observer: g.o, Retention: s.Retention, Size: s.Size, Held: true})
		}
		held := hold()
		g.keep(t, newEvent("2", ""))
		time.Sleep(time.Minute)
		old.wants(t, "1")
		current.wants(t)
		held.Stop(t.Context()) // it did not start
		time.Sleep(soon)
		old.wants(t, "1", "2")

		held = hold()
		g.keep(t, newEvent("3", ""))
		time.Sleep(time.Minute)
		g.g.Stop(t.Context())
		g.g = held
		current.wants(t)
		held.Release()
		time.Sleep(soon)
		old.wants(t, "1", "2")
		current.wants(t, "3")
		for _, a := range append(old.all(), current.all()...) {
			if a.attempt != 1 {
				t.Errorf("%+v", a)
			}
		}

		after := new(receiver)
		next := g.q.Serve(Service{Destinations: []Destination{newDestination("a", after.deliver)}, Observer: g.o, Retention: s.Retention, Size: s.Size, Held: true})
		g.keep(t, newEvent("4", ""))
		time.Sleep(time.Minute)
		g.g.Stop(t.Context())
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
		before.Stop(ctx)
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
		if _, err := old.Store(t.Context(), []*Event{newEvent("2", "")}); err != nil {
			t.Fatal(err)
		}
		g.g.Stop(t.Context())
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
			for n, generation := range []*Generation{old, g.g} {
				if _, err := generation.Store(t.Context(), []*Event{newEvent(fmt.Sprint(i, n), "")}); err != nil {
					t.Fatal(err)
				}
			}
			old.Stop(t.Context())
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

func types(patterns ...string) (all []envelope.TypePattern) {
	for _, p := range patterns {
		pattern, err := envelope.ParseTypePattern(p)
		if err != nil {
			panic(err)
		}
		all = append(all, pattern)
	}
	return all
}

// TestNames follows a name through the configurations that have it, and those that
// do not.
func TestNames(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a, b := new(receiver), new(receiver)
		da, db := newDestination("a", a.deliver), newDestination("b", b.deliver)
		da.Concurrency, db.Concurrency = 1, 1
		g := start(t, s, da)
		g.keep(t, newEvent("1", ""))
		g.drain(t, "a")

		// A new name begins with the next event.
		g.reload(t, da, db)
		g.keep(t, newEvent("2", ""))
		g.drain(t, "b")
		b.wants(t, "2")

		// One that goes keeps its backlog, and gets no more.
		if err := g.q.Pause(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvent("3", ""), newEvent("4", ""))
		g.reload(t, da)
		g.keep(t, newEvent("5", ""))
		g.drain(t, "a")
		if st := g.status(t, "b"); st.Configured || st.Here || st.Backlog != 2 || st.OldestUndelivered.IsZero() {
			t.Errorf("%+v", st)
		}
		if st := g.status(t, "a"); !st.Configured || !st.Here {
			t.Errorf("%+v", st)
		}

		// Also over a restart.
		g.stop(t)
		g = start(t, s, da)
		g.keep(t, newEvent("6", ""))
		g.drain(t, "a")
		if st := g.status(t, "b"); st.Configured || st.Backlog != 2 {
			t.Errorf("%+v", st)
		}

		// It returns, and goes on where it was; the gap stays.
		g.reload(t, da, db)
		g.keep(t, newEvent("7", ""))
		if st := g.status(t, "b"); !st.Configured || st.Backlog != 3 {
			t.Errorf("%+v", st)
		}
		if err := g.q.Resume(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "b")
		b.wants(t, "2", "3", "4", "7")
		a.wants(t, "1", "2", "3", "4", "5", "6", "7")

		// Several gaps, before it got to the first.
		if err := g.q.Pause(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			g.keep(t, newEvent(fmt.Sprint("with", i), ""))
			g.reload(t, da)
			g.keep(t, newEvent(fmt.Sprint("without", i), ""))
			g.reload(t, da, db)
		}
		if st := g.status(t, "b"); st.Backlog != 3 {
			t.Errorf("%+v", st)
		}
		if err := g.q.Resume(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "b")
		b.wants(t, "2", "3", "4", "7", "with0", "with1", "with2")

		// What came in the gaps can be had.
		if n, err := g.q.Replay(t.Context(), Selection{Since: time.Unix(0, 0), Destination: "b"}); err != nil || n != 13 {
			t.Errorf("%d, %v", n, err)
		}
		eventually(t, "the replay", func() bool { return len(b.all()) == 20 })
		for _, id := range []string{"1", "5", "6", "without0", "without1", "without2"} {
			if n := len(b.of(id)); n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})
}

// TestOrphansAreLogged shows that a backlog that nobody delivers is told of, once.
func TestOrphansAreLogged(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		core, logs := observer.New(zapcore.WarnLevel)
		s.Logger = zap.New(core)
		d := newDestination("a", new(receiver).deliver)
		g := start(t, s, d)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvents(3)...)
		want := func(n int) {
			t.Helper()
			time.Sleep(10 * time.Minute)
			if logs.Len() != n {
				t.Errorf("%d lines, want %d: %v", logs.Len(), n, logs.All())
			}
		}
		g.reload(t, d)
		want(0)
		g.reload(t)
		want(1)
		g.reload(t)
		want(1)
		g.stop(t)
		g = start(t, s)
		want(2)
		if got := fmt.Sprint(logs.All()[1].ContextMap()); got != "map[backlog:3 dead_letters:0 destination:a]" {
			t.Error(got)
		}
		g.reload(t, d)
		want(2)
	})
}

// TestReturnWithABacklog has the worker of a name that returns read the log at once.
func TestReturnWithABacklog(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		g := start(t, s, d)
		for i := range 10 {
			g.keep(t, newEvent(fmt.Sprint(i), ""))
			g.reload(t)
			g.reload(t, d)
		}
		g.drain(t, "a")
		r.wantEachOnce(t, 10)
	})
}

func TestForget(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.ID < "5" {
				return Result{Status: 410}
			}
			return Result{Status: 500}
		}}
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{time.Hour, time.Hour}
		other := newDestination("b", new(receiver).deliver)
		g := start(t, s, d, other)
		g.keep(t, newEvents(8)...)
		eventually(t, "attempts", func() bool { return len(r.all()) == 8 })
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvent("x", ""), newEvent("y", ""))
		if _, err := g.q.Forget(t.Context(), "a"); !errors.Is(err, ErrConfigured) {
			t.Error(err)
		}
		if _, err := g.q.Forget(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		g.reload(t, other)
		g.keep(t, newEvent("z", ""))
		g.drain(t, "b")
		if st := g.status(t, "a"); st.Backlog != 5 || st.DeadLetters != 5 {
			t.Errorf("%+v", st)
		}
		if n, err := g.q.Forget(t.Context(), "a"); err != nil || n != 10 {
			t.Errorf("%d, %v", n, err)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries`); n != 0 {
			t.Errorf("%d deferred deliveries are left", n)
		}
		if _, err := g.q.Forget(t.Context(), "a"); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}

		// When it comes back, it is new.
		r.respond(answers(200))
		before := len(r.all())
		g.reload(t, d, other)
		if st := g.status(t, "a"); st.Paused || st.Backlog != 0 {
			t.Errorf("%+v", st)
		}
		g.keep(t, newEvent("new", ""))
		g.drain(t, "a")
		if got := r.ids()[before:]; len(got) != 1 || got[0] != "new" {
			t.Error(got)
		}
	})
}

// TestSourcesAreApart shows that a destination gets the events of its source only,
// and another source if that changes.
func TestSourcesAreApart(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		a, b := new(receiver), new(receiver)
		da, db := newDestination("a", a.deliver), newDestination("b", b.deliver)
		da.Concurrency, db.Concurrency = 1, 1
		db.Source = "/webhooks/other"
		g := start(t, s, da, db)
		other := func(id string) *Event {
			e := newEvent(id, "")
			e.Source, e.Key = "/webhooks/other", envelope.NewKey("/webhooks/other", id)
			return e
		}
		g.keep(t, newEvent("1", ""))
		g.keep(t, other("1"))
		g.keep(t, newEvent("2", ""), newEvent("3", ""))
		time.Sleep(soon)
		a.wants(t, "1", "2", "3")
		b.wants(t, "1")
		da.Source, db.Source = db.Source, da.Source
		g.reload(t, da, db)
		g.keep(t, newEvent("4", ""), other("5"))
		time.Sleep(soon)
		a.wants(t, "1", "2", "3", "5")
		b.wants(t, "1", "4")
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
			go old.Stop(context.Background())
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
