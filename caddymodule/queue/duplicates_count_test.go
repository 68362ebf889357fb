package queue

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// duplicatesOf returns how often the event of a key came again, and when last.
func (g *gateway) duplicatesOf(t testing.TB, key envelope.Key) (n int64, last time.Time) {
	t.Helper()
	if err := g.q.store.query(context.Background(), `SELECT duplicates, last_duplicate FROM webhooks_keys WHERE key = $1`, []any{key[:]},
		func(rows *sql.Rows) error {
			var micros int64
			err := rows.Scan(&n, &micros)
			last = g.q.store.timeOrZero(micros)
			return err
		}); err != nil {
		t.Fatal(err)
	}
	return n, last
}

// wantDuplicates waits until the event of a key is known to have come again so often.
func (g *gateway) wantDuplicates(t testing.TB, e *Event, want int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d duplicates of %s", want, e.ID), func() bool {
		n, _ := g.duplicatesOf(t, e.Key)
		return n == want
	})
}

func TestDuplicatesAreCounted(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		e, other := newEvent("1", ""), newEvent("2", "")
		g.keep(t, e, other, newEvent("2", ""))
		if n, last := g.duplicatesOf(t, e.Key); n != 0 || !last.IsZero() {
			t.Errorf("%d, the last at %s", n, last)
		}
		for range 5 {
			g.keep(t, newEvent("1", ""))
		}
		again := newEvent("1", "")
		g.keep(t, again)
		g.wantDuplicates(t, e, 6)
		g.wantDuplicates(t, other, 1)
		if _, last := g.duplicatesOf(t, e.Key); last.Sub(again.Received).Abs() > time.Second {
			t.Errorf("the last came at %s, want %s", last, again.Received)
		}

		// What is not written yet is written when the queue is closed.
		g.keep(t, newEvent("1", ""), newEvent("2", ""))
		g.stop(t)
		g = start(t, s)
		g.wantDuplicates(t, e, 7)
		g.wantDuplicates(t, other, 2)

		// A key that is not there any more has no count.
		g.keep(t, newEvent("1", ""))
		if err := g.q.do(func(tx *tx) error { return tx.exec(`DELETE FROM webhooks_keys`) }); err != nil {
			t.Fatal(err)
		}
		g.keep(t, newEvent("3", ""), newEvent("3", ""))
		g.wantDuplicates(t, newEvent("3", ""), 1)
		if n := g.number(t, `SELECT count(*) FROM webhooks_keys`); n != 1 {
			t.Errorf("there are %d keys", n)
		}
	})
}

// TestDuplicatesBeginAgain shows that an event whose key was forgotten has no
// duplicates yet, whether those of the event before were written or not.
func TestDuplicatesBeginAgain(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		again := func(window time.Duration) *Event {
			e := newEvent("1", "")
			e.Window = window
			return e
		}
		e := again(300 * time.Millisecond)
		wantAccepted(t, g.keep(t, e, again(time.Hour), again(time.Hour)), true, false, false)
		time.Sleep(400 * time.Millisecond) // they are not written yet
		wantAccepted(t, g.keep(t, again(3*time.Second)), true)
		wantAccepted(t, g.keep(t, again(time.Hour)), false)
		g.wantDuplicates(t, e, 1)
		time.Sleep(3 * time.Second)
		wantAccepted(t, g.keep(t, again(time.Hour)), true)
		if n, last := g.duplicatesOf(t, e.Key); n != 0 || !last.IsZero() {
			t.Errorf("%d, the last at %s", n, last)
		}
	})
}

// TestDuplicatesOfTroubledTimes has the writes of counts fail.
func TestDuplicatesOfTroubledTimes(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, quietly(s))
		e := newEvent("1", "")
		g.keep(t, e, newEvent("1", ""))
		if err := g.q.do(func(tx *tx) error {
			return tx.exec(`CREATE TRIGGER webhooks_trouble BEFORE UPDATE OF duplicates ON webhooks_keys BEGIN SELECT RAISE(FAIL, 'trouble'); END`)
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		g.keep(t, newEvent("1", ""), newEvent("2", ""), newEvent("2", ""))
		time.Sleep(10 * time.Second)
		if err := g.q.do(func(tx *tx) error { return tx.exec(`DROP TRIGGER webhooks_trouble`) }); err != nil {
			t.Fatal(err)
		}
		g.wantDuplicates(t, e, 2)
		g.wantDuplicates(t, newEvent("2", ""), 1)
	})
}

// TestManyDuplicates shows that counts are bounded, and written step by step.
func TestManyDuplicates(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		time.Sleep(2 * pressureInterval) // the first sweep
		const events = maxDuplicates + 100
		for range 3 {
			all := newEvents(events)
			for i := 0; i < events; i += 100 {
				g.keep(t, all[i:i+100]...)
			}
		}
		time.Sleep(indexDelay + indexDelay/2) // the index
		before := g.q.Commits()
		const rounds = maxDuplicates / duplicatesAtOnce
		time.Sleep((rounds + 1) * duplicatesInterval)
		if n := g.q.Commits() - before; n != rounds {
			t.Errorf("%d transactions, want %d", n, rounds)
		}
		if n := g.number(t, `SELECT sum(duplicates) FROM webhooks_keys`); n != 2*maxDuplicates {
			t.Errorf("%d duplicates were counted", n)
		}
	})
}

// TestDuplicatesOfGateways has gateways that share a queue get the same events again
// and again: their counts add up, and they do not hold each other up.
func TestDuplicatesOfGateways(t *testing.T) {
	t.Parallel()
	gateways := share(t, sharedServer.database(t), 2)
	gateways[0].keep(t, newEvents(50)...)
	const rounds = 40
	var wg sync.WaitGroup
	for _, g := range gateways {
		for range 2 {
			wg.Go(func() {
				for range rounds {
					if _, err := g.g.store(t.Context(), newEvents(50)); err != nil {
						t.Error(err)
					}
					time.Sleep(20 * time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	for _, e := range newEvents(50) {
		gateways[0].wantDuplicates(t, e, 4*rounds)
	}
}
