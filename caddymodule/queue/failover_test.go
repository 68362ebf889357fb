package queue

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestFailover promotes a standby that lacks the last events, which are answered and
// delivered: the numbers of these events are given to others, and none of those is
// passed over.
func TestFailover(t *testing.T) {
	for name, c := range map[string]struct{ dies, inTurn bool }{
		"the old primary dies":                 {dies: true},
		"the old primary lives":                {},
		"one gateway stays at the old primary": {inTurn: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := replicate(t)
			apps := map[string]*failoverApp{
				"a":    newFailoverApp(t, slow(2*time.Millisecond)),
				"b":    newFailoverApp(t, unreliable(4*time.Millisecond)),
				"held": newFailoverApp(t, answers(200)), // paused during the failover
			}
			var lines []*pgtest.Proxy
			var gateways []*gateway
			for range 2 {
				line := pgtest.NewProxy(t, r.primary.Address())
				lines = append(lines, line)
				gateways = append(gateways, start(t, quietly(postgresSettings(t, line.DSN(r.dsn))),
					ordered("a", apps["a"].deliver), ordered("b", apps["b"].deliver), ordered("held", apps["held"].deliver)))
			}
			if err := gateways[0].q.Pause(t.Context(), "held"); err != nil {
				t.Fatal(err)
			}
			storeEverywhere(t, gateways, "kept-", 200)
			r.standby.WaitFor(t, r.primary)
			r.replication.Stick(true)
			storeEverywhere(t, gateways, "lost-", 300)
			drainAll(t, gateways, "a", "b")

			begun := time.Now()
			if c.dies {
				r.primary.Kill(t)
			}
			r.standby.Promote(t)
			promotion := time.Since(begun)
			begun = time.Now()
			follow := func(line *pgtest.Proxy) {
				line.Switch(r.standby.Address())
				line.Cut()
			}
			follow(lines[0])
			n := 0
			if c.inTurn {
				n = 400
				storeAfter(t, gateways[:1], 0, n)
				// The other one goes on as if nothing had happened. What it stores is lost, and
				// the log of the new primary is soon longer than the one that it knows.
				for range 10 {
					time.Sleep(100 * time.Millisecond)
					storeAfter(t, gateways[:1], n, 20)
					storeEverywhere(t, gateways[1:], fmt.Sprint("split-", n, "-"), 20)
					n += 20
				}
			}
			follow(lines[1])
			for _, g := range gateways {
				g.insist(t, "first", "")
			}
			answering := time.Since(begun)
			storeAfter(t, gateways, n, 420)
			n += 420
			eventually(t, "that it is resumed", func() bool { return gateways[1].q.Resume(t.Context(), "held") == nil })
			drainAll(t, gateways, "a", "b", "held")
			for name, app := range apps {
				app.wants(t, name, 200, "kept-", n)
				if app.before.counts()["first"] == 0 {
					t.Errorf("%s: the first event is lost", name)
				}
			}
			t.Logf("promotion took %v; both gateways answered %v after the switch, and all was delivered after %v; %d repeats of %d",
				promotion, answering, time.Since(begun), apps["a"].repeats(), 501+n)
		})
	}
}

// TestProgressOfAnotherTimeline writes progress for a lease that another server has
// granted, and a position beyond the log: neither is written.
func TestProgressOfAnotherTimeline(t *testing.T) {
	g := start(t, quietly(postgresSettings(t, sharedServer.database(t))), newDestination("a", new(receiver).deliver))
	g.keep(t, newEvents(1)...)
	g.drain(t, "a")
	eventually(t, "that it is written", func() bool { return g.number(t, `SELECT position FROM webhooks_destinations`) == 1 })
	lease := g.number(t, `SELECT lease FROM webhooks_destinations`)
	timeline := g.q.currentEra().timeline
	for name, c := range map[string]struct {
		progress
		lost bool
	}{
		"another timeline": {progress{timeline: "00000002", position: 0}, true},
		"no timeline":      {progress{position: 0}, true},
		"another lease":    {progress{timeline: timeline, lease: lease + 1, position: 0}, true},
		"beyond the log":   {progress{timeline: timeline, position: 2}, true},
		"right":            {progress{timeline: timeline, position: 1, begun: 1}, false},
	} {
		p := c.progress
		p.name = "a"
		if p.lease == 0 {
			p.lease = lease
		}
		if err := g.q.writer.do(t.Context(), &change{progress: &p}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p.lost != c.lost {
			t.Errorf("%s: lost is %t", name, p.lost)
		}
		if n := g.number(t, `SELECT position FROM webhooks_destinations`); n != 1 {
			t.Errorf("%s: the position is %d", name, n)
		}
	}
}

// TestStandbyInDSN has a DSN name the standby first: the gateways use the primary.
func TestStandbyInDSN(t *testing.T) {
	t.Parallel()
	r := replicate(t)
	r.replication.Delay(500 * time.Millisecond)
	a, b := new(receiver), new(receiver)
	dsn := strings.Replace(r.dsn, r.primary.Address(), r.standby.Address()+","+r.primary.Address(), 1)
	gateways := share(t, dsn, 2, newDestination("a", a.deliver), ordered("b", b.deliver))
	storeEverywhere(t, gateways, "", 400)
	drainAll(t, gateways, "a", "b")
	a.wantEachOnce(t, 400)
	b.wantEachOnce(t, 400)

	// A worker's read fails at the standby, also one that finds nothing.
	s, err := openPostgres(strings.Replace(r.dsn, r.primary.Address(), r.standby.Address(), 1)+"&target_session_attrs=any", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	r.standby.WaitFor(t, r.primary)
	const query = `SELECT 1 FROM webhooks_deliveries WHERE name = 'nothing'`
	for _, c := range []struct{ query, code string }{{query, ""}, {query + ` AND ` + s.isPrimary, inRecovery}} {
		err := s.query(t.Context(), c.query, nil, func(*sql.Rows) error { return nil })
		if codeOf(err) != c.code {
			t.Errorf("%s: %v", c.query, err)
		}
	}
	// Nor does a read of the log go past what the server has.
	q := &eventLog{store: s, ctx: t.Context(), writer: new(writer)}
	after := func(timeline string) (int64, error) {
		_, pos, err := q.after(newEra(timeline), 300, 500, testSource, 256, windowBytes)
		return pos, err
	}
	if pos, err := after("00000001"); codeOf(err) != inRecovery || pos != 300 {
		t.Errorf("at the standby: %d, %v", pos, err)
	}
	r.standby.Promote(t)
	if pos, err := after("00000001"); !errors.Is(err, errStale) || pos != 300 {
		t.Errorf("on another timeline: %d, %v", pos, err)
	}
	if pos, err := after("00000002"); err != nil || pos != 400 {
		t.Errorf("at the primary: %d, %v", pos, err)
	}
}

// TestReadsAtStandby has connections that are made later reach a standby that is
// late, as those of a proxy that balances reads do: what they read is old, and
// nothing is lost by it.
func TestReadsAtStandby(t *testing.T) {
	t.Parallel()
	r := replicate(t)
	r.replication.Delay(500 * time.Millisecond)
	line := pgtest.NewProxy(t, r.primary.Address())
	a, b := new(receiver), newFailoverApp(t, unreliable(4*time.Millisecond))
	a.answer = unreliable(4 * time.Millisecond)
	dsn := line.DSN(r.dsn) + "&target_session_attrs=any"
	var gateways []*gateway
	for range 2 {
		d := newDestination("a", a.deliver)
		d.Attempts = 1000
		gateways = append(gateways, start(t, quietly(postgresSettings(t, dsn)), d, ordered("b", b.deliver)))
		whoWorks(t, gateways, "a")
	}
	n := 0
	for round := range 6 {
		line.Switch([]string{r.standby.Address(), r.primary.Address()}[round%2])
		for _, g := range gateways {
			// The connections that write stay.
			_ = g.q.store.dropStaleReaders(errStale)
		}
		for range 6 {
			time.Sleep(50 * time.Millisecond)
			storeAfter(t, gateways, n, 10)
			n += 10
		}
	}
	drainAll(t, gateways, "a", "b")
	if got := len(a.counts()); got != n {
		t.Errorf("%d of %d came", got, n)
	}
	b.wants(t, "b", 0, "", n)
	t.Logf("%d events, %d attempts at a, %d at b", n, len(a.all()), len(b.after.all()))
}

// codeOf returns the code of an error of the server, empty for none.
func codeOf(err error) string {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case err != nil:
		return err.Error()
	}
	return ""
}

// TestSweepAcrossFailover has a sweep look at events that the promoted server lacks:
// their numbers are those of other events there, which stay.
func TestSweepAcrossFailover(t *testing.T) {
	t.Parallel()
	r := replicate(t)
	line := pgtest.NewProxy(t, r.primary.Address())
	g := start(t, quietly(postgresSettings(t, line.DSN(r.dsn))), newDestination("a", new(receiver).deliver))
	g.keep(t, newEvent("base", ""))
	r.standby.WaitFor(t, r.primary)
	r.replication.Stick(true)
	for i := range 10 {
		g.keep(t, newEvent(fmt.Sprint("lost-", i), ""))
	}
	g.drain(t, "a")
	eventually(t, "that all is settled", func() bool { return g.number(t, `SELECT position FROM webhooks_destinations`) == 11 })
	e := g.q.currentEra()
	destinations, err := g.q.store.destinations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, err := g.q.sweepable(t.Context(), 0, destinations)
	if err != nil || len(old.events) != 11 {
		t.Fatal(old, err)
	}
	r.primary.Kill(t)
	r.standby.Promote(t)
	line.Switch(r.standby.Address())
	for i := range 6 {
		g.insist(t, fmt.Sprint("new-", i), "")
	}
	if _, _, err := g.q.remove(t.Context(), e, old, time.Now().Add(time.Hour).UnixMicro()); !errors.Is(err, errStale) {
		t.Error(err)
	}
	if err := g.q.discard(e, []deadRow{{seq: 2, name: "a"}}); !errors.Is(err, errStale) {
		t.Error(err)
	}
	if _, err := g.q.replay(t.Context(), e, []replayable{{seq: 2, source: testSource}}, Selection{}); !errors.Is(err, errStale) {
		t.Error(err)
	}
	if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 7 {
		t.Errorf("%d events are left", n)
	}
}

// TestOldPrimaryComesBack has a server take connections again whose standby was
// promoted: nothing is stored there any more.
func TestOldPrimaryComesBack(t *testing.T) {
	t.Parallel()
	r := replicate(t)
	first, second := pgtest.NewProxy(t, r.primary.Address()), pgtest.NewProxy(t, r.standby.Address())
	u, err := url.Parse(r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = first.Address() + "," + second.Address()
	g := start(t, quietly(postgresSettings(t, u.String())), newDestination("a", new(receiver).deliver))
	g.keep(t, newEvent("base", ""))
	r.standby.WaitFor(t, r.primary)
	r.replication.Stick(true)
	first.Switch("127.0.0.1:1")
	first.Cut()
	r.standby.Promote(t)
	g.insist(t, "new", "")
	eventually(t, "an era of the new timeline", func() bool {
		e := g.q.currentEra()
		return e != nil && e.timeline == "00000002"
	})
	first.Switch(r.primary.Address())
	second.Cut()
	for i := range 20 {
		g.insist(t, fmt.Sprint("later-", i), "")
		if i%5 == 0 {
			second.Cut()
		}
	}
	g.drain(t, "a")
	if n := g.number(t, `SELECT count(*) FROM webhooks_events WHERE `+pgTimeline+` = '00000002'`); n != 22 {
		t.Errorf("%d events are at the new server", n)
	}
}
