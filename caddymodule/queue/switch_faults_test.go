package queue

import (
	"context"
	"fmt"
	"testing"
)

// TestFrozenSwitch has a gateway hang in a switch until another one has completed it, and
// events are stored under it. Its remaining steps change nothing, even if it wanted another
// number of logs.
func TestFrozenSwitch(t *testing.T) {
	t.Parallel()
	for steps := range 6 {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			t.Parallel()
			s := postgresSettings(t, sharedServer.database(t))
			r := new(receiver)
			run(t, withLogs(s, 2))
			run(t, s) // log 1 is there, and empty
			frozen := newQueue(withLogs(s, 2), 2)
			var err error
			if frozen.servers, err = newServers(s.servers()); err != nil {
				t.Fatal(err)
			}
			seen, err := frozen.survey(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w := &switching{Queue: frozen, survey: seen, from: seen.current(), stores: make([]*store, MaxLogs),
				to: layoutRow{epoch: seen.current().epoch + 1, logs: 2, existing: 2, servers: 1}}
			defer w.close()
			for i, step := range w.steps() {
				if i == steps {
					g := follow(t, withLogs(s, 4), newDestination("a", r.deliver))
					want := w.to.logs
					if steps == 0 {
						want = 4
					}
					eventually(t, "a layout", func() bool { return g.q.layout().logs >= want })
					if err := g.q.Pause(t.Context(), "a"); err != nil {
						t.Fatal(err)
					}
					g.keep(t, newEvent("0", in0), newEvent("1", in1), newEvent("2", in2), newEvent("3", in3))
					g.stop(t)
				}
				if err := step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			g := follow(t, withLogs(s, 4), newDestination("a", r.deliver))
			g.wantLogs(t, 4)
			if err := g.q.Resume(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			g.drain(t, "a")
			wantArrived(t, r, []string{"0", "1", "2", "3"})
			wantOneLayout(t, g.q, 4)
		})
	}
}

// TestOpenedDuringSwitch opens a gateway after another one has found that there is none,
// and has begun a switch: nothing is acquired under the new layout before the leases of the
// old one have ended.
func TestOpenedDuringSwitch(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	run(t, s)
	first := newQueue(withLogs(s, 2), 2)
	var err error
	if first.servers, err = newServers(s.servers()); err != nil {
		t.Fatal(err)
	}
	seen, err := first.survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &switching{Queue: first, survey: seen, from: seen.current(), stores: make([]*store, MaxLogs),
		to: layoutRow{epoch: 1, logs: 2, existing: 2, servers: 1}}
	defer w.close()
	for i, step := range w.steps() {
		if i == 3 {
			g := start(t, s, newDestination("a", new(receiver).deliver))
			eventually(t, "a lease", func() bool { return g.status(t, "a").Here })
		}
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var early bool
	if err := dial(t, s.DSN).QueryRow(t.Context(), `SELECT complete + $1 < `+pgClock+` FROM public_webhooks_1.webhooks_layouts WHERE epoch = 1`,
		leaseTime.Microseconds()/2).Scan(&early); err != nil || early {
		t.Error("destinations may be acquired at once", err)
	}
}

// TestRemovedServer removes a server after its log has left the queue, and later grows the
// queue over another one.
func TestRemovedServer(t *testing.T) {
	t.Parallel()
	s := twoServers(t, 2)
	r := new(receiver)
	g := follow(t, s, ordered("a", r.deliver))
	g.keep(t, newEvent("0", in0))
	g.drain(t, "a")
	g.stop(t)
	run(t, withLogs(s, 1))
	s.Servers, s.Logs = nil, 1
	g = follow(t, s, ordered("a", r.deliver))
	g.keep(t, newEvent("1", in3))
	g.drain(t, "a")
	g.stop(t)
	s.Servers, s.Logs = []string{sharedServer.database(t)}, 2
	g = follow(t, s, ordered("a", r.deliver))
	g.wantLogs(t, 2)
	g.wantAccepted(t, []bool{false, true, true}, newEvent("1", in3), newEvent("2", in3), newEvent("3", in0))
	g.drain(t, "a")
	wantArrived(t, r, []string{"0", "1", "2", "3"})
	for _, p := range g.q.layout().past {
		for i := range p.last {
			if p.last[i] == notKnown {
				t.Errorf("the end of log %d under layout %d is not known", i, p.epoch)
			}
		}
	}
}

// TestServerRemovedEarly removes a server whose log still has events: no gateway leaves the
// log out, or creates it anew, and its events are delivered when the server is back.
func TestServerRemovedEarly(t *testing.T) {
	t.Parallel()
	s := quietly(twoServers(t, 2))
	r := new(receiver)
	g := follow(t, s, newDestination("a", r.deliver))
	if err := g.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	g.keep(t, newEvent("0", in0), newEvent("3", in3))
	g.stop(t)
	run(t, withLogs(s, 1))
	for n := 1; n <= 2; n++ {
		without := withLogs(s, n)
		without.Servers = nil
		g = follow(t, without)
		if l := g.q.layout(); l.logs != 1 || l.total != 2 {
			t.Errorf("configured with %d: %+v", n, l)
		}
		g.stop(t)
	}
	g = follow(t, withLogs(s, 1), newDestination("a", r.deliver))
	if err := g.q.Resume(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	g.drain(t, "a")
	r.wantEachOnce(t, 2)
}

// TestPlacesKeepALog shrinks a queue with dedup strict: a log that has nothing but places
// stays, so that a copy with another partition key is found.
func TestPlacesKeepALog(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	s.StrictDedup, s.Logs = true, 4
	id, l := 0, &layout{logs: 4}
	for l.logOf(placeSlot(newEvent(fmt.Sprint(id), "").Key)) != 3 {
		id++
	}
	g := follow(t, s)
	g.wantAccepted(t, []bool{true}, newEvent(fmt.Sprint(id), in0))
	g.stop(t)
	g = follow(t, withLogs(s, 2))
	g.wantLogs(t, 2)
	g.wantAccepted(t, []bool{false}, newEvent(fmt.Sprint(id), in3))
}
