package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// keys returns those of events.
func keys(events ...*Event) (keys []envelope.Key) {
	for _, e := range events {
		keys = append(keys, e.Key)
	}
	return keys
}

// wantReplayed replays and fails the test unless that are so many deliveries.
func (g *gateway) wantReplayed(t testing.TB, s Selection, want int64) {
	t.Helper()
	if n, err := g.q.Replay(t.Context(), s); err != nil || n != want {
		t.Errorf("%d were replayed, %v, want %d", n, err, want)
	}
}

func TestReplay(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a, b := new(receiver), new(receiver)
		da, db := newDestination("a", a.deliver), newDestination("b", b.deliver)
		da.Concurrency, db.Concurrency = 1, 1
		db.Types = types("contact.*")
		g := start(t, s, da, db)
		events := newEvents(4)
		events[1].Type = "contact.created"
		g.keep(t, events[:2]...)
		time.Sleep(20 * time.Millisecond) // replays since here
		events[2].Received, events[3].Received = time.Now(), time.Now()
		g.keep(t, events[2:]...)
		g.drain(t, "a")
		g.drain(t, "b")
		a.wants(t, "0", "1", "2", "3")
		b.wants(t, "1")

		came := 4
		replayed := func(want ...string) {
			t.Helper()
			eventually(t, "the replay", func() bool { return len(a.all()) >= came+len(want) })
			g.drain(t, "a")
			got := a.all()[came:]
			came = len(a.all())
			var ids []string
			for _, r := range got {
				ids = append(ids, r.id)
				if r.attempt != 1 || !r.replay {
					t.Errorf("%+v", r)
				}
			}
			if slices.Sort(ids); !slices.Equal(ids, want) {
				t.Errorf("%v came, want %v", ids, want)
			}
		}
		begun := time.Now()
		g.wantReplayed(t, Selection{Keys: keys(events[0], events[3])}, 2)
		replayed("0", "3")
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		g.wantReplayed(t, Selection{Keys: keys(events[0], events[1])}, 3)
		replayed("0", "1")
		g.wantReplayed(t, Selection{Keys: keys(events[0], events[1]), Destination: "b"}, 1)
		g.wantReplayed(t, Selection{Keys: keys(events[0]), Destination: "b"}, 0)
		g.wantReplayed(t, Selection{Since: events[2].Received}, 2)
		replayed("2", "3")
		g.wantReplayed(t, Selection{Since: events[0].Received, Destination: "a"}, 4)
		replayed("0", "1", "2", "3")
		g.wantReplayed(t, Selection{Since: time.Now().Add(time.Hour)}, 0)
		g.wantReplayed(t, Selection{Dead: true}, 0)
		g.drain(t, "b")
		b.wants(t, "1", "1", "1")

		// None of several, if one is unknown.
		unknown := newEvent("unknown", "")
		if n, err := g.q.Replay(t.Context(), Selection{Keys: keys(events[0], unknown)}); !errors.Is(err, ErrUnknown) || n != 0 || !strings.Contains(err.Error(), unknown.Key.String()) {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := g.q.Replay(t.Context(), Selection{Keys: keys(events[0]), Destination: "nobody"}); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
		// A replay does not let its key in again.
		wantAccepted(t, g.keep(t, newEvent("0", "")), false)
		if len(a.all()) != came {
			t.Errorf("%v came", a.ids()[came:])
		}
	})
}

// TestReplaySince replays more than fits into one step.
func TestReplaySince(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, newEvents(1700)...)
		time.Sleep(10 * time.Second)
		begun := time.Now()
		g.wantReplayed(t, Selection{Since: time.Unix(0, 0)}, 1700)
		if took := time.Since(begun); took > soon {
			t.Errorf("it took %s", took)
		}
		time.Sleep(10 * time.Second)
		for id, n := range r.counts() {
			if n != 2 {
				t.Errorf("%s came %d times", id, n)
			}
		}
	})
}

// TestReplayOfWhatIsPending shows that it doubles nothing.
func TestReplayOfWhatIsPending(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: slow(10 * time.Second)}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Timeout, d.Backoff = 2, time.Minute, Backoff{time.Hour, time.Hour}
		g := start(t, s, d)
		events := newEvents(400)
		g.keep(t, events...)
		time.Sleep(5 * time.Second)
		// Under way, in memory, and in the log.
		g.wantReplayed(t, Selection{Keys: keys(events...)}, 0)
		g.wantReplayed(t, Selection{Since: time.Unix(0, 0)}, 0)
		r.respond(answers(200))
		time.Sleep(time.Minute)
		r.wantEachOnce(t, 400)

		// Waiting for a retry: it is due now, and its attempts go on.
		r.respond(answers(500))
		e := newEvent("failed", "")
		g.keep(t, e)
		time.Sleep(soon)
		r.respond(answers(200))
		g.wantReplayed(t, Selection{Keys: keys(e)}, 1)
		time.Sleep(5 * time.Second)
		if got := r.of("failed"); len(got) != 2 || got[1].attempt != 2 || got[1].replay {
			t.Errorf("%+v", got)
		}
	})
}

// TestReplayOfWhoIsGone has who asked leave when the deliveries are counted, but not
// committed: there is no count that could be taken for what was done.
func TestReplayOfWhoIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(soon)
		release := g.hold(t)
		ctx, cancel := context.WithCancel(t.Context())
		type answer struct {
			n   int64
			err error
		}
		done := make(chan answer)
		go func() {
			n, err := g.q.Replay(ctx, Selection{Keys: keys(e)})
			done <- answer{n, err}
		}()
		time.Sleep(soon)
		// Written with it, so that it is not committed before released is closed.
		counted, released := make(chan struct{}), make(chan struct{})
		g.q.writer.submit(t.Context(), &change{run: func(*tx) error {
			close(counted)
			<-released
			return nil
		}})
		release()
		<-counted
		cancel()
		if a := <-done; a.n != 0 || !errors.Is(a.err, context.Canceled) {
			t.Errorf("%d were replayed, %v", a.n, a.err)
		}
		close(released)
		time.Sleep(idleDelay + soon) // the worker may have looked for it too early
		r.wants(t, "1", "1")
	})
}

// TestReplayWhilePaused keeps a replay until there is a resume.
func TestReplayWhilePaused(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(soon)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.wantReplayed(t, Selection{Keys: keys(e)}, 1)
		time.Sleep(time.Hour)
		r.wants(t, "1")
		if n := g.status(t, "a").Backlog; n != 1 {
			t.Errorf("the backlog is %d", n)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(soon)
		r.wants(t, "1", "1")
	})
}

func TestDeadLetters(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		a := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			return Result{Status: 500 + d.Attempt, Excerpt: []byte("oops " + d.ID)}
		}}
		b := &receiver{answer: answers(410)}
		da, db := newDestination("a", a.deliver), newDestination("b", b.deliver)
		da.Attempts, da.Backoff = 3, Backoff{time.Millisecond, time.Millisecond}
		g := start(t, s, da, db)
		events := newEvents(5)
		for i, e := range events {
			g.keep(t, e)
			eventually(t, "its death", func() bool { return g.status(t, "a").DeadLetters == int64(i+1) })
		}
		ctx := t.Context()
		list := func(destination string, limit int) (ids []string) {
			t.Helper()
			dead, err := g.q.DeadLetters(ctx, destination, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range dead {
				ids = append(ids, d.Destination+d.EventID)
				if d.Body != nil {
					t.Error("there is a body")
				}
			}
			return ids
		}
		if got := list("a", 100); !slices.Equal(got, []string{"a4", "a3", "a2", "a1", "a0"}) {
			t.Error(got)
		}
		if got := list("b", 2); !slices.Equal(got, []string{"b4", "b3"}) {
			t.Error(got)
		}
		if got := list("", 100); len(got) != 10 {
			t.Error(got)
		}
		if got := list("nobody", 100); len(got) != 0 {
			t.Error(got)
		}
		dead, err := g.q.DeadLettersOf(ctx, events[2].Key)
		if err != nil || len(dead) != 2 {
			t.Fatal(dead, err)
		}
		d := dead[0]
		if d.ID != events[2].Key.String() || d.Destination != "a" || d.Provider != "test" || d.EventID != "2" || d.Type != "message.created" ||
			d.Attempts != 3 || d.LastStatus != 503 || d.LastError != "answered 503" || d.Excerpt != "oops 2" ||
			!d.Received.Equal(events[2].Received.Truncate(time.Microsecond)) || d.Died.Before(d.Received) || time.Since(d.Died) > time.Minute ||
			string(d.Body) != string(events[2].Body) {
			t.Errorf("%+v", d)
		}
		if dead[1].Destination != "b" || dead[1].LastStatus != 410 || dead[1].Attempts != 1 {
			t.Errorf("%+v", dead[1])
		}
		if _, err := g.q.DeadLettersOf(ctx, newEvent("unknown", "").Key); !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}

		// Discarding.
		discard := func(s Selection, want int64) {
			t.Helper()
			if n, err := g.q.Discard(ctx, s); err != nil || n != want {
				t.Errorf("%d were discarded, %v, want %d", n, err, want)
			}
		}
		discard(Selection{Keys: keys(events[0], events[1]), Destination: "a"}, 2)
		discard(Selection{Keys: keys(events[0])}, 1)
		for _, s := range []Selection{{Keys: keys(events[2], events[0])}, {Keys: keys(events[0]), Destination: "a"}} {
			if n, err := g.q.Discard(ctx, s); !errors.Is(err, ErrUnknown) || n != 0 {
				t.Error(n, err)
			}
		}
		if got := list("", 100); len(got) != 7 {
			t.Error(got)
		}
		discard(Selection{Dead: true, Destination: "b"}, 4)

		// Replaying gives them all their attempts again.
		a.respond(func(_ context.Context, d *Delivery) Result {
			if d.Attempt < 3 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		})
		before := len(a.all())
		g.wantReplayed(t, Selection{Keys: keys(events[2])}, 2) // b gets it as well
		g.wantReplayed(t, Selection{Dead: true, Destination: "a"}, 2)
		g.drain(t, "a")
		got := a.all()[before:]
		if len(got) != 9 {
			t.Errorf("%d attempts: %+v", len(got), got)
		}
		for _, r := range got {
			if !r.replay || r.attempt > 3 {
				t.Errorf("%+v", r)
			}
		}
		if st := g.status(t, "a"); st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}
		eventually(t, "its other death", func() bool { return g.status(t, "b").DeadLetters == 1 })
		discard(Selection{Dead: true}, 1)
		discard(Selection{Dead: true}, 0)
	})
}

// TestDeadLetterOfAForgottenKey shows that a dead letter can be reached by its key
// although another event has it by now.
func TestDeadLetterOfAForgottenKey(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(410)}
		g := start(t, s, newDestination("a", r.deliver))
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(2 * time.Hour)
		r.respond(answers(200))
		wantAccepted(t, g.keep(t, newEvent("1", "")), true)
		time.Sleep(soon)
		dead, err := g.q.DeadLettersOf(t.Context(), e.Key)
		if err != nil || len(dead) != 1 {
			t.Fatal(dead, err)
		}
		if n, err := g.q.Discard(t.Context(), Selection{Keys: keys(e)}); err != nil || n != 1 {
			t.Error(n, err)
		}
		if n, err := g.q.Discard(t.Context(), Selection{Keys: keys(e)}); !errors.Is(err, ErrUnknown) || n != 0 {
			t.Error(n, err)
		}
	})
}

// TestStatus compares what is told with what is, through all that changes it.
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
				if _, err := g.g.Store(t.Context(), []*Event{e}); err != nil {
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
