package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
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

// TestReplayOfWhoIsGone has a client leave when the deliveries are counted, but not
// committed: it gets no count.
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
