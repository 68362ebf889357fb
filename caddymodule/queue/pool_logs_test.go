package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// throng is an application that counts the attempts that are under way.
type throng struct {
	receiver

	mu            sync.Mutex
	running, most int
}

func (h *throng) deliver(ctx context.Context, d *Delivery) Result {
	h.mu.Lock()
	h.running++
	h.most = max(h.most, h.running)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.running--
		h.mu.Unlock()
	}()
	return h.receiver.deliver(ctx, d)
}

// peak returns the maximum since it was called last.
func (h *throng) peak() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	most := h.most
	h.most = h.running
	return most
}

// keepIn stores events in one log, with ids that begin with its number.
func (g *several) keepIn(t testing.TB, log, n int) {
	t.Helper()
	var events []*Event
	for i := range n {
		events = append(events, newEvent(fmt.Sprint(log, "-", i), ""))
	}
	g.in(log).keep(t, events...)
}

// TestLogsShareConcurrency shows that the logs of a destination together make as many
// attempts at a time as one alone, and that none of them waits for the others to be done.
func TestLogsShareConcurrency(t *testing.T) {
	for _, concurrency := range []int{1, 3, 6} {
		for _, attempts := range []int{1, DefaultAttempts} {
			t.Run(fmt.Sprint(concurrency, " at a time, ", attempts, " attempts"), func(t *testing.T) {
				bubble(t, func(t *testing.T, s Settings) {
					const logs = 4
					events := 10 * concurrency // 40 s for all of them
					h := new(throng)
					h.answer = slow(time.Second)
					d := newDestination("a", h.deliver)
					d.Concurrency, d.Attempts = concurrency, attempts
					g := startSeveral(t, s, logs, d)
					time.Sleep(2 * soon) // followers have their leases
					begun := time.Now()
					for log := range logs {
						g.keepIn(t, log, events)
					}
					ideal := logs * events / concurrency * int(time.Second)
					time.Sleep(time.Duration(ideal / 2))
					byLog := make(map[byte]int)
					for id := range h.counts() {
						byLog[id[0]]++
					}
					for log := range logs {
						if n := byLog[strconv.Itoa(log)[0]]; n < events/4 || n > events*9/10 {
							t.Errorf("%d events of log %d after half of the time", n, log)
						}
					}
					g.drain(t, "a")
					if took := time.Since(begun); took > time.Duration(ideal)+3*time.Second {
						t.Errorf("it took %s, want %s", took, time.Duration(ideal))
					}
					if n := h.peak(); n != concurrency {
						t.Errorf("%d attempts at a time", n)
					}
					h.wantEachOnce(t, logs*events)

					// One log may use the parts of all.
					begun = time.Now()
					g.in(3).keep(t, newEvents(2*concurrency)...)
					g.drain(t, "a")
					if took := time.Since(begun); took > 3*time.Second {
						t.Errorf("it took %s", took)
					}
				})
			})
		}
	}
}

// TestLogsShareRate shows that the logs of a destination together begin as many attempts
// per second as one alone.
func TestLogsShareRate(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Rate = Rate{20, time.Second}
		g := startSeveral(t, s, 3, d)
		g.keepIn(t, 0, 100)
		g.keepIn(t, 1, 100)
		g.keepIn(t, 2, 100)
		begun := time.Now()
		g.drain(t, "a")
		if took := time.Since(begun); took < 14*time.Second || took > 16*time.Second {
			t.Errorf("it took %s, want 15 s", took)
		}
		all := r.all()
		for i := 21; i < len(all); i++ {
			if in := all[i].at.Sub(all[i-21].at); in < 990*time.Millisecond {
				t.Fatalf("22 attempts in %s", in)
			}
		}
		begun = time.Now()
		g.in(1).keep(t, newEvents(100)...)
		g.drain(t, "a")
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("one log alone took %s, want 5 s", took)
		}
	})
}

// TestLogsShareHealth shows that the logs of a destination that is down probe it with one
// event at a time, and that all of them go on when it is back.
func TestLogsShareHealth(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		const logs, events = 4, 50
		h := new(throng)
		h.answer = func(ctx context.Context, d *Delivery) Result {
			slow(time.Second)(ctx, d)
			return Result{Status: 503}
		}
		d := newDestination("a", h.deliver)
		d.Backoff = Backoff{5 * time.Second, 6 * time.Hour}
		g := startSeveral(t, s, logs, d)
		for log := range logs {
			g.keepIn(t, log, events)
		}
		time.Sleep(3 * time.Second)
		under := len(h.all())
		if under < downAfter || under >= downAfter+DefaultConcurrency {
			t.Errorf("%d attempts before it was down", under)
		}
		for log := range logs {
			if !g.in(log).status(t, "a").Down {
				t.Errorf("log %d does not know that it is down", log)
			}
		}
		h.peak()
		time.Sleep(time.Hour)
		if n := h.peak(); n != 1 {
			t.Errorf("%d probes at a time", n)
		}
		if n := len(h.all()) - under; n < 55 || n > 70 {
			t.Errorf("%d probes in an hour", n)
		}
		h.respond(answers(200))
		time.Sleep(maxProbeInterval + 5*time.Second)
		if n := g.o.count(OutcomeDelivered); n != logs*events {
			t.Errorf("%d were delivered", n)
		}
		if lines := append(g.o.lines("a down"), g.o.lines("a up")...); len(lines) != 2 {
			t.Error(lines)
		}
	})
}

// TestFollowersGoWithTheirLeader shows that a log that brings no attempts is worked only
// by the gateway that works the log whose part it uses.
func TestFollowersGoWithTheirLeader(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Concurrency = 2 // of logs 0 and 2
		g := startSeveral(t, s, 4, d)
		isHere := func(want ...bool) {
			t.Helper()
			for log, want := range want {
				if got := g.in(log).status(t, "a").Here; got != want {
					t.Errorf("log %d is worked: %v, want %v", log, got, want)
				}
			}
		}
		time.Sleep(soon)
		isHere(true, true, true, true)

		w := g.in(2).q.names()["a"]
		w.surplus.Store(true)
		w.poke()
		time.Sleep(soon / 2)
		isHere(true, true, false, false)
		time.Sleep(3 * soon)
		isHere(true, true, true, true)

		w = g.in(0).q.names()["a"]
		w.acquireAt = time.Now().Add(2 * soon)
		w.granted.Store(1000) // another gateway has taken over
		w.poke()
		time.Sleep(soon / 2)
		isHere(false, false, true, true)
		time.Sleep(3 * soon)
		isHere(true, true, true, true)
		g.in(1).keep(t, newEvents(10)...)
		g.drain(t, "a")
		r.wantEachOnce(t, 10)
	})
}

// TestLostPartCutsAttempts takes the lease of one log away while the attempts of another
// one use what it brought: they end, and are made again.
func TestLostPartCutsAttempts(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		h := new(throng)
		h.answer = slow(10 * time.Second)
		d := newDestination("a", h.deliver)
		d.Concurrency = 4
		g := startSeveral(t, s, 4, d)
		g.in(0).keep(t, newEvents(4)...)
		time.Sleep(soon)
		if n := h.peak(); n != 4 {
			t.Fatalf("%d attempts at a time", n)
		}
		w := g.in(3).q.names()["a"]
		w.acquireAt = time.Now().Add(5 * time.Second)
		w.granted.Store(1000)
		w.poke()
		time.Sleep(soon)
		if n := g.o.count(OutcomeHandedBack); n != 1 {
			t.Errorf("%d attempts were cut short", n)
		}
		h.mu.Lock()
		if h.running != 3 {
			t.Errorf("%d attempts at a time after one of four logs was lost", h.running)
		}
		h.mu.Unlock()
		g.drain(t, "a")
		if n := h.peak(); n != 4 {
			t.Errorf("%d attempts at a time", n)
		}
		if n := g.o.count(OutcomeDelivered); n != 4 {
			t.Errorf("%d were delivered", n)
		}
	})
}

// TestGivenUpPartIsAwaited has one log given up while attempts of another use what it
// brought: that waits for them.
func TestGivenUpPartIsAwaited(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		h := new(throng)
		h.answer = slow(3 * time.Second)
		d := newDestination("a", h.deliver)
		d.Concurrency = 4
		g := startSeveral(t, s, 4, d)
		g.in(0).keep(t, newEvents(8)...)
		time.Sleep(soon)
		w := g.in(3).q.names()["a"]
		w.surplus.Store(true)
		w.poke()
		time.Sleep(soon)
		if !w.isHere() {
			t.Error("it was given up with an attempt under way")
		}
		time.Sleep(1500 * time.Millisecond)
		if w.isHere() {
			t.Error("it was not given up when the attempts had ended")
		}
		h.mu.Lock()
		if h.running != 3 {
			t.Errorf("%d attempts at a time after one of four logs was given up", h.running)
		}
		h.mu.Unlock()
		g.drain(t, "a")
		h.wantEachOnce(t, 8)
	})
}

// TestLongAttemptKeepsDestination shows that an attempt that takes long keeps a
// destination from being given up, and that the others go on meanwhile.
func TestLongAttemptKeepsDestination(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			if d.ID == "long" {
				return slow(25*time.Second)(ctx, d)
			}
			return Result{Status: 200}
		}}
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, newEvent("long", ""))
		time.Sleep(soon)
		for range 10 { // as long as another gateway has less to do
			w := g.q.names()["a"]
			w.surplus.Store(true)
			w.poke()
			g.keep(t, newEvent(fmt.Sprint(rand.Int()), ""))
			time.Sleep(leaseRenewal)
		}
		if n := g.o.count(OutcomeDelivered); n != 10 {
			t.Errorf("%d of the others were delivered", n)
		}
	})
}
