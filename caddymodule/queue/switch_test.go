package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// withLogs returns settings with another number of logs.
func withLogs(s Settings, n int) Settings {
	s.Logs = n
	return s
}

// mustOpen opens a queue of several logs, which is closed with the test.
func mustOpen(t testing.TB, s Settings) *Queue {
	t.Helper()
	q, err := Open(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// follow starts a gateway with the number of logs in its settings.
func follow(t testing.TB, s Settings, destinations ...Destination) *several {
	t.Helper()
	g := &several{s: s, q: mustOpen(t, s), o: new(watcher)}
	g.serve(destinations...)
	t.Cleanup(func() { g.stop(t) })
	return g
}

// wantLogs waits until a gateway has a number of logs with slots.
func (g *several) wantLogs(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("a queue of %d logs", n), func() bool { return g.q.layout().logs == n })
}

// load has gateways store events, four at a time, until stop is called, which returns the
// ids of those that were accepted.
func load(t testing.TB, prefix string, gateways ...*several) (stop func() []string) {
	t.Helper()
	var mu sync.Mutex
	var stored []string
	var wg sync.WaitGroup
	stopping := make(chan struct{})
	generations := column(gateways, func(g *several) *Generation { return g.g })
	end := sync.OnceFunc(func() {
		close(stopping)
		wg.Wait()
	})
	t.Cleanup(end)
	for sender := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stopping:
					return
				default:
				}
				id := fmt.Sprint(prefix, "-", sender, "-", i)
				accepted, err := generations[i%len(generations)].Store(context.Background(), []*Event{newEvent(id, "")})
				if err != nil {
					t.Errorf("%s: %v", id, err)
					return
				}
				if !accepted[0] {
					t.Errorf("%s is a duplicate", id)
				}
				mu.Lock()
				stored = append(stored, id)
				mu.Unlock()
			}
		})
	}
	return func() []string {
		end()
		return stored
	}
}

// wantArrived fails the test unless each of some events came.
func wantArrived(t testing.TB, r *receiver, ids []string) {
	t.Helper()
	counts := r.counts()
	lost := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return counts[id] > 0 })
	if len(lost) > 0 {
		t.Errorf("%d of %d are lost, such as %s", len(lost), len(ids), lost[0])
	}
}

// wantOneLayout fails the test unless all logs have the same layouts.
func wantOneLayout(t testing.TB, q *Queue, n int) {
	t.Helper()
	s, err := q.survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := s.current()
	if now.logs != n {
		t.Errorf("%d logs, want %d", now.logs, n)
	}
	for number, f := range s.logs[:now.existing] {
		r := f.row(now.epoch)
		if f == nil || f.queue != s.logs[0].queue || f.number != number || f.epoch != now.epoch ||
			r == nil || r.last == nil || r.complete == nil || r.logs != n {
			t.Errorf("log %d: %+v, layout %+v", number, f, r)
		}
	}
}

// TestGrowAndShrink changes the number of logs under load, at gateways that are configured
// with less. Nothing is lost, refused, or taken for a duplicate.
func TestGrowAndShrink(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	r := new(receiver)
	a := follow(t, s, newDestination("a", r.deliver))
	stopFirst := load(t, "first", a)
	b := follow(t, withLogs(s, 4), newDestination("a", r.deliver))
	a.wantLogs(t, 4)
	ids := stopFirst()
	stopSecond := load(t, "second", a, b)
	eventually(t, "events in all logs", func() bool {
		return !slices.ContainsFunc(a.q.logs(), func(l *eventLog) bool { return l.head() == 0 })
	})
	ids = append(ids, stopSecond()...)
	b.drain(t, "a")
	wantOneLayout(t, a.q, 4)
	for _, id := range ids[:20] { // also those of before
		wantAccepted(t, a.keep(t, newEvent(id, "")), false)
	}

	b.stop(t)
	c := follow(t, s, newDestination("a", r.deliver)) // a runs, and has no more
	stopThird := load(t, "third", a, c)
	a.wantLogs(t, 1)
	c.wantLogs(t, 1)
	ids = append(ids, stopThird()...)
	wantAccepted(t, c.keep(t, newEvent(ids[0], ""), newEvent(ids[len(ids)-1], "")), false, false)
	a.drain(t, "a")
	wantArrived(t, r, ids)
	wantOneLayout(t, c.q, 1)
}

// TestGatewaysSwitchTogether opens gateways with other numbers of logs at once.
func TestGatewaysSwitchTogether(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	gateways := make([]*several, 4)
	r := new(receiver)
	var wg sync.WaitGroup
	for i, n := range []int{1, 4, 3, 4} {
		wg.Go(func() { gateways[i] = follow(t, withLogs(s, n), newDestination("a", r.deliver)) })
	}
	wg.Wait()
	for _, g := range gateways {
		g.wantLogs(t, 4)
	}
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
		gateways[i%len(gateways)].keep(t, newEvent(ids[i], ""))
	}
	gateways[0].drain(t, "a")
	wantArrived(t, r, ids)
	wantOneLayout(t, gateways[0].q, 4)
}

// steps are those of a switch, in their order.
func (w *switching) steps() []func(context.Context) error {
	return []func(context.Context) error{w.prepare, w.create, w.beginOthers, w.beginFirst, w.copy, w.complete}
}

// switchPartly does the first steps of a switch, as a gateway that dies in it.
func (q *Queue) switchPartly(t testing.TB, n, steps int) {
	t.Helper()
	s, err := q.survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := s.current()
	w := &switching{Queue: q, survey: s, from: now, stores: make([]*store, MaxLogs),
		to: layoutRow{epoch: now.epoch + 1, logs: n, existing: s.needed(n), servers: len(q.servers)}}
	defer w.close()
	for _, step := range w.steps()[:steps] {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSwitchGoesOn has a gateway die after each step of a switch. Whichever gateway comes
// next completes it, whatever it is configured with.
func TestSwitchGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, next int }{{1, 4, 4}, {4, 1, 1}, {3, 2, 4}} {
		for steps := 1; steps <= 6; steps++ {
			t.Run(fmt.Sprintf("%d to %d, %d steps", c.from, c.to, steps), func(t *testing.T) {
				t.Parallel()
				s := postgresSettings(t, sharedServer.database(t))
				r := new(receiver)
				g := follow(t, withLogs(s, c.from), newDestination("a", r.deliver), newDestination("paused", r.deliver))
				if err := g.q.Pause(t.Context(), "paused"); err != nil {
					t.Fatal(err)
				}
				ids := []string{"0", "1", "2", "3"}
				for _, id := range ids {
					g.keep(t, newEvent(id, ""))
				}
				g.stop(t)
				other := newQueue(withLogs(s, c.to), c.to)
				other.servers = g.q.servers
				other.switchPartly(t, c.to, steps)
				g = follow(t, withLogs(s, c.next), newDestination("a", r.deliver))
				for _, id := range ids {
					wantAccepted(t, g.keep(t, newEvent(id, "")), false)
				}
				for i := range 8 {
					ids = append(ids, fmt.Sprint("after ", i))
					g.keep(t, newEvent(ids[len(ids)-1], ""))
				}
				g.drain(t, "a")
				wantArrived(t, r, ids)
				wantOneLayout(t, g.q, c.next)
				for i := range g.q.logs()[:c.next] {
					if !g.in(i).status(t, "paused").Paused {
						t.Errorf("not paused in log %d", i)
					}
				}
			})
		}
	}
}

// TestRunningGatewayCompletes has the gateway that grows a queue die in the middle. One
// that runs goes on at once, without the logs that it is not configured with.
func TestRunningGatewayCompletes(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	r := new(receiver)
	g := follow(t, s, newDestination("a", r.deliver))
	stop := load(t, "load", g)
	other := newQueue(withLogs(s, 4), 4)
	other.servers = g.q.servers
	other.switchPartly(t, 4, 4)
	g.wantLogs(t, 4)
	ids := stop()
	g.drain(t, "a")
	wantArrived(t, r, ids)
	wantOneLayout(t, g.q, 4)
}

// TestProgramBefore shows that a program of the version before works while there is one
// log, and neither stores events nor keeps its leases once there are several.
func TestProgramBefore(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	g := follow(t, s, newDestination("a", new(receiver).deliver))
	conn := dial(t, s.DSN)
	renew := `WITH lease AS (
			INSERT INTO webhooks_gateways (holder, until, names) VALUES ('before', ` + pgClock + ` + 5000000, '[]')
			ON CONFLICT (holder) DO UPDATE SET until = excluded.until, names = excluded.names
		) SELECT last, bytes, ` + pgTimeline + ` FROM webhooks_queue WHERE id = 1`
	store := `UPDATE webhooks_queue SET last = last + 1, bytes = bytes + 1 WHERE id = 1 RETURNING last, last - 1 AS before, bytes`
	for _, statement := range []string{renew, store, renew} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Error(err)
		}
	}
	g.keep(t, newEvent("between", ""))
	follow(t, withLogs(s, 2), newDestination("a", new(receiver).deliver))
	g.wantLogs(t, 2)
	for _, statement := range []string{renew, store} {
		if _, err := conn.Exec(t.Context(), statement); codeOf(err) != "23514" {
			t.Errorf("%s: %v", statement, err)
		}
	}
	g.keep(t, newEvent("after", ""), newEvent("another", ""))
}

// TestNewNamesInNewLogs has a gateway declare a destination that others do not have, while
// a queue grows: it gets the events of all logs from then on.
func TestNewNamesInNewLogs(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	all, late := new(receiver), new(receiver)
	g := follow(t, withLogs(s, 4), newDestination("a", all.deliver))
	// It is not open in the others yet when they get events.
	dead := follow(t, s, newDestination("a", all.deliver), newDestination("late", late.deliver))
	eventually(t, "the name in log 0", func() bool { return hasName(t, g, 0, "late") })
	dead.wantLogs(t, 4)
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprint(i))
		g.keep(t, newEvent(ids[i], ""))
	}
	dead.drain(t, "late")
	wantArrived(t, late, ids)
}

func hasName(t testing.TB, g *several, number int, name string) bool {
	t.Helper()
	all, err := g.q.logs()[number].store.destinations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(r destinationRow) bool { return r.name == name })
}

// TestDeclareDuringSwitch shows that no destination is declared in log 0 under a layout
// that has ended there.
func TestDeclareDuringSwitch(t *testing.T) {
	t.Parallel()
	g := start(t, quietly(postgresSettings(t, sharedServer.database(t))), newDestination("a", new(receiver).deliver))
	g.setEpoch(t, 1)
	g.serve(newDestination("b", new(receiver).deliver))
	err := g.q.do(func(tx *tx) error { return tx.lockDeclaring(0, 0) })
	if !errors.Is(err, errMoved) {
		t.Error(err)
	}
	if g.g.isDeclared() {
		t.Error("it is declared")
	}
	g.q.layout.Store(&layout{epoch: 1, logs: 1, total: 1})
	eventually(t, "that it is declared", g.g.isDeclared)
}
