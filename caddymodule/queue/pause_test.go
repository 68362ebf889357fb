package queue

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a, b := new(receiver), new(receiver)
		g := start(t, s, newDestination("a", a.deliver), newDestination("b", b.deliver))
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvents(300)...)
		g.drain(t, "b")
		time.Sleep(200 * time.Millisecond)
		if st := g.status(t, "a"); !st.Paused || st.Backlog != 300 || len(a.all()) != 0 {
			t.Errorf("%+v, %d attempts", st, len(a.all()))
		}
		if st := g.status(t, "b"); st.Paused {
			t.Errorf("%+v", st)
		}
		// It stays so after a reload, and after a restart.
		g.reload(t, newDestination("a", a.deliver), newDestination("b", b.deliver))
		g.stop(t)
		g = start(t, s, newDestination("a", a.deliver), newDestination("b", b.deliver))
		waitDeclared(t, g.g)
		time.Sleep(200 * time.Millisecond)
		if st := g.status(t, "a"); !st.Paused || len(a.all()) != 0 {
			t.Errorf("%+v, %d attempts", st, len(a.all()))
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.drain(t, "a")
		a.wantEachOnce(t, 300)
		for _, attempt := range a.all() {
			if attempt.attempt != 1 {
				t.Fatalf("%+v", attempt)
			}
		}
		for _, f := range []func(context.Context, string) error{g.q.Pause, g.q.Resume} {
			if err := f(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
	})
}

// TestPauseInTheMiddle shows that what is under way goes on to its end, and
// nothing begins after that.
func TestPauseInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			time.Sleep(time.Second)
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency = 4
		g := start(t, s, d)
		g.keep(t, newEvents(20)...)
		time.Sleep(500 * time.Millisecond)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if len(r.all()) != 4 || g.o.count(OutcomeDelivered) != 4 || g.status(t, "a").Backlog != 16 {
			t.Errorf("%d begun, %d delivered, %+v", len(r.all()), g.o.count(OutcomeDelivered), g.status(t, "a"))
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		r.wantEachOnce(t, 20)
	})
}

// TestCrashWhilePaused shows that a pause takes back the attempts that were written
// ahead: whether the gateway dies while an attempt still goes on or much later, what
// has not begun has all of them.
func TestCrashWhilePaused(t *testing.T) {
	for _, c := range []struct {
		wait time.Duration
		come int // after the crash
	}{
		{2 * time.Second, 10}, // no attempt has ended since the pause, which could take them back as well
		{time.Hour, 9},
	} {
		t.Run(c.wait.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := &receiver{answer: slow(10 * time.Second)}
				d := newDestination("a", r.deliver)
				d.Concurrency = 1
				g := start(t, s, d)
				g.keep(t, newEvents(10)...)
				time.Sleep(5 * time.Second)
				if err := g.q.Pause(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.wait)
				r.wants(t, "0")
				after := resumedAfterCrash(t, g, d)
				if len(after) != c.come {
					t.Errorf("%d came, want %d: %+v", len(after), c.come, after)
				}
				for _, a := range after {
					// The first one has begun, and comes again only if it has not ended.
					if want := map[bool]int{false: 1, true: 2}[a.id == "0"]; a.attempt != want {
						t.Errorf("%+v, want attempt %d", a, want)
					}
				}
			})
		})
	}
}

// TestPauseWhileAnAttemptIsWritten has the only attempt of an event be written, and
// the worker know of the pause before it is.
func TestPauseWhileAnAttemptIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: slow(10 * time.Second)}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Attempts = 1, 1
		g := start(t, s, d)
		g.keep(t, newEvents(2)...)
		time.Sleep(9 * time.Second)
		// A pause, but for telling the worker.
		if err := g.q.do(func(tx *tx) error { return tx.exec(`UPDATE webhooks_destinations SET paused = 1`) }); err != nil {
			t.Fatal(err)
		}
		release := g.hold(t)
		time.Sleep(2 * time.Second) // the first attempt ends, the second is to be written
		g.q.mu.Lock()
		w := g.q.workers["a"]
		g.q.mu.Unlock()
		w.pausing.Store(true)
		w.poke()
		time.Sleep(soon)
		release()
		time.Sleep(time.Hour)
		r.wants(t, "0")
		if after := resumedAfterCrash(t, g, d); len(after) != 1 || after[0].id != "1" || after[0].attempt != 1 {
			t.Errorf("%+v", after)
		}
	})
}

// resumedAfterCrash returns what a paused destination gets after a crash and a
// resume.
func resumedAfterCrash(t *testing.T, g *gateway, d Destination) []arrival {
	t.Helper()
	r := new(receiver)
	d.Deliver = r.deliver
	crashed := start(t, g.crash(t), d)
	waitDeclared(t, crashed.g)
	if err := crashed.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(soon)
	return r.all()
}

// TestPauseOfWhoIsGone shows that a pause and a resume hold although who asked did
// not wait for the answer.
func TestPauseOfWhoIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		impatiently := func(f func(context.Context, string) error) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			release := g.hold(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = f(ctx, "a")
			}()
			time.Sleep(soon)
			cancel()
			time.Sleep(soon)
			release()
			<-done
			time.Sleep(soon)
		}
		impatiently(g.q.Pause)
		g.keep(t, newEvents(1)...)
		time.Sleep(soon)
		if st := g.status(t, "a"); !st.Paused || len(r.all()) != 0 {
			t.Errorf("%+v, %v came", st, r.ids())
		}
		impatiently(g.q.Resume)
		time.Sleep(soon)
		if st := g.status(t, "a"); st.Paused || len(r.all()) != 1 {
			t.Errorf("%+v, %v came", st, r.ids())
		}
	})
}

// TestPauseWhoseAnswerIsLost has a pause and a resume be committed, and who asked be
// told that they failed: the worker does what the database says.
func TestPauseWhoseAnswerIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		time.Sleep(soon) // the worker has its destination
		unanswered := func(f func(context.Context, string) error) {
			t.Helper()
			release := g.hold(t)
			done := make(chan error)
			go func() { done <- f(t.Context(), "a") }()
			time.Sleep(soon)
			// Written with it, so that the COMMIT that is to end both fails.
			g.q.writer.submit(t.Context(), &change{run: func(tx *tx) error { return tx.exec(`COMMIT`) }})
			release()
			if err := <-done; !errors.Is(err, errCommit) {
				t.Fatal(err)
			}
			time.Sleep(soon)
		}
		unanswered(g.q.Pause)
		g.keep(t, newEvents(1)...)
		time.Sleep(soon)
		if st := g.status(t, "a"); !st.Paused || len(r.all()) != 0 {
			t.Errorf("%+v, %v came", st, r.ids())
		}
		unanswered(g.q.Resume)
		if st := g.status(t, "a"); st.Paused || len(r.all()) != 1 {
			t.Errorf("%+v, %v came", st, r.ids())
		}
	})
}
