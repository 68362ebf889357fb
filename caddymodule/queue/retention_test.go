package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// bodies returns the ids of the events that are kept, oldest first.
func (g *gateway) bodies(t testing.TB) (ids []string) {
	t.Helper()
	if err := g.q.store.query(context.Background(), `SELECT event_id FROM webhooks_events WHERE body IS NOT NULL ORDER BY seq`, nil, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// wantBytes fails the test unless what is said to be taken is what is there.
func (g *gateway) wantBytes(t testing.TB) {
	t.Helper()
	eventually(t, "agreement about what is taken", func() bool {
		said := g.number(t, `SELECT bytes FROM webhooks_queue`)
		n := g.number(t, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM (SELECT size FROM webhooks_events UNION ALL SELECT size FROM webhooks_requests) AS all_of_it`)
		return n == said && n == g.q.writer.bytes.Load()
	})
}

// big returns an event with a body of 10,000 bytes.
func big(id string) *Event {
	e := newEvent(id, "")
	e.Body = make([]byte, 10_000)
	return e
}

func TestRetentionByAge(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = 2 * time.Hour
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.ID == "bad" {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		a, b := newDestination("a", r.deliver), newDestination("b", new(receiver).deliver)
		a.Attempts, a.Backoff = 1000, Backoff{time.Hour, time.Hour}
		g := start(t, s, a, b)
		waitDeclared(t, g.g)
		old, bad, remembered := newEvent("old", ""), newEvent("bad", ""), newEvent("remembered", "")
		remembered.Window = 6 * time.Hour
		g.keep(t, old, bad, remembered)
		time.Sleep(time.Hour)
		g.keep(t, newEvent("young", ""))
		time.Sleep(58 * time.Minute)
		if got := g.bodies(t); len(got) != 4 {
			t.Errorf("%v are kept", got)
		}
		time.Sleep(4 * time.Minute)
		if got := g.bodies(t); !slices.Equal(got, []string{"bad", "young"}) {
			t.Errorf("%v are kept", got)
		}
		g.wantBytes(t)
		// The key of one is forgotten, that of the other one is not.
		wantAccepted(t, g.keep(t, newEvent("old", ""), newEvent("remembered", ""), newEvent("bad", "")), true, false, true)
		time.Sleep(6 * time.Hour)
		if got := g.bodies(t); !slices.Equal(got, []string{"bad", "bad"}) {
			t.Errorf("%v are kept", got)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 2 {
			t.Errorf("there are %d events", n)
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_keys`); n != 1 {
			t.Errorf("there are %d keys", n)
		}
		wantAccepted(t, g.keep(t, newEvent("remembered", "")), true)
		g.wantBytes(t)
	})
}

// TestUndeliveredNeverExpires has events wait for what holds them up, far longer
// than anything is kept.
func TestUndeliveredNeverExpires(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = 10 * time.Minute
		r := new(receiver)
		d := newDestination("a", r.deliver)
		g := start(t, s, d, newDestination("b", new(receiver).deliver))
		waitDeclared(t, g.g)
		if err := g.q.Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvents(500)...)
		time.Sleep(30 * time.Minute)
		// Nor while its name is away.
		g.reload(t, newDestination("b", new(receiver).deliver))
		g.keep(t, newEvent("gap", ""))
		time.Sleep(30 * time.Minute)
		if n := len(g.bodies(t)); n != 500 {
			t.Errorf("%d are kept", n)
		}
		g.reload(t, d)
		if err := g.q.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		r.wantEachOnce(t, 500)
		time.Sleep(2 * time.Minute)
		if n := len(g.bodies(t)); n != 0 {
			t.Errorf("%d are kept", n)
		}
		g.wantBytes(t)
	})
}

// TestRetentionBySize shows that from 90 % on the oldest delivered events go, and
// that their keys stay.
func TestRetentionBySize(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		s.Size = 100 * big("0").size()
		g := start(t, s, newDestination("a", new(receiver).deliver))
		var events []*Event
		add := func(n int) {
			t.Helper()
			for range n {
				e := big(fmt.Sprint(100 + len(events)))
				events = append(events, e)
				g.keep(t, e)
			}
			g.drain(t, "a")
		}
		sweep := func() {
			t.Helper()
			destinations, err := g.q.store.destinations(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.q.sweep(t.Context(), g.q.currentEra(), destinations); err != nil {
				t.Fatal(err)
			}
			if g.q.isShort() {
				t.Error("there is no room after a sweep")
			}
		}
		add(89)
		sweep()
		if n := len(g.bodies(t)); n != 89 {
			t.Fatalf("%d are kept", n)
		}
		add(9)
		time.Sleep(2 * commitInterval) // until it is written how far it is
		sweep()
		kept := g.bodies(t)
		if len(kept) < 85 || len(kept) > 90 || !slices.Contains(kept, events[97].ID) || kept[0] != events[98-len(kept)].ID {
			t.Errorf("%d are kept: %v", len(kept), kept)
		}
		for i := range 10 {
			wantAccepted(t, g.keep(t, big(events[i].ID)), false)
		}
		g.wantBytes(t)
		// That is so for as long as it goes on.
		for range 5 {
			add(10)
			time.Sleep(2 * commitInterval)
			sweep()
		}
		if kept := g.bodies(t); len(kept) < 50 || kept[len(kept)-1] != events[len(events)-1].ID {
			t.Errorf("%d are kept: %v", len(kept), kept)
		}
		wantAccepted(t, g.keep(t, big(events[0].ID)), false)
		g.wantBytes(t)
	})
}

// TestDeadLettersAreBounded shows that they may take a quarter of the room.
func TestDeadLettersAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Size = 100 * big("0").size()
		r := &receiver{answer: answers(410)}
		g := start(t, s, newDestination("a", r.deliver))
		for i := range 40 {
			g.keep(t, big(fmt.Sprint(100+i)))
			time.Sleep(soon)
		}
		time.Sleep(sweepInterval)
		dead, err := g.q.DeadLetters(t.Context(), "a", 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(dead) < 24 || len(dead) > 25 || dead[0].EventID != "139" || dead[len(dead)-1].EventID != fmt.Sprint(140-len(dead)) {
			t.Errorf("there are %d: %v", len(dead), dead)
		}
		if got := g.o.lines("discarded"); len(got) != 1 || got[0] != fmt.Sprintf("a discarded %d", 40-len(dead)) {
			t.Error(got)
		}
		// They hold their events, and let go of them.
		if n := g.status(t, "a").DeadLetters; n != int64(len(dead)) {
			t.Errorf("there are %d", n)
		}
		if n, err := g.q.Discard(t.Context(), Selection{Dead: true}); err != nil || n != int64(len(dead)) {
			t.Error(n, err)
		}
	})
}

// TestDeadLettersAge shows that they are kept as long as what was delivered,
// counted from their death.
func TestDeadLettersAge(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = 4 * time.Hour
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 5, Backoff{2 * time.Hour, 2 * time.Hour}
		g := start(t, s, d)
		e := newEvent("1", "")
		g.keep(t, e)
		for g.status(t, "a").DeadLetters == 0 {
			time.Sleep(time.Minute)
		}
		died := time.Now()
		time.Sleep(3*time.Hour + 50*time.Minute)
		if dead, err := g.q.DeadLettersOf(t.Context(), e.Key); err != nil || len(dead[0].Body) == 0 || died.Sub(dead[0].Died) > 2*time.Minute {
			t.Errorf("%+v, %v", dead, err)
		}
		time.Sleep(15 * time.Minute)
		if n := g.status(t, "a").DeadLetters; n != 0 {
			t.Errorf("there are %d", n)
		}
		if got := g.o.lines("discarded"); !slices.Equal(got, []string{"a discarded 1"}) {
			t.Error(got)
		}
		time.Sleep(2 * time.Minute)
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 0 {
			t.Errorf("there are %d events", n)
		}
		g.wantBytes(t)
	})
}

// TestReplayDuringSweep shows that what is to be delivered again stays until it is.
func TestReplayDuringSweep(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = time.Hour
		r := new(receiver)
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{6 * time.Hour, 6 * time.Hour}
		g := start(t, s, d)
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(soon)
		r.respond(answers(500))
		g.wantReplayed(t, Selection{Keys: keys(e)}, 1)
		time.Sleep(2 * time.Hour)
		r.respond(answers(200))
		time.Sleep(5 * time.Hour)
		if got := r.all(); len(got) != 3 || got[2].attempt != 2 || !got[2].replay {
			t.Errorf("%+v", got)
		}
		if got := g.bodies(t); len(got) != 0 {
			t.Errorf("%v are kept", got)
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
			if _, err := g.g.Store(t.Context(), []*Event{big(fmt.Sprint(100 + stored))}); errors.Is(err, ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if stored < 98 || stored > 100 {
			t.Errorf("%d found room", stored)
		}
		time.Sleep(time.Hour)
		if _, err := g.g.Store(t.Context(), []*Event{big("x")}); !errors.Is(err, ErrFull) {
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
		if _, err := g.g.Store(t.Context(), []*Event{big("x"), big("y")}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
		r.respond(answers(200))
		if _, err := g.q.Replay(t.Context(), Selection{Keys: keys(events[0])}); err != nil { // as somebody may who is called
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if n := g.o.count(OutcomeDelivered); n != 29 {
			t.Errorf("%d were delivered", n)
		}
		wantAccepted(t, g.keep(t, big("x"), big("y")), true, true)
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
			if _, err := g.g.Store(t.Context(), events); err != nil && !errors.Is(err, ErrFull) {
				t.Fatal(err)
			} else if err != nil {
				n -= len(events)
			}
			time.Sleep(100 * time.Millisecond)
			most = max(most, g.number(t, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`))
			wal = max(wal, sizeOf(t, s.File+"-wal"))
		}
		if limit := s.Size / 10 * 16; most > limit {
			t.Errorf("the file had %d bytes, want %d at the most", most, limit)
		}
		if wal > 40<<20 {
			t.Errorf("the WAL had %d bytes", wal)
		}
		t.Logf("the file had %d bytes and the WAL %d, for %d", most, wal, s.Size)
		g.wantBytes(t)
	})
}

// TestForgetKeysTogether has two gateways remove the same keys, in more than one step.
func TestForgetKeysTogether(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	line := pgtest.NewProxy(t, sharedServer.server.Address())
	line.Delay(2 * time.Millisecond) // so that the steps of one come between those of the other
	gateways := []*gateway{start(t, postgresSettings(t, dsn)), start(t, postgresSettings(t, line.DSN(dsn)))}
	for range 3 {
		if err := gateways[0].q.do(func(tx *tx) error {
			if err := tx.exec(`INSERT INTO webhooks_keys (key, expires, seq) SELECT sha256(n::text::bytea), n % 7, n FROM generate_series(1, 3000) n`); err != nil {
				return err
			}
			return tx.exec(`INSERT INTO webhooks_expired_keys (expires, key) SELECT expires, key FROM webhooks_keys`)
		}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, g := range gateways {
			wg.Go(func() {
				if err := g.q.forgetKeys(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := gateways[0].number(t, `SELECT (SELECT count(*) FROM webhooks_keys) + (SELECT count(*) FROM webhooks_expired_keys)`); n != 0 {
			t.Fatalf("%d rows are left", n)
		}
	}
}
