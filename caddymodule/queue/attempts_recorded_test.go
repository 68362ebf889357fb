package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pastOf returns the attempts at an event that are remembered, as lines.
func (g *gateway) pastOf(t testing.TB, name string, seq int64) (lines []string) {
	t.Helper()
	all, err := g.q.attemptsOf(context.Background(), seq)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all[name] {
		line := fmt.Sprint(a.Attempt, " ", a.Outcome, " ", a.Status)
		if a.Replay {
			line += " replay"
		}
		for _, text := range []string{a.Error, a.Excerpt} {
			if text != "" {
				line += ", " + text
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// wantPast waits until these attempts at an event are remembered.
func (g *gateway) wantPast(t testing.TB, name string, seq int64, want ...string) {
	t.Helper()
	var got []string
	defer func() {
		if t.Failed() {
			t.Logf("attempts: %q, want %q", got, want)
		}
	}()
	eventually(t, "the attempts", func() bool {
		got = g.pastOf(t, name, seq)
		return slices.Equal(got, want)
	})
}

// TestPastAttempts follows events through all that can become of an attempt.
func TestPastAttempts(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
			switch {
			case d.ID == "gone":
				return Result{Status: 410, Excerpt: []byte("bye")}
			case d.ID == "retried" && d.Attempt < 3, d.ID == "dead" && !d.Replay:
				return Result{Status: 500, Excerpt: []byte("\xffsorry\x00")}
			case d.ID == "broken" && d.Attempt == 1:
				return Result{Err: errors.New("connection refused")}
			case d.ID == "slow":
				return slow(50*time.Millisecond)(ctx, d)
			}
			return Result{Status: 202, Excerpt: []byte("thanks")}
		}}
		d := newDestination("a", r.deliver)
		d.Attempts = 3
		other := newDestination("b", new(receiver).deliver)
		g := start(t, s, d, other)
		events := make(map[string]*Event)
		for i, id := range []string{"delivered", "gone", "retried", "dead", "broken", "slow"} {
			e := newEvent(id, "")
			events[id] = e
			g.keep(t, e)
			// They are in several blocks of the log.
			g.keep(t, newEvents(100 * (i + 1))[100*i:]...)
		}
		g.drain(t, "a")
		const sorry = "\uFFFDsorry\uFFFD"
		want := func(g *gateway) {
			t.Helper()
			g.wantPast(t, "a", events["delivered"].Seq, "1 delivered 202")
			g.wantPast(t, "a", events["gone"].Seq, "1 dead_letter 410, answered 410, bye")
			g.wantPast(t, "a", events["retried"].Seq, "1 retry 500, answered 500, "+sorry, "2 retry 500, answered 500, "+sorry, "3 delivered 202")
			g.wantPast(t, "a", events["broken"].Seq, "1 retry 0, connection refused", "2 delivered 202")
			for _, e := range events {
				g.wantPast(t, "b", e.Seq, "1 delivered 200")
			}
		}
		want(g)
		dead := []string{"1 retry 500, answered 500, " + sorry, "2 retry 500, answered 500, " + sorry, "3 dead_letter 500, answered 500, " + sorry}
		g.wantPast(t, "a", events["dead"].Seq, dead...)
		g.wantReplayed(t, Selection{Dead: true}, 2)
		dead = append(dead, "1 delivered 202 replay")
		g.wantPast(t, "a", events["dead"].Seq, dead...)
		g.wantPast(t, "a", events["gone"].Seq, "1 dead_letter 410, answered 410, bye", "1 dead_letter 410 replay, answered 410, bye")
		g.wantPast(t, "nobody", events["dead"].Seq)
		g.wantPast(t, "a", 100_000)

		slow, err := g.q.attemptsOf(t.Context(), events["slow"].Seq)
		if err != nil || len(slow["a"]) != 1 {
			t.Fatal(slow, err)
		}
		a := slow["a"][0]
		if a.Took < 50*time.Millisecond || a.Took > 10*time.Second || a.TookMS != float64(a.Took)/1e6 ||
			a.Began.Before(events["slow"].Received.Truncate(time.Microsecond)) || a.Began.After(time.Now().Add(-a.Took)) {
			t.Errorf("%+v, and it came in at %s", a, events["slow"].Received)
		}

		// Another program reads the same.
		g.stop(t)
		g = start(t, s, d, other)
		g.wantPast(t, "a", events["delivered"].Seq, "1 delivered 202")
		g.wantPast(t, "a", events["dead"].Seq, dead...)
		g.stop(t)
		if report := check(t, s); len(report.Problems) > 0 {
			t.Errorf("%q", report.Problems)
		}
	})
}

// TestPastAttemptsThatWereCutShort shows what is remembered of attempts that a stop
// cancels, and those of a gateway that crashed.
func TestPastAttemptsThatWereCutShort(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		hang := func(ctx context.Context, d *Delivery) Result {
			if d.ID == "fine" {
				return Result{Status: 200}
			}
			<-ctx.Done()
			return Result{Err: errors.New("cut short")}
		}
		d := newDestination("a", hang)
		d.Attempts = 2
		g := start(t, s, d)
		cut, fine := newEvent("cut", ""), newEvent("fine", "")
		g.keep(t, cut, fine)
		time.Sleep(soon)
		g.wantPast(t, "a", cut.Seq)
		g.wantPast(t, "a", fine.Seq, "1 delivered 200")

		after := &receiver{answer: hang}
		crashed := start(t, g.crash(t), newDestination("a", after.deliver))
		time.Sleep(soon)
		crashed.wantPast(t, "a", cut.Seq)
		crashed.wantPast(t, "a", fine.Seq, "1 delivered 200")
		if len(after.of("cut")) != 1 {
			t.Error(after.ids())
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 { // the second is the last one
			before := g.g
			g.serve(d)
			before.stop(stopped)
			time.Sleep(soon)
		}
		g.wantPast(t, "a", cut.Seq, "1 handed_back 0, cut short", "2 dead_letter 0, the gateway stopped during the last attempt")
	})
}

// TestNoAttempt shows that an event that dies without an attempt has none.
func TestNoAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		d := newDestination("a", slow(time.Hour))
		d.Timeout, d.Attempts = 2*time.Hour, 1
		g := start(t, s, d)
		e := newEvent("1", "")
		g.keep(t, e)
		time.Sleep(soon)
		crashed := start(t, g.crash(t), d)
		time.Sleep(soon)
		if n := crashed.status(t, "a").DeadLetters; n != 1 {
			t.Errorf("there are %d dead letters", n)
		}
		crashed.wantPast(t, "a", e.Seq)
	})
}

// TestPastAttemptsSurviveTrouble has writes fail while attempts end: they are
// remembered once, in their order.
func TestPastAttemptsSurviveTrouble(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: func(_ context.Context, d *Delivery) Result {
			time.Sleep(150 * time.Millisecond)
			if n, _ := strconv.Atoi(d.ID); n%3 == 0 && d.Attempt < 3 {
				return Result{Status: 500}
			}
			return Result{Status: 200}
		}}
		g := start(t, quietly(s), newDestination("a", r.deliver))
		events := newEvents(300)
		g.keep(t, events...)
		for range 5 {
			time.Sleep(90 * time.Millisecond)
			g.trouble(t, true)
			time.Sleep(2500 * time.Millisecond)
			g.trouble(t, false)
		}
		time.Sleep(time.Minute)
		for i, e := range events {
			if i%3 == 0 {
				g.wantPast(t, "a", e.Seq, "1 retry 500, answered 500", "2 retry 500, answered 500", "3 delivered 200")
			} else {
				g.wantPast(t, "a", e.Seq, "1 delivered 200")
			}
		}
	})
}

// TestLostLeaseWritesNoAttempts has a gateway write under a lease that it has lost.
func TestLostLeaseWritesNoAttempts(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s, newDestination("a", new(receiver).deliver), newDestination("b", new(receiver).deliver))
		g.keep(t, newEvents(1)...)
		g.wantPast(t, "a", 1, "1 delivered 200")
		g.wantPast(t, "b", 1, "1 delivered 200")
		lease := g.number(t, `SELECT lease FROM webhooks_destinations WHERE name = 'a'`)
		for _, c := range []struct {
			lease int64
			lost  bool
			want  []string
		}{
			{lease - 1, true, []string{"1 delivered 200"}},
			{lease, false, []string{"1 delivered 200", "9 dead_letter 0, late"}},
		} {
			p := &progress{name: "a", lease: c.lease, timeline: g.q.currentEra().timeline, position: 1, begun: 1, latest: latest{failed: 7, text: "late"}}
			p.attemptsAt(0).add(endedAttempt{number: 9, began: someTime, outcome: OutcomeDead, error: "late"})
			if err := g.q.writer.do(t.Context(), &change{progress: p}); err != nil || p.lost != c.lost {
				t.Errorf("lease %d: %v, lost: %t", c.lease, err, p.lost)
			}
			g.wantPast(t, "a", 1, c.want...)
			if got := g.status(t, "a").LastError; (got == "late") == c.lost {
				t.Errorf("lease %d: the last error is %q", c.lease, got)
			}
		}
	})
}

func TestErrorsWithoutLocalAddress(t *testing.T) {
	for text, want := range map[string]string{
		"read tcp 127.0.0.1:45678->127.0.0.1:80: read: connection reset by peer":          "read tcp 127.0.0.1:80: read: connection reset by peer",
		"proxying: write tcp6 [::1]:45678->[::1]:80: write: broken pipe":                  "proxying: write tcp6 [::1]:80: write: broken pipe",
		"lookup crm on 192.0.2.7:53: read udp 192.0.2.5:45678->192.0.2.7:53: i/o timeout": "lookup crm on 192.0.2.7:53: read udp 192.0.2.7:53: i/o timeout",
		"dial tcp 127.0.0.1:80: connect: connection refused":                              "dial tcp 127.0.0.1:80: connect: connection refused",
		"a -> b":                        "a -> b",
		"tcp " + strings.Repeat("x", 5): "tcp xxxxx",
		"read tcp [fe80::1%eth0]:45678->[fe80::2%eth0]:80: EOF": "read tcp [fe80::2%eth0]:80: EOF",
	} {
		if got := (Result{Err: errors.New(text)}).text(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
