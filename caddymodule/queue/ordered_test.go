package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ordered returns an ordered destination.
func ordered(name string, deliver func(ctx context.Context, d *Delivery) Result) Destination {
	d := newDestination(name, deliver)
	d.Ordered, d.Attempts, d.Concurrency = true, 1000, 32
	return d
}

// TestOrdered sends a thousand events of fifty keys through failures, a reload, a
// stop in order and one that is not.
func TestOrdered(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		most := 20 * time.Millisecond
		if s.Engine == PostgreSQL {
			most = 4 * time.Millisecond
		}
		r := newInOrder(t, unreliable(most))
		d := ordered("a", r.deliver)
		g := start(t, s, d)
		events := keyed(1, 1000, 50)
		for i := 0; i < 500; i += 10 {
			g.keep(t, events[i:i+10]...)
		}
		g.reload(t, d)
		eventually(t, "some", func() bool { return g.o.count(OutcomeDelivered) > 100 })
		g.stop(t)

		g = start(t, s, d)
		for i := 500; i < 1000; i += 10 {
			g.keep(t, events[i:i+10]...)
		}
		eventually(t, "some", func() bool { return g.o.count(OutcomeDelivered) > 100 })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.g.stop(ctx)
		g.g = nil
		if err := g.q.close(); err != nil {
			t.Fatal(err)
		}

		g = start(t, s, d)
		g.drain(t, "a")
		if n := g.status(t, "a").DeadLetters; n != 0 {
			t.Errorf("%d are dead", n)
		}
		for _, key := range slices.Compact(slices.Sorted(keysOf(events))) {
			if r.last[key] != lastOf(events, key) {
				t.Errorf("%s ends with %d, want %d", key, r.last[key], lastOf(events, key))
			}
		}
	})
}

// TestOrderedAfterCrash opens what crashes leave: what may have run is repeated,
// but nothing comes before an older one of its key.
func TestOrderedAfterCrash(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		events := keyed(1, 500, 20)
		delivered := make(map[string]bool)
		for round := range 10 {
			// Each process has its own idea of what was last: the crash may repeat.
			r := newInOrder(t, unreliable(40*time.Millisecond))
			g := start(t, s, ordered("a", r.deliver))
			if round < 5 {
				g.keep(t, events[100*round:100*(round+1)]...)
			}
			time.Sleep(time.Duration(300+50*round) * time.Millisecond)
			s = g.crash(t)
			g.stop(t)
			for id := range g.o.delivered() {
				delivered[id] = true
			}
		}
		r := newInOrder(t, answers(200))
		g := start(t, s, ordered("a", r.deliver))
		time.Sleep(time.Minute)
		if st := g.status(t, "a"); st.Backlog+st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}
		for id := range r.counts() {
			delivered[id] = true
		}
		if len(delivered) != 500 {
			t.Errorf("%d were delivered", len(delivered))
		}
	})
}

// TestOrderedParksItsOwnKeyOnly has one key fail, and then one hang.
func TestOrderedParksItsOwnKeyOnly(t *testing.T) {
	for name, bad := range map[string]func(ctx context.Context, d *Delivery) Result{
		"failing": answers(500),
		"hanging": func(ctx context.Context, d *Delivery) Result {
			<-ctx.Done()
			return Result{Err: ctx.Err()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				var mu sync.Mutex
				healed := false
				r := newInOrder(t, func(ctx context.Context, d *Delivery) Result {
					mu.Lock()
					is := d.PartitionKey == "bad" && !healed
					mu.Unlock()
					if is {
						return bad(ctx, d)
					}
					return Result{Status: 200}
				})
				d := ordered("a", r.deliver)
				d.Backoff = Backoff{time.Minute, time.Minute}
				g := start(t, s, d)
				// More of the bad key than memory holds come before the good ones.
				var events []*Event
				for n := 1; n <= 600; n++ {
					key := "bad"
					if n > 400 {
						key = fmt.Sprint("good", n%20)
					}
					events = append(events, newEvent(fmt.Sprint(n), key))
				}
				g.keep(t, events...)
				time.Sleep(20 * time.Second)
				if n := g.o.count(OutcomeDelivered); n != 200 {
					t.Errorf("%d were delivered, want the good ones", n)
				}
				if n := len(r.of("1")); n == 0 || len(r.counts()) != 201 {
					t.Errorf("%d events of the bad key came", len(r.counts())-200)
				}
				if st := g.status(t, "a"); st.Backlog != 400 {
					t.Errorf("%+v", st)
				}
				mu.Lock()
				healed = true
				mu.Unlock()
				time.Sleep(10 * time.Minute)
				if n := g.o.count(OutcomeDelivered); n != 600 {
					t.Errorf("%d were delivered", n)
				}
			})
		})
	}
}

// TestOrderedDeadLetter shows that a dead letter frees its key, whatever it died
// of.
func TestOrderedDeadLetter(t *testing.T) {
	for name, c := range map[string]struct {
		status, attempts int
	}{
		"gone":          {410, 10},
		"attempts":      {500, 3},
		"one attempt":   {500, 1},
		"moved at once": {301, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := newInOrder(t, func(_ context.Context, d *Delivery) Result {
					if d.ID == "1" || d.ID == "3" {
						return Result{Status: c.status}
					}
					return Result{Status: 200}
				})
				d := ordered("a", r.deliver)
				d.Attempts = c.attempts
				g := start(t, s, d)
				for n := 1; n <= 6; n++ {
					g.keep(t, newEvent(fmt.Sprint(n), "key"))
				}
				time.Sleep(time.Minute)
				if g.o.count(OutcomeDelivered) != 4 || g.o.count(OutcomeDead) != 2 {
					t.Error(g.o.all())
				}
				g.keep(t, newEvent("7", "key"))
				time.Sleep(soon)
				if g.o.count(OutcomeDelivered) != 5 {
					t.Error(g.o.all())
				}
			})
		})
	}
}

// TestOrderedUsedUp has attempts be fewer after a crash or reload: the oldest of a
// key dies without another attempt, and that frees its key.
func TestOrderedUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := newInOrder(t, answers(500))
		d := ordered("a", r.deliver)
		d.Backoff = Backoff{time.Second, time.Second}
		g := start(t, s, d)
		for n := 1; n <= 5; n++ {
			g.keep(t, newEvent(fmt.Sprint(n), "key"))
		}
		time.Sleep(10 * time.Second)
		if n := len(r.of("1")); n < 5 || len(r.counts()) != 1 {
			t.Fatalf("%v came", r.counts())
		}
		d.Attempts = 2
		r.respond(answers(200))
		g.reload(t, d)
		time.Sleep(time.Minute)
		if g.o.count(OutcomeDead) != 1 || g.o.count(OutcomeDelivered) != 4 {
			t.Error(g.o.all())
		}
	})
}

// TestOrderedWithoutKey shows that events without a partition key have no order.
func TestOrderedWithoutKey(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			time.Sleep(time.Second)
			if d.ID == "0" {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		g := start(t, s, ordered("a", r.deliver))
		g.keep(t, newEvents(20)...)
		time.Sleep(1500 * time.Millisecond)
		if n := g.o.count(OutcomeDelivered); n != 19 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestOrderedReplay shows that a replay neither waits for its key nor blocks it.
func TestOrderedReplay(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.ID == "2" || d.Replay {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		d := ordered("a", r.deliver)
		d.Backoff = Backoff{time.Minute, time.Minute}
		g := start(t, s, d)
		first := newEvent("1", "key")
		g.keep(t, first)
		time.Sleep(soon)
		g.keep(t, newEvent("2", "key"), newEvent("3", "key"))
		time.Sleep(soon)
		if _, err := g.q.Replay(t.Context(), Selection{Keys: keys(first)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		r.wants(t, "1", "2", "1")
		r.respond(func(_ context.Context, d *Delivery) Result {
			if d.Replay {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		})
		time.Sleep(2 * time.Minute)
		if n := g.o.count(OutcomeDelivered); n != 3 || len(r.of("3")) != 1 {
			t.Error(g.o.all())
		}
		// Nor after a restart.
		g.stop(t)
		g = start(t, s, d)
		g.keep(t, newEvent("4", "key"))
		time.Sleep(soon)
		if n := len(r.of("4")); n != 1 {
			t.Errorf("4 came %d times", n)
		}
	})
}

// TestOrderedChanges has a destination become ordered, and not any more, while
// there is a backlog.
func TestOrderedChanges(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		down := &receiver{answer: answers(500)}
		d := newDestination("a", down.deliver)
		d.Backoff = Backoff{10 * time.Second, 10 * time.Second}
		g := start(t, s, d)
		// All fail, out of order.
		for n := 1; n <= 60; n++ {
			g.keep(t, newEvent(fmt.Sprint(n), fmt.Sprint("key-", n%3)))
		}
		time.Sleep(4 * time.Minute)
		if n := len(down.counts()); n < 10 {
			t.Fatalf("%d were tried", n)
		}

		r := newInOrder(t, unreliable(2*time.Second))
		g.reload(t, ordered("a", r.deliver))
		time.Sleep(12 * time.Second) // until those that failed are due
		if n := g.o.count(OutcomeDelivered); n == 0 || n == 60 {
			t.Fatalf("%d were delivered", n)
		}
		before := g.o.count(OutcomeDelivered)

		// Back again: what was parked needs not wait any more.
		free := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			time.Sleep(time.Second)
			return Result{Status: 200}
		}}
		d = newDestination("a", free.deliver)
		d.Concurrency = 100
		g.reload(t, d)
		between := g.o.count(OutcomeDelivered)
		time.Sleep(1500 * time.Millisecond)
		if n := g.o.count(OutcomeDelivered); n < 57 { // the oldest of each key may wait for its retry
			t.Errorf("%d were delivered after a second", n)
		}
		time.Sleep(10 * time.Second)
		if n := g.o.count(OutcomeDelivered); n != 60 {
			t.Errorf("%d were delivered, %d, %d and then %d", n, before, between-before, n-between)
		}
		free.wantEachOnce(t, 60-between)
	})
}

// TestOrderedHotKey shows that one key with most of the events is delivered in
// order, and the others beside it.
func TestOrderedHotKey(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := newInOrder(t, func(_ context.Context, d *Delivery) Result {
			if d.PartitionKey == "hot" {
				time.Sleep(2 * time.Second)
			}
			if rand.IntN(10) == 0 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		})
		g := start(t, s, ordered("a", r.deliver))
		n := 0
		cold := 0
		for range 40 {
			for range 8 {
				n++
				g.keep(t, newEvent(fmt.Sprint(n), "hot"))
			}
			n++
			cold++
			g.keep(t, newEvent(fmt.Sprint(n), fmt.Sprint("cold", n)))
		}
		time.Sleep(10 * time.Second)
		came := 0
		for _, a := range r.all() {
			if strings.HasPrefix(a.partition, "cold") {
				came++
			}
		}
		if came < cold {
			t.Errorf("%d of %d came", came, cold)
		}
		time.Sleep(20 * time.Minute)
		if got := g.o.count(OutcomeDelivered); got != n {
			t.Errorf("%d of %d were delivered", got, n)
		}
	})
}
