package queue

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRetries follows one event through its attempts.
func TestRetries(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 12, Backoff{10 * time.Second, 10 * time.Minute}
		g := start(t, s, d)
		g.keep(t, newEvent("1", ""))
		time.Sleep(3 * time.Hour)
		got := r.all()
		if len(got) != 12 {
			t.Fatalf("there were %d attempts, want 12", len(got))
		}
		for i, a := range got {
			if a.attempt != i+1 {
				t.Errorf("attempt %d has the number %d", i+1, a.attempt)
			}
			if i == 0 {
				continue
			}
			most := min(10*time.Second<<(i-1), 10*time.Minute)
			// What is probed may wait for its turn as well.
			if waited := a.at.Sub(got[i-1].at); waited < most/2 || waited > most+time.Minute {
				t.Errorf("attempt %d came after %s, want %s at the most", i+1, waited, most)
			}
		}
		if st := g.status(t, "a"); st.Backlog != 0 || st.DeadLetters != 1 {
			t.Errorf("%+v", st)
		}
		if g.o.count(OutcomeRetrying) != 11 || g.o.count(OutcomeDead) != 1 {
			t.Error(g.o.all())
		}
	})
}

// TestEndings shows what each end of an attempt is recorded as.
func TestEndings(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		endings := map[string]struct {
			deliver   func(ctx context.Context) Result
			status    int
			says      string
			attempts  int
			took      time.Duration
			delivered bool
		}{
			"accepted":  {func(context.Context) Result { return Result{Status: 202} }, 202, "", 1, 0, true},
			"gone":      {func(context.Context) Result { return Result{Status: 410, Excerpt: []byte("bye")} }, 410, "answered 410", 1, 0, false},
			"moved":     {func(context.Context) Result { return Result{Status: 308} }, 308, "answered 308", 1, 0, false},
			"refused":   {func(context.Context) Result { return Result{Status: 401} }, 401, "answered 401", 3, 0, false},
			"broken":    {func(context.Context) Result { return Result{Err: errors.New("connection refused")} }, 0, "connection refused", 3, 0, false},
			"nothing":   {func(context.Context) Result { return Result{} }, 0, "", 3, 0, false},
			"panicking": {func(context.Context) Result { panic("at the disco") }, 0, "the handler panicked with a string", 3, 0, false},
			"panicking with nil": {func(context.Context) Result {
				var none []int
				return Result{Status: none[0]}
			}, 0, "the handler panicked with a runtime.", 3, 0, false},
			"aborting": {func(context.Context) Result { panic(http.ErrAbortHandler) }, 0, "the handler panicked", 3, 0, false},
			"hanging": {func(ctx context.Context) Result {
				<-ctx.Done()
				return Result{Err: ctx.Err()}
			}, 0, "no answer within 5s", 3, 5 * time.Second, false},
			"hanging, then 500": {func(ctx context.Context) Result {
				<-ctx.Done()
				return Result{Status: 500}
			}, 500, "no answer within 5s", 3, 5 * time.Second, false},
			"slow": {func(ctx context.Context) Result {
				time.Sleep(4 * time.Second)
				return Result{Status: 200}
			}, 200, "", 1, 4 * time.Second, true},
			"200, but the answer broke off": {func(context.Context) Result { return Result{Status: 200, Err: errors.New("unexpected EOF")} }, 200, "unexpected EOF", 3, 0, false},
			"NUL and no UTF-8": {func(context.Context) Result {
				return Result{Err: errors.New("a\x00b\xff" + strings.Repeat("€", 1000)), Excerpt: []byte("\x00\xff" + strings.Repeat("x", 5000))}
			}, 0, "a\uFFFDb\uFFFD€", 3, 0, false},
		}
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result { return endings[d.ID].deliver(ctx) }}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Timeout = 3, 5*time.Second
		g := start(t, s, d)
		for id, want := range endings {
			before := g.status(t, "a").DeadLetters
			e := newEvent(id, "")
			g.keep(t, e)
			time.Sleep(3 * time.Minute)
			got := r.of(id)
			if len(got) != want.attempts {
				t.Errorf("%s: %d attempts, want %d", id, len(got), want.attempts)
			}
			last := g.o.last()
			if last.ID != id || last.Took != want.took || last.Status != want.status || last.Delivery.Attempt != want.attempts {
				t.Errorf("%s: %+v", id, last)
			}
			if died := g.status(t, "a").DeadLetters - before; (died == 0) != want.delivered {
				t.Errorf("%s: %d dead letters", id, died)
				continue
			}
			if want.delivered {
				continue
			}
			dead, err := g.q.DeadLettersOf(t.Context(), e.Key)
			if err != nil || len(dead) != 1 {
				t.Fatalf("%s: %v, %v", id, dead, err)
			}
			l := dead[0]
			if l.LastStatus != want.status || !strings.HasPrefix(l.LastError, want.says) || l.Attempts != want.attempts || len(l.LastError) > 2*maxExcerpt || len(l.Excerpt) > 2*maxExcerpt {
				t.Errorf("%s: %+v", id, l)
			}
		}
	})
}

// crowd knows how many attempts go on at a time.
type crowd struct{ running, most atomic.Int64 }

// answers returns what an application answers that takes some time.
func (c *crowd) answers(after time.Duration, status int) func(context.Context, *Delivery) Result {
	return func(context.Context, *Delivery) Result {
		c.most.Store(max(c.most.Load(), c.running.Add(1)))
		time.Sleep(after)
		c.running.Add(-1)
		return Result{Status: status}
	}
}

// peak returns how many there were at the most since it was asked last.
func (c *crowd) peak() int64 { return c.most.Swap(0) }

func TestConcurrency(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		c := new(crowd)
		r := &receiver{answer: c.answers(time.Second, 200)}
		d := newDestination("a", r.deliver)
		d.Concurrency = 7
		g := start(t, s, d)
		begun := time.Now()
		g.keep(t, newEvents(70)...)
		eventually(t, "delivery", func() bool { return len(r.all()) == 70 && c.running.Load() == 0 })
		if n := c.peak(); n != 7 {
			t.Errorf("%d attempts at a time, want 7", n)
		}
		if took := time.Since(begun); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}

		// It changes with a reload.
		d.Concurrency = 2
		g.reload(t, d)
		g.keep(t, newEvent("x", ""), newEvent("y", ""), newEvent("z", ""))
		eventually(t, "delivery", func() bool { return len(r.all()) == 73 && c.running.Load() == 0 })
		if n := c.peak(); n != 2 {
			t.Errorf("%d attempts at a time, want 2", n)
		}
	})
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		rate   Rate
		events int
		burst  int
	}{
		{Rate{5, time.Second}, 50, 1},
		{Rate{1, time.Minute}, 5, 1},
		{Rate{2, time.Hour}, 4, 1},
		{Rate{1000, time.Second}, 600, 10},
	} {
		t.Run(fmt.Sprintf("%d per %s", c.rate.N, c.rate.Per), func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := new(receiver)
				d := newDestination("a", r.deliver)
				d.Rate = c.rate
				g := start(t, s, d)
				time.Sleep(time.Hour) // saves nothing up
				begun := time.Now()
				for i := 0; i < c.events; i += 500 {
					g.keep(t, newEvents(c.events)[i:min(i+500, c.events)]...)
				}
				each := c.rate.Per / time.Duration(c.rate.N)
				time.Sleep(time.Duration(c.events)*each + soon)
				got := r.all()
				if len(got) != c.events {
					t.Fatalf("%d came, want %d", len(got), c.events)
				}
				for i, a := range got {
					if at := a.at.Sub(begun); at < time.Duration(i-c.burst+1)*each-time.Millisecond {
						t.Errorf("attempt %d began after %s", i, at)
					}
				}
				if took := got[len(got)-1].at.Sub(begun); took > time.Duration(c.events)*each+each/10 {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

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

// TestOthersDoNotWait shows that destinations that fail, hang or are paused hold
// up neither another one nor those who store (Convoy #1926).
func TestOthersDoNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		good := new(receiver)
		ds := []Destination{
			newDestination("good", good.deliver),
			newDestination("failing", (&receiver{answer: answers(500)}).deliver),
			newDestination("paused", new(receiver).deliver),
			newDestination("hanging", (&receiver{answer: func(ctx context.Context, d *Delivery) Result {
				<-ctx.Done()
				return Result{Err: ctx.Err()}
			}}).deliver),
		}
		g := start(t, s, ds...)
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		stored := make(map[string]time.Time)
		for _, e := range newEvents(1000) {
			begun := time.Now()
			g.keep(t, e)
			if took := time.Since(begun); took > 0 {
				t.Fatalf("it took %s to store", took)
			}
			stored[e.ID] = time.Now()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(soon)
		good.wantEachOnce(t, 1000)
		for _, a := range good.all() {
			if late := a.at.Sub(stored[a.id]); late > 10*time.Millisecond {
				t.Errorf("%s came %s late", a.id, late)
			}
		}
		for _, name := range []string{"failing", "paused", "hanging"} {
			if n := g.status(t, name).Backlog; n != 1000 {
				t.Errorf("%s: %d are left", name, n)
			}
		}
	})
}

// TestRetriesAndNewEvents shows that neither waits for the other.
func TestRetriesAndNewEvents(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			time.Sleep(100 * time.Millisecond)
			if strings.HasPrefix(d.ID, "bad") {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Attempts, d.Backoff = 4, 1000, Backoff{time.Millisecond, time.Millisecond}
		g := start(t, s, d)
		for i := range 8 {
			g.keep(t, newEvent(fmt.Sprint("bad", i), ""))
		}
		time.Sleep(soon)
		// Half of 40 attempts a second are for them, and more than they are.
		for i := range 100 {
			e := newEvent(fmt.Sprint(i), "")
			g.keep(t, e)
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		if n := g.o.count(OutcomeDelivered); n != 100 {
			t.Errorf("%d were delivered", n)
		}
		for i := range 8 {
			if n := len(r.of(fmt.Sprint("bad", i))); n < 5 {
				t.Errorf("bad%d was tried %d times", i, n)
			}
		}
	})
}

func TestRetryAfterIsHeeded(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		var at []time.Time
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			at = append(at, time.Now())
			switch d.Attempt {
			case 1:
				return Result{Status: 429, RetryAfter: "90"}
			case 2:
				return Result{Status: 503, RetryAfter: time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)}
			case 3:
				return Result{Status: 503, RetryAfter: "31536000"}
			}
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{time.Second, time.Hour}
		g := start(t, s, d)
		g.keep(t, newEvent("1", ""))
		time.Sleep(2 * time.Hour)
		if len(at) != 4 {
			t.Fatal(at)
		}
		for i, want := range []time.Duration{90 * time.Second, 2 * time.Minute, time.Hour} {
			if waited := at[i+1].Sub(at[i]); waited < want-time.Second || waited > want+time.Second {
				t.Errorf("it waited %s, want %s", waited, want)
			}
		}
	})
}

// TestStopIsClean shows which attempts count after a clean stop: those that were
// begun.
func TestStopIsClean(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		hanging := make(chan struct{}, 100)
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "0" {
				return Result{Status: 200}
			}
			if d.ID == "1" && d.Attempt == 1 {
				return Result{Status: 500}
			}
			hanging <- struct{}{}
			<-ctx.Done()
			return Result{Err: ctx.Err()}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency = 4
		g := start(t, s, d)
		g.keep(t, newEvents(500)...)
		for range 4 {
			<-hanging
		}
		eventually(t, "what went well", func() bool { return g.o.count(OutcomeDelivered) == 1 })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.g.Stop(ctx)
		if n := g.o.count(OutcomeHandedBack); n != 4 {
			t.Errorf("%d were handed back", n)
		}
		begun := r.counts()
		if err := g.q.Close(); err != nil {
			t.Fatal(err)
		}
		g.g = nil

		after := new(receiver)
		g = start(t, s, newDestination("a", after.deliver))
		g.drain(t, "a")
		after.wantEachOnce(t, 499)
		for _, a := range after.all() {
			if want := begun[a.id] + 1; a.attempt != want {
				t.Errorf("%s: attempt %d, want %d", a.id, a.attempt, want)
			}
		}
	})
}

// TestStopWaits shows that a stop with time to spare cuts nothing short.
func TestStopWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			time.Sleep(20 * time.Second)
			return Result{Status: 200}
		}}
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, newEvents(3)...)
		time.Sleep(time.Second)
		begun := time.Now()
		g.stop(t)
		if took := time.Since(begun); took < 18*time.Second || took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
		g = start(t, s, newDestination("a", r.deliver))
		time.Sleep(time.Minute)
		r.wantEachOnce(t, 3)
	})
}

// TestStopDoesNotWaitForEver has an attempt that does not end when it is told to.
func TestStopDoesNotWaitForEver(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			time.Sleep(time.Minute)
			return Result{Status: 200}
		}}
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, newEvents(1)...)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		g.g.Stop(ctx)
		if took := time.Since(begun); took < 3*time.Second || took > 3*time.Second+2*stopTimeout {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Minute)
		if err := g.q.Close(); err != nil {
			t.Fatal(err)
		}
		g.g = nil
	})
}

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
				if err != nil || len(dead) != 1 || dead[0].Attempts != attempts || !strings.Contains(dead[0].LastError, "no attempt is left") {
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

// TestStopDuringTheLastAttempt is the same with a stop that cannot wait.
func TestStopDuringTheLastAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			<-ctx.Done()
			return Result{Err: ctx.Err()}
		}}
		d := newDestination("a", r.deliver)
		d.Attempts = 1
		g := start(t, s, d)
		g.keep(t, newEvent("1", ""))
		time.Sleep(soon)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := g.g
		g.serve(d)
		before.Stop(ctx)
		time.Sleep(time.Hour)
		dead, err := g.q.DeadLetters(t.Context(), "a", 10)
		if err != nil || len(dead) != 1 || dead[0].LastError != "the gateway stopped during the last attempt" || len(r.all()) != 1 {
			t.Errorf("%+v, %v, %d attempts", dead, err, len(r.all()))
		}
		if g.o.count(OutcomeDead) != 1 || g.o.count(OutcomeHandedBack) != 0 {
			t.Errorf("observed: %v", g.o.all())
		}
	})
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

// TestSlowAmongFast shows that one slow attempt does not keep what came after it
// from being settled: a crash does not repeat those.
func TestSlowAmongFast(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "0" {
				<-ctx.Done()
				return Result{Err: ctx.Err()}
			}
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Timeout = time.Hour
		g := start(t, s, d)
		g.keep(t, newEvents(200)...)
		time.Sleep(soon)
		if n := g.number(t, `SELECT position FROM webhooks_destinations`); n != 200 {
			t.Errorf("the position is %d", n)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries WHERE state = 'running' AND seq = 1 AND attempts = 1`); n != 1 {
			t.Errorf("%d deferred deliveries", n)
		}
		if st := g.status(t, "a"); st.Backlog != 1 {
			t.Errorf("%+v", st)
		}
		after := new(receiver)
		start(t, g.crash(t), newDestination("a", after.deliver))
		time.Sleep(soon)
		after.wants(t, "0")
		if a := after.all(); a[0].attempt != 2 {
			t.Errorf("%+v", a)
		}
	})
}

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

// withoutTrouble removes the trigger from a queue that is not open.
func withoutTrouble(t testing.TB, s Settings) Settings {
	execute(t, s.File, `DROP TRIGGER webhooks_trouble`)
	return s
}

// TestLargeEvents shows that what is in memory is bounded in bytes: from the log,
// and as deferred deliveries.
func TestLargeEvents(t *testing.T) {
	for _, status := range []int{200, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				c := new(crowd)
				r := &receiver{answer: c.answers(10*time.Second, status)}
				d := newDestination("a", r.deliver)
				d.Backoff = Backoff{20 * time.Minute, 20 * time.Minute}
				g := start(t, s, d)
				for i := range 40 {
					e := newEvent(fmt.Sprint(i), "")
					e.Body = make([]byte, 1<<20)
					g.keep(t, e)
				}
				time.Sleep(15 * time.Minute)
				r.respond(c.answers(10*time.Second, 200))
				time.Sleep(30 * time.Minute)
				if n := g.o.count(OutcomeDelivered); n != 40 {
					t.Errorf("%d were delivered", n)
				}
				if n := c.peak(); n < 8 || n > 10 {
					t.Errorf("%d attempts at a time, want those of 8 MiB", n)
				}
			})
		})
	}
}
