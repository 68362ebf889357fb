package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCrash opens what a crash would have left: what may have run counts as an
// attempt, and what was settled and written is not repeated.
func TestCrash(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			switch {
			case d.ID < "3" && len(d.ID) == 1: // 0, 1 and 2
				return Result{Status: 200}
			case d.ID == "3":
				return Result{Status: 500}
			}
			<-ctx.Done()
			return Result{Err: ctx.Err()}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Timeout, d.Backoff = 4, time.Hour, Backoff{time.Minute, time.Hour}
		g := start(t, s, d)
		g.keep(t, newEvents(10)...)
		time.Sleep(soon)
		begun := r.counts()
		if len(begun) != 8 {
			t.Fatalf("%d were begun: %v", len(begun), begun)
		}

		after := new(receiver)
		d = newDestination("a", after.deliver)
		d.Attempts = 2 // so that those that may have run have one left
		crashed := start(t, g.crash(t), d)
		time.Sleep(time.Hour)
		after.wantEachOnce(t, 7)
		for _, a := range after.all() {
			switch want := begun[a.id] + 1; {
			case a.id < "3":
				t.Errorf("%s was repeated", a.id)
			case a.attempt != want && want == 2:
				t.Errorf("%s: attempt %d, want %d", a.id, a.attempt, want)
			}
		}
		if n := crashed.o.count(OutcomeDead); n != 0 {
			t.Errorf("%d are dead", n)
		}
	})
}

// TestCrashDuringTheLastAttempt shows that an event is not tried more often than
// it may, and not forgotten either.
func TestCrashDuringTheLastAttempt(t *testing.T) {
	for _, attempts := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(attempts), func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
					if d.Attempt < attempts {
						return Result{Status: 500}
					}
					<-ctx.Done()
					return Result{Err: ctx.Err()}
				}}
				d := newDestination("a", r.deliver)
				d.Attempts, d.Timeout, d.Concurrency = attempts, time.Hour, 1
				g := start(t, s, d)
				e := newEvent("1", "")
				g.keep(t, e, newEvent("2", ""))
				time.Sleep(soon)

				after := &receiver{answer: answers(500)}
				d = newDestination("a", after.deliver)
				d.Attempts = attempts
				crashed := start(t, g.crash(t), d)
				time.Sleep(time.Hour)
				if n := len(after.of("1")); n != 0 {
					t.Errorf("it was tried %d times more", n)
				}
				dead, err := crashed.q.DeadLettersOf(t.Context(), e.Key)
				if err != nil || len(dead) != 1 || dead[0].Attempts != attempts || !strings.Contains(dead[0].LastError, "no attempts left") {
					t.Errorf("%+v, %v", dead, err)
				}
				if st := crashed.status(t, "a"); st.Backlog != 0 || st.DeadLetters != 2 {
					t.Errorf("%+v", st)
				}
				if n := crashed.o.count(OutcomeDead); n != 2 {
					t.Errorf("%d deaths were observed: %v", n, crashed.o.all())
				}
			})
		})
	}
}

// TestCrashWithDeferredAhead has events fail behind one that takes long: a crash
// leaves them ahead of the position, and they come once, and go on counting.
func TestCrashWithDeferredAhead(t *testing.T) {
	for name, isOrdered := range map[string]bool{"ordered": true, "unordered": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
					if d.ID == "0" {
						return slow(time.Hour)(ctx, d)
					}
					return Result{Status: 500}
				}}
				d := newDestination("a", r.deliver)
				d.Ordered, d.Timeout, d.Backoff = isOrdered, 2*time.Hour, Backoff{time.Minute, time.Minute}
				g := start(t, s, d)
				var events []*Event
				for n := range 9 { // too few for it to be down
					events = append(events, newEvent(fmt.Sprint(n), fmt.Sprint("key-", n)))
				}
				g.keep(t, events...)
				time.Sleep(50 * time.Millisecond)
				g.keep(t, newEvent("9", "key-9")) // has it written what became of the others
				time.Sleep(10 * time.Millisecond)
				if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries d JOIN webhooks_destinations d ON d.seq > d.position`); n != 8 {
					t.Fatalf("%d deferred deliveries are ahead", n)
				}
				after := new(receiver)
				d.Deliver = after.deliver
				start(t, g.crash(t), d)
				time.Sleep(10 * time.Minute)
				after.wantEachOnce(t, 10)
				for _, a := range after.all() {
					if a.attempt != 2 {
						t.Errorf("%+v", a)
					}
				}
			})
		})
	}
}

// TestCrashWhileWaiting shows that an event that waited for its key has not been
// tried, whatever was begun after it.
func TestCrashWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "first" {
				return slow(time.Hour)(ctx, d)
			}
			return Result{Status: 200}
		}}
		d := ordered("a", r.deliver)
		d.Attempts, d.Timeout = 1, 2*time.Hour
		g := start(t, s, d)
		g.keep(t, newEvent("first", "key"), newEvent("waiting", "key"), newEvent("other", "other"))
		time.Sleep(10 * time.Millisecond)
		after := new(receiver)
		d.Deliver = after.deliver
		crashed := start(t, g.crash(t), d)
		time.Sleep(soon)
		if len(after.of("waiting")) != 1 || len(after.of("first")) != 0 || crashed.o.count(OutcomeDead) == 0 {
			t.Errorf("%v came, %v", after.ids(), crashed.o.all())
		}
	})
}

// TestCrashAndRestartWhilePaused shows that a process which reads nothing, because the
// destination is paused, does not forget what may have begun before a crash.
func TestCrashAndRestartWhilePaused(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: slow(time.Hour)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Timeout = 1, 2*time.Hour
		g := start(t, s, d)
		g.keep(t, newEvent("1", ""))
		time.Sleep(10 * time.Millisecond) // it begins, and has no row yet
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		after := new(receiver)
		d.Deliver = after.deliver
		crashed := start(t, g.crash(t), d)
		time.Sleep(soon)
		crashed.stop(t)
		again := start(t, crashed.s, d)
		waitDeclared(t, again.g)
		if err := again.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		if st := again.status(t, "a"); st.DeadLetters != 1 || len(after.all()) != 0 {
			t.Errorf("%+v, %v came", st, after.ids())
		}
	})
}
