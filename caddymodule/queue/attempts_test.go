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
				t.Errorf("attempt %d came after %s, want at most %s", i+1, waited, most)
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
			"panicking": {func(context.Context) Result { panic("at the disco") }, 0, "handler panicked with a value of type string", 3, 0, false},
			"panicking with nil": {func(context.Context) Result {
				var none []int
				return Result{Status: none[0]}
			}, 0, "handler panicked with a value of type runtime.", 3, 0, false},
			"aborting": {func(context.Context) Result { panic(http.ErrAbortHandler) }, 0, "handler panicked", 3, 0, false},
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

// peak returns the maximum since it was called last.
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
