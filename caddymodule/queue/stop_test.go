package queue

import (
	"context"
	"testing"
	"time"
)

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
		g.g.stop(ctx)
		if n := g.o.count(OutcomeHandedBack); n != 4 {
			t.Errorf("%d were handed back", n)
		}
		begun := r.counts()
		if err := g.q.close(); err != nil {
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
		start(t, s, newDestination("a", r.deliver))
		time.Sleep(time.Minute)
		r.wantEachOnce(t, 3)
	})
}

// TestStopDoesNotWaitForEver has an attempt that does not end when it is cancelled.
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
		g.g.stop(ctx)
		if took := time.Since(begun); took < 3*time.Second || took > 3*time.Second+2*stopTimeout {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Minute)
		if err := g.q.close(); err != nil {
			t.Fatal(err)
		}
		g.g = nil
	})
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
		before.stop(ctx)
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
