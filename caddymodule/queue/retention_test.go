package queue

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"
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
		written := func() {
			t.Helper()
			eventually(t, "that it is written how far it is", func() bool {
				return g.number(t, `SELECT position FROM webhooks_destinations`) == g.q.head()
			})
		}
		add(9)
		written()
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
			written()
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
