package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

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

// TestOrphansAreLogged shows that a backlog without a destination is logged once.
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
