package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestOthersDoNotWait shows that destinations that fail, hang or are paused hold
// up neither another one nor requests that store (Convoy #1926).
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
