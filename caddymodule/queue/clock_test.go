package queue

import (
	"fmt"
	"testing"
	"time"
)

// skewed returns settings of a gateway whose clock is ahead by some time.
func skewed(s Settings, ahead time.Duration) Settings {
	s.Now = func() time.Time { return time.Now().Add(ahead) }
	return s
}

// receive returns an event that comes in at a gateway now, by its clock.
func (g *gateway) receive(id string, window time.Duration) *Event {
	e := newEvent(id, "")
	e.Received, e.Window = g.s.Now(), window
	return e
}

// TestSkewedClocks shares a queue between gateways whose clocks are right, ten minutes
// ahead and ten minutes behind: no event comes late or twice.
func TestSkewedClocks(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	r := &receiver{answer: answers(200)}
	d := newDestination("a", r.deliver)
	d.Backoff = Backoff{2 * time.Second, 2 * time.Second}
	dead := newDestination("dead", answers(410))
	dead.Attempts = 1
	// The first one works the destination, whichever it is.
	right := start(t, postgresSettings(t, dsn), d, dead)
	whoWorks(t, []*gateway{right}, "a")
	ahead := start(t, skewed(postgresSettings(t, dsn), 10*time.Minute), d)
	behind := start(t, skewed(postgresSettings(t, dsn), -10*time.Minute), d)
	all := []*gateway{right, ahead, behind}

	for i, one := range all {
		for j, other := range all {
			id := fmt.Sprint(i, "-", j)
			wantAccepted(t, one.keep(t, one.receive(id, 5*time.Minute)), true)
			wantAccepted(t, other.keep(t, other.receive(id, 5*time.Minute)), false)
		}
	}
	right.drain(t, "a")
	eventually(t, "that dead letters are written", func() bool { return right.status(t, "dead").DeadLetters == 9 })
	r.wantEachOnce(t, 9)

	for i, g := range all {
		begun := time.Now()
		g.wantReplayed(t, Selection{Keys: keys(newEvent("0-0", "")), Destination: "a"}, 1)
		eventually(t, "a replay", func() bool { return len(r.of("0-0")) == 2+i })
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("a replay took %v", took)
		}
	}

	letters, err := right.q.DeadLetters(t.Context(), "dead", 100)
	if err != nil || len(letters) != 9 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	for _, l := range letters {
		if since := time.Since(l.Received); since < -time.Second || since > 30*time.Second {
			t.Errorf("received %v ago", since)
		}
		if since := time.Since(l.Died); since < -time.Second || since > 30*time.Second {
			t.Errorf("died %v ago", since)
		}
	}

	// A retry of one whose clock is ahead is another one's in time.
	right.stop(t)
	behind.stop(t)
	whoWorks(t, []*gateway{ahead}, "a")
	r.respond(answers(500))
	ahead.keep(t, ahead.receive("retry", time.Hour))
	eventually(t, "an attempt", func() bool { return len(r.of("retry")) == 1 })
	failed := time.Now()
	r.respond(answers(200))
	behind = start(t, skewed(postgresSettings(t, dsn), -10*time.Minute), d)
	ahead.stop(t)
	eventually(t, "the retry", func() bool { return len(r.of("retry")) == 2 })
	if took := r.of("retry")[1].at.Sub(failed); took < time.Second || took > 6*time.Second {
		t.Errorf("the retry came after %v", took)
	}
	if st := behind.status(t, "a"); st.Backlog != 0 && st.OldestUndelivered.Before(behind.s.Now().Add(-time.Minute)) {
		t.Errorf("%+v", st)
	}
}

// TestClockIsSetBack sets the clock back by two days while the gateway is stopped,
// and then forward again.
func TestClockIsSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: answers(500)}
		d := newDestination("a", r.deliver)
		d.Attempts, d.Backoff = 1000, Backoff{5 * time.Second, 5 * time.Second}
		g := start(t, s, d)
		g.keep(t, g.receive("retry", time.Hour), g.receive("window", 5*time.Minute))
		time.Sleep(time.Second)
		if n := len(r.of("retry")); n != 1 {
			t.Fatalf("%d attempts", n)
		}
		time.Sleep(2 * time.Minute) // seen is written
		for _, back := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
			g.stop(t)
			before := len(r.of("retry"))
			g = start(t, skewed(s, back), d)
			time.Sleep(75 * time.Second)
			if n := len(r.of("retry")); n == before {
				t.Errorf("%v: the retry did not come", back)
			}
			// Its window is over, so it is a new event.
			time.Sleep(5 * time.Minute)
			wantAccepted(t, g.keep(t, g.receive("window", 5*time.Minute)), true)
			wantAccepted(t, g.keep(t, g.receive("window", 5*time.Minute)), false)
			g.keep(t, g.receive(fmt.Sprint("since ", back), time.Hour))
		}
		r.respond(answers(200))
		time.Sleep(2 * time.Minute)
		if st := g.status(t, "a"); st.Backlog != 0 || st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}
		for _, id := range []string{"since -48h0m0s", "since 48h0m0s"} {
			if len(r.of(id)) == 0 {
				t.Errorf("%s is lost", id)
			}
		}
	})
}
