package queue

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// attemptRows returns the number of rows of attempts, and the bytes that they take.
func (g *gateway) attemptRows(t testing.TB) (rows, bytes int64) {
	t.Helper()
	return g.number(t, `SELECT count(*) FROM webhooks_attempts`), g.number(t, `SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM webhooks_attempts`)
}

// TestAttemptsAge shows that attempts go when they are older than the retention, also
// those at an event that is still there.
func TestAttemptsAge(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.Retention = 4 * time.Hour
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 6, Backoff{2 * time.Hour, 2 * time.Hour}
		g := start(t, s, d)
		g.keep(t, newEvents(1)...)
		time.Sleep(soon)
		g.wantPast(t, "a", 1, "1 retry 500, answered 500")
		time.Sleep(4*time.Hour - 2*time.Minute)
		if lines := g.pastOf(t, "a", 1); len(lines) < 3 || lines[0] != "1 retry 500, answered 500" {
			t.Errorf("%q", lines)
		}
		time.Sleep(4 * time.Minute)
		if lines := g.pastOf(t, "a", 1); len(lines) < 2 || lines[0] != "2 retry 500, answered 500" {
			t.Errorf("%q", lines)
		}
	})
}

// TestAttemptsGoWithTheirEvents shows that attempts of blocks in which no event is left
// are removed.
func TestAttemptsGoWithTheirEvents(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("a", new(receiver).deliver))
		g.keep(t, newEvents(700)...)
		g.drain(t, "a")
		g.wantPast(t, "a", 700, "1 delivered 200")
		sweep := func(delete string) {
			t.Helper()
			if err := g.q.do(func(tx *tx) error { return tx.exec(delete) }); err != nil {
				t.Fatal(err)
			}
			if err := g.q.sweepAttempts(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		sweep(`DELETE FROM webhooks_events WHERE seq < 511`)
		g.wantPast(t, "a", 1)
		g.wantPast(t, "a", 256)
		g.wantPast(t, "a", 257, "1 delivered 200") // their block has events left
		g.wantPast(t, "a", 700, "1 delivered 200")
		sweep(`DELETE FROM webhooks_events`)
		g.wantPast(t, "a", 257)
		g.wantPast(t, "a", 512)
		g.wantPast(t, "a", 700, "1 delivered 200") // the next event may be in this block
		g.keep(t, newEvent("new", ""))
		g.wantPast(t, "a", 701, "1 delivered 200")
	})
}

// TestAttemptsAreBounded shows that attempts take a tenth of the size at most, and that
// the oldest go first.
func TestAttemptsAreBounded(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		s.Size = 200_000
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			if d.Attempt < 20 {
				return Result{Status: 500, Excerpt: fmt.Appendf(nil, "%0500d", d.Attempt)}
			}
			return Result{Status: 200}
		}}
		d := newDestination("a", r.deliver)
		d.Backoff = Backoff{time.Millisecond, time.Millisecond}
		g := start(t, s, d)
		g.keep(t, newEvents(3)...)
		g.drain(t, "a")
		// 60 attempts of more than 500 bytes, of which the gateway may have removed some
		// by now.
		if err := g.q.sweepAttempts(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, bytes := g.attemptRows(t)
		if bytes > s.Size/attemptsShare || bytes < s.Size/attemptsShare*8/10 {
			t.Errorf("they take %d bytes in %d rows", bytes, rows)
		}
		for _, lines := range [][]string{g.pastOf(t, "a", 1), g.pastOf(t, "a", 2), g.pastOf(t, "a", 3)} {
			if len(lines) == 0 || len(lines) == 20 || lines[len(lines)-1] != "20 delivered 200" {
				t.Errorf("%q", lines)
			}
		}
	})
}

// TestManyAttemptsAreSwept shows that more rows are removed than one step takes.
func TestManyAttemptsAreSwept(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		g.keep(t, newEvents(1)...)
		fill := func(ended time.Time) {
			t.Helper()
			if err := g.q.do(func(tx *tx) error {
				var all []*attemptsRow
				for i := range 1700 {
					r := &attemptsRow{ended: tx.micros(ended)}
					r.add(endedAttempt{number: i + 1, status: 200, began: someTime, outcome: OutcomeDelivered})
					all = append(all, r)
				}
				return tx.insertAttempts("a", all)
			}); err != nil {
				t.Fatal(err)
			}
		}
		fill(time.Now().Add(-s.Retention - time.Minute))
		fill(time.Now().Add(-s.Retention + time.Hour))
		if err := g.q.sweepAttempts(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := g.attemptRows(t); n != 1700 {
			t.Errorf("%d are left", n)
		}
		if n := len(g.pastOf(t, "a", 1)); n != 1700 {
			t.Errorf("%d attempts are left", n)
		}
	})
}
