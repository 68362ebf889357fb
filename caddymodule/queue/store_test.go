package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestAllOrNone shows that of a call whose events cannot all be stored none is.
func TestAllOrNone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		events := newEvents(3)
		events[1].Source = "\x00" // PostgreSQL has no text with it
		if s.Engine == SQLite {
			// SQLite takes any text, but not an event whose number is taken.
			if err := g.q.do(func(t *tx) error {
				return t.exec(`INSERT INTO webhooks_events (seq, key, source, provider, type, partition_key, event_id, received, expires, size, original, body)
					VALUES (2, x'00', '', '', '', '', '', 0, 0, 0, 0, x'00')`)
			}); err != nil {
				t.Fatal(err)
			}
		}
		if accepted, err := g.g.store(context.Background(), events); !errors.Is(err, ErrUnavailable) || accepted != nil {
			t.Fatalf("%v, %v", accepted, err)
		}
		if n := g.number(t, `SELECT (SELECT count(*) FROM webhooks_events WHERE seq <> 2) + (SELECT count(*) FROM webhooks_keys) + (SELECT last + bytes FROM webhooks_queue)`); n != 0 {
			t.Errorf("%d things were stored", n)
		}
	})
}

// TestBadNeighbour shows that what cannot be stored fails alone.
func TestBadNeighbour(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		g.keep(t, newEvent("before", ""))
		release := g.hold(t)
		time.AfterFunc(50*time.Millisecond, release)
		broken := errors.New("broken")
		events := newEvents(20)
		bad := make(chan error)
		go func() {
			if s.Engine == SQLite {
				bad <- g.q.do(func(*tx) error { return broken })
				return
			}
			e := newEvent("bad", "")
			e.Type = "message\xffcreated" // PostgreSQL has no such text
			_, err := g.g.store(context.Background(), []*Event{e})
			bad <- err
		}()
		begun := time.Now()
		accepted, errs := storeAll(g.g, events)
		if err := <-bad; err == nil {
			t.Error("the bad one was stored")
		}
		for i := range events {
			if errs[i] != nil || !accepted[i] {
				t.Errorf("%d: %t, %v", i, accepted[i], errs[i])
			}
		}
		if took := time.Since(begun); took > 900*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 21 {
			t.Errorf("there are %d events", n)
		}
	})
}

// TestNUL shows that a sender may choose any text.
func TestNUL(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, ordered("a", r.deliver))
		e := newEvent("i\x00d", "\x00")
		e.Type = "\x00"
		g.keep(t, e, newEvent("2", "\x00"))
		g.drain(t, "a")
		r.wants(t, "i\uFFFDd", "2")
	})
}

// TestOrderOfCommits shows that an event that comes after another was answered
// has a higher number.
func TestOrderOfCommits(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		var committed atomic.Int64
		var wg sync.WaitGroup
		for sender := range 8 {
			wg.Go(func() {
				for i := range 50 {
					before := committed.Load()
					e := newEvent(fmt.Sprintf("%d-%d", sender, i), "")
					if _, err := g.g.store(context.Background(), []*Event{e}); err != nil {
						t.Error(err)
						return
					}
					if e.Seq <= before {
						t.Errorf("%d comes after %d", e.Seq, before)
					}
					for seen := committed.Load(); seen < e.Seq && !committed.CompareAndSwap(seen, e.Seq); seen = committed.Load() {
					}
				}
			})
		}
		wg.Wait()
		if n := g.number(t, `SELECT count(DISTINCT seq) FROM webhooks_events`); n != 400 {
			t.Errorf("there are %d numbers", n)
		}
	})
}

// TestHeadNeverFalls shows that what is known of the log does not go back to what
// it was: the events in between would wait for the next one.
func TestHeadNeverFalls(t *testing.T) {
	w := newWriter(nil, new(budget), time.Now, nil, nil)
	e := newEra("")
	w.restart(e, logState{})
	w.note(e, logState{last: 7, bytes: 700})
	w.note(e, logState{last: 5, bytes: 500})
	if w.head.Load() != 7 || w.bytes.Load() != 700 {
		t.Errorf("the log ends at %d with %d bytes", w.head.Load(), w.bytes.Load())
	}
	w.note(e, logState{last: 7, bytes: 600}) // something was removed
	if w.bytes.Load() != 600 {
		t.Errorf("there are %d bytes", w.bytes.Load())
	}
	// A server that took over can have less, and whoever still asks the other one is
	// not heard.
	w.restart(newEra("2"), logState{last: 3, bytes: 300})
	w.note(e, logState{last: 8, bytes: 800})
	if w.head.Load() != 3 || w.bytes.Load() != 300 {
		t.Errorf("the log ends at %d with %d bytes", w.head.Load(), w.bytes.Load())
	}
}

func TestClosed(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		q := openQueue(t, s)
		g := q.serve(Service{Observer: new(watcher), Retention: s.Retention, Size: s.Size})
		waitDeclared(t, g)
		g.stop(t.Context())
		for range 2 {
			if err := q.close(); err != nil {
				t.Fatal(err)
			}
		}
		for range 300 { // more than may wait
			if _, err := g.store(t.Context(), newEvents(1)); !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
		}
	})
}

// TestStoreGivesUp shows that who is gone does not wait for a database that takes
// its time, however many wait already.
func TestStoreGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		waitDeclared(t, g.g)
		release := g.hold(t)
		defer release()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the client went away")
		events := newEvents(2 * maxGroup)
		results := make(chan error, len(events))
		for _, e := range events {
			go func() {
				_, err := g.g.store(ctx, []*Event{e})
				results <- err
			}()
		}
		synctest.Wait()
		cancel(gone)
		synctest.Wait()
		if len(results) != len(events) {
			t.Errorf("%d of %d have given up", len(results), len(events))
		}
		release()
		for range events {
			if err := <-results; !errors.Is(err, gone) {
				t.Fatal(err)
			}
		}
		// It may have been stored all the same, and is a duplicate then.
		time.Sleep(soon)
		stored := g.number(t, `SELECT count(*) FROM webhooks_events`)
		again := int64(0)
		for _, ok := range g.keep(t, newEvents(len(events))...) {
			if ok {
				again++
			}
		}
		if stored+again != int64(len(events)) {
			t.Errorf("%d of %d were stored, and then %d", stored, len(events), again)
		}
	})
}
