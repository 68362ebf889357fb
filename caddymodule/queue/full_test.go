package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestFull(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		events := newEvents(101)
		s.Size = 0
		for _, e := range events[:100] {
			s.Size += e.size()
		}
		r := &receiver{answer: answers(500)}
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, events[:100]...)
		if _, err := g.g.store(context.Background(), events[100:101]); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if err := g.q.Ready(t.Context()); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		r.respond(answers(200))
		eventually(t, "room", func() bool { return g.q.Ready(t.Context()) == nil })
		eventually(t, "an event that is accepted again", func() bool {
			_, err := g.g.store(context.Background(), events[100:101])
			if err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			return err == nil
		})
		// A request that never fits gets ErrFull, and changes nothing.
		if _, err := g.g.store(context.Background(), newEvents(101)); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		g.drain(t, "a")
		if n := len(r.counts()); n != 101 {
			t.Errorf("%d events came", n)
		}
	})
}

// TestFullNeighbour shows that an event that finds no room leaves what is left to
// a smaller one.
func TestFullNeighbour(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 10_000
		g := start(t, s)
		large, small := newEvent("large", ""), newEvent("small", "")
		large.Body = make([]byte, 20_000)
		release := g.hold(t)
		time.AfterFunc(time.Second, release)
		_, errs := storeAll(g.g, []*Event{large, small})
		if !errors.Is(errs[0], ErrFull) || errs[1] != nil {
			t.Error(errs)
		}
	})
}

// TestFullOfUndelivered shows that they fill it, hold out for ever, and make room
// when they are delivered.
func TestFullOfUndelivered(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 100 * big("0").size()
		s.Retention = 10 * time.Minute
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		stored := 0
		for ; ; stored++ {
			if _, err := g.g.store(t.Context(), []*Event{big(fmt.Sprint(100 + stored))}); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if stored < 98 || stored > 100 {
			t.Errorf("%d found room", stored)
		}
		time.Sleep(time.Hour)
		if _, err := g.g.store(t.Context(), []*Event{big("x")}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		wantAccepted(t, g.keep(t, big("x")), true)
		time.Sleep(soon)
		r.wantEachOnce(t, stored+1)
	})
}

// TestFullOfDeferred is about events that all were tried: room is made as soon
// as they are delivered, although no destination gets on in the log.
func TestFullOfDeferred(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 30 * big("0").size()
		r := &receiver{answer: func(context.Context, *Delivery) Result {
			time.Sleep(time.Second)
			return Result{Status: 500}
		}}
		d := newDestination("a", r.deliver)
		d.Concurrency, d.Backoff = 100, Backoff{time.Hour, time.Hour}
		g := start(t, s, d)
		var events []*Event
		for i := range 29 {
			events = append(events, big(fmt.Sprint(100+i)))
		}
		g.keep(t, events...)
		time.Sleep(10 * time.Minute)
		if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries`); n != 29 {
			t.Fatalf("there are %d deferred deliveries", n)
		}
		if _, err := g.g.store(t.Context(), []*Event{big("x"), big("y")}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		r.respond(answers(200))
		if _, err := g.q.Replay(t.Context(), Selection{Keys: keys(events[0])}); err != nil { // as an operator may
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if n := g.o.count(OutcomeDelivered); n != 29 {
			t.Errorf("%d were delivered", n)
		}
		wantAccepted(t, g.keep(t, big("x"), big("y")), true, true)
	})
}

// TestDiskFull has SQLite find no room for another page.
func TestDiskFull(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		g.keep(t, newEvent("before", ""))
		pages := func(n int) {
			t.Helper()
			if err := g.q.do(func(t *tx) error { return t.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, n)) }); err != nil {
				t.Fatal(err)
			}
		}
		pages(1) // that is, no more than there are
		large := newEvent("large", "")
		large.Body = make([]byte, 100_000)
		for range 3 {
			if _, err := g.g.store(t.Context(), []*Event{large}); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
		}
		time.Sleep(soon)
		pages(1 << 30)
		wantAccepted(t, g.keep(t, large), true)
		time.Sleep(soon)
		r.wants(t, "before", "large")
	})
}

// TestDiskFullAtCommit has the COMMIT fail, and not a statement before it.
func TestDiskFullAtCommit(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		waitDeclared(t, g.g)
		if err := g.q.do(func(t *tx) error {
			if err := t.exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
				return err
			}
			return t.exec(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
				VALUES (1, 'nobody', '', 0, 0, 0, 0, 0, '', '', 0, 0)`)
		}); err == nil {
			t.Fatal("the commit did not fail")
		}
		wantAccepted(t, g.keep(t, newEvent("1", "")), true)
		if n := g.number(t, `SELECT count(*) FROM webhooks_deliveries`); n != 0 {
			t.Error("half of it was written")
		}
	})
}

// TestFileIsBounded puts many times its size through the queue, and looks how much
// of the disk that takes.
func TestFileIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 4 << 20
		g := start(t, s, newDestination("a", new(receiver).deliver))
		body := make([]byte, 4000)
		n, most, wal := 0, int64(0), int64(0)
		for n < 6000 { // three times its size
			events := make([]*Event, 20)
			for i := range events {
				n++
				events[i] = newEvent(fmt.Sprint(n), "")
				events[i].Body, events[i].Window = body[:n*7%4000+1], time.Minute
			}
			if _, err := g.g.store(t.Context(), events); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			} else if err != nil {
				n -= len(events)
			}
			time.Sleep(100 * time.Millisecond)
			most = max(most, g.number(t, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`))
			wal = max(wal, sizeOf(t, s.File+"-wal"))
		}
		if limit := s.Size / 10 * 16; most > limit {
			t.Errorf("the file had %d bytes, want at most %d", most, limit)
		}
		if wal > 40<<20 {
			t.Errorf("the WAL had %d bytes", wal)
		}
		t.Logf("the file had %d bytes and the WAL %d, for %d", most, wal, s.Size)
		g.wantBytes(t)
	})
}
