package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestStatus compares the status with the facts, through all that changes it.
func TestStatus(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(200)}
		d := newDestination("a", r.deliver)
		d.Types = types("message.*")
		d.Backoff = Backoff{10 * time.Minute, 10 * time.Minute}
		g := start(t, s, d)
		waitDeclared(t, g.g)
		want := func(backlog, dead int64, oldest time.Time) {
			t.Helper()
			st := g.status(t, "a")
			if st.Backlog != backlog || st.DeadLetters != dead || !st.OldestUndelivered.Equal(oldest.Truncate(time.Microsecond)) {
				t.Errorf("%+v, want %d, %d and %s", st, backlog, dead, oldest)
			}
		}
		n := 0
		add := func(eventType string, count int) (first time.Time) {
			t.Helper()
			first = time.Now()
			for range count {
				n++
				e := newEvent(fmt.Sprint(n), "")
				e.Type = eventType
				g.keep(t, e)
			}
			time.Sleep(time.Second)
			return first
		}
		want(0, 0, time.Time{})
		add("contact.created", 50)
		want(0, 0, time.Time{})
		add("message.created", 50)
		want(0, 0, time.Time{})

		// Paused, with others in between.
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		add("contact.created", 1500)
		oldest := add("message.created", 40)
		add("contact.created", 30)
		add("message.updated", 5)
		want(45, 0, oldest)
		// Read again, so that what is counted only once is.
		add("message.created", 10)
		add("contact.created", 10)
		want(55, 0, oldest)
		want(55, 0, oldest)

		// Failing: some are deferred deliveries then.
		r.respond(answers(500))
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		want(55, 0, oldest)
		// Dying.
		r.respond(func(_ context.Context, d *Delivery) Result {
			if d.Type == "message.updated" {
				return Result{Status: 410}
			}
			return Result{Status: 200}
		})
		time.Sleep(20 * time.Minute)
		want(0, 5, time.Time{})

		// A gap.
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon) // whoever looks around just now may still read what comes
		oldest = add("message.created", 7)
		g.reload(t)
		add("message.created", 100)
		want(7, 5, oldest)
		g.reload(t, d)
		add("message.created", 3)
		want(10, 5, oldest)

		// Another filter.
		d.Types = nil
		g.reload(t, d)
		add("contact.created", 4)
		want(14, 5, oldest)
		d.Types = types("contact.*")
		g.reload(t, d)
		if st := g.status(t, "a"); st.Backlog != 4 {
			t.Errorf("%+v", st)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		want(0, 5, time.Time{})
	})
}

// TestStatusWithoutLog has the database fail when a part of the status is known.
func TestStatusWithoutLog(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("a", new(receiver).deliver))
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		g.keep(t, newEvents(1)...)
		time.Sleep(soon)
		execute(t, s.File, `ALTER TABLE webhooks_events RENAME TO webhooks_gone`)
		if _, err := g.q.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		execute(t, s.File, `ALTER TABLE webhooks_gone RENAME TO webhooks_events`)
	})
}

// TestStatusOfALongBacklog counts what is several parts long.
func TestStatusOfALongBacklog(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		d := newDestination("a", new(receiver).deliver)
		g := start(t, s, d)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		want := func(backlog int64, oldest time.Time) {
			t.Helper()
			for range 2 { // the second one has less to count
				if st := g.status(t, "a"); st.Backlog != backlog || !st.OldestUndelivered.Equal(oldest.Truncate(time.Microsecond)) {
					t.Errorf("%+v, want %d since %s", st, backlog, oldest)
				}
			}
		}
		n := 0
		add := func(eventType string, count int) time.Time {
			t.Helper()
			time.Sleep(time.Second)
			events := make([]*Event, count)
			for i := range events {
				n++
				events[i] = newEvent(fmt.Sprint(n), "")
				events[i].Type = eventType
			}
			g.keep(t, events...)
			return events[0].Received
		}
		contact := add("contact.created", partSize+100)
		want(partSize+100, contact)
		message := add("message.created", partSize/2)
		want(partSize*3/2+100, contact)
		d.Types = types("message.*")
		g.reload(t, d)
		want(partSize/2, message)
		g.reload(t)
		add("message.created", partSize)
		want(partSize/2, message)
		g.reload(t, d)
		add("message.created", 10)
		want(partSize/2+10, message)
		d.Types = types("contact.*")
		g.reload(t, d)
		want(partSize+100, contact)
		if n, err := g.q.Replay(t.Context(), Selection{Since: message, Destination: "a"}); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

// TestStatusOfADrain compares the backlog with what is left to come, while what
// was delivered is removed behind it.
func TestStatusOfADrain(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 3 << 19
		r := &receiver{answer: slow(100 * time.Millisecond)}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Attempts = 4, 1 // nothing is read much ahead
		g := start(t, s, d)
		stored := 0
		for range 20 {
			for range 50 {
				stored++
				e := newEvent(fmt.Sprint(stored), "")
				e.Body, e.Window = make([]byte, 2000), time.Second
				if _, err := g.g.store(t.Context(), []*Event{e}); err != nil {
					stored--
					if !errors.Is(err, ErrFull) {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if st := g.status(t, "a"); st.Backlog < int64(stored-len(r.all())) || st.Backlog > int64(stored-g.o.count(OutcomeDelivered)) {
				t.Fatalf("the backlog is %d, and %d to %d are left", st.Backlog, stored-len(r.all()), stored-g.o.count(OutcomeDelivered))
			}
		}
		if stored < 600 {
			t.Errorf("only %d were stored", stored)
		}
	})
}
