package queue

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"
)

// version4 is a gateway with a queue that the program with version 4 of the schema has
// filled, and what its destinations get.
//
// In the queue are three events for crm: delivered, retried, which waits for its second
// attempt, and gone, which is a dead letter. Those and batch-1 and batch-2 are the backlog
// of archive, which is paused. Of twelve orders with four keys, orders has got 1 to 4; 5
// to 8 wait for their second attempts, and 9 to 12 are parked behind them.
type version4 struct {
	*several
	crm, archive *receiver
	orders       *inOrder
}

// openVersion4 opens a queue of version 4 as one log. Its events are old.
func openVersion4(t *testing.T, s Settings, orders *inOrder) *version4 {
	t.Helper()
	dumpedVersion(t, s, 4)
	s.Retention = 100 * 365 * 24 * time.Hour
	g := &version4{crm: new(receiver), archive: new(receiver), orders: orders}
	g.several = follow(t, s, g.destinations()...)
	return g
}

func (g *version4) destinations() []Destination {
	crm, orders, archive := newDestination("crm", g.crm.deliver), ordered("orders", g.orders.deliver), newDestination("archive", g.archive.deliver)
	crm.Types, orders.Types, archive.Types = types("message.*"), types("order.*"), types("message.*")
	return []Destination{crm, orders, archive}
}

// wantPaused fails the test unless archive has its backlog. Then it resumes archive.
func (g *version4) wantPaused(t *testing.T, backlog int64) {
	t.Helper()
	if a := g.status(t, "archive"); !a.Paused || a.Backlog != backlog {
		t.Errorf("%+v", a)
	}
	if err := g.q.Resume(t.Context(), "archive"); err != nil {
		t.Fatal(err)
	}
}

// wantOrders fails the test unless the orders up to one came, all keys to their end.
func (g *version4) wantOrders(t *testing.T, last int) {
	t.Helper()
	want := make(map[string]int)
	var ids []string
	for n := 5; n <= last; n++ {
		want[order(n).PartitionKey] = n
		ids = append(ids, strconv.Itoa(n))
	}
	wantArrived(t, &g.orders.receiver, ids)
	if !maps.Equal(g.orders.last, want) {
		t.Errorf("the last orders are %v, want %v", g.orders.last, want)
	}
}

// wantKnown fails the test unless all that was stored before is a duplicate.
func (g *version4) wantKnown(t *testing.T) {
	t.Helper()
	for _, id := range []string{"delivered", "retried", "gone", "batch-1", "batch-2"} {
		wantAccepted(t, g.keep(t, newEvent(id, "")), false)
	}
	for n := 1; n <= 12; n++ {
		wantAccepted(t, g.keep(t, order(n)), false)
	}
}

// order returns the event of an order.
func order(n int) *Event {
	e := newEvent(strconv.Itoa(n), fmt.Sprint("key-", n%4))
	e.Type = "order.created"
	return e
}

// TestUpgradeFromVersion4 shows that a queue of version 4 becomes one log and keeps its
// backlog, dead letters, attempts, keys and duplicates.
func TestUpgradeFromVersion4(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, s Settings) {
		g := openVersion4(t, s, newInOrder(t, answers(200)))
		if l := g.q.layout(); !l.isPlain() || len(g.q.logs()) != 1 {
			t.Errorf("%d logs, layout %+v", len(g.q.logs()), l)
		}
		dead, err := g.q.DeadLetters(t.Context(), "", 10)
		if err != nil || len(dead) != 1 || dead[0].EventID != "gone" || dead[0].LastStatus != 410 || dead[0].Excerpt != "gone for good" {
			t.Errorf("dead letters: %+v, %v", dead, err)
		}
		g.wantPaused(t, 5)
		for _, name := range []string{"crm", "orders", "archive"} {
			g.drain(t, name)
		}
		g.crm.wants(t, "retried")
		g.archive.wantEachOnce(t, 5)
		g.orders.wantEachOnce(t, 8)
		g.wantOrders(t, 12)

		log := g.in(0)
		log.wantDuplicates(t, newEvent("delivered", ""), 3)
		log.wantDuplicates(t, order(5), 1)
		g.wantKnown(t)
		log.wantDuplicates(t, newEvent("delivered", ""), 4)
		log.wantDuplicates(t, order(5), 2)
		log.wantDuplicates(t, order(6), 1)

		past := func(name string, e *Event, want ...string) {
			t.Helper()
			log.wantPast(t, name, log.seqOf(t, e.Key), want...)
		}
		past("crm", newEvent("delivered", ""), "1 delivered 200")
		past("crm", newEvent("retried", ""), "1 retry 500, answered 500, not now", "2 delivered 200")
		past("crm", newEvent("gone", ""), "1 dead_letter 410, answered 410, gone for good")
		past("orders", order(1), "1 delivered 200")
		past("orders", order(5), "1 retry 500, answered 500, not now", "2 delivered 200")
		past("orders", order(9), "1 delivered 200")

		log.wantBytes(t)
		g.stop(t)
		if r := check(t, s); len(r.Problems) > 0 || r.Events != 17 {
			t.Errorf("%+v", r)
		}
	}
	t.Run(SQLite, func(t *testing.T) { test(t, testSettings(t)) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}

// TestGrowAfterUpgrade has a queue of version 4 grow to four logs under load, while the
// receiver of the orders fails. Nothing is lost, accepted again, or out of order.
func TestGrowAfterUpgrade(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	g := openVersion4(t, s, newInOrder(t, answers(500)))
	stop := load(t, "load", g.several)
	second := follow(t, withLogs(g.s, 4), g.destinations()...)
	g.wantLogs(t, 4)
	eventually(t, "events in all logs", func() bool {
		return !slices.ContainsFunc(g.q.logs(), func(l *eventLog) bool { return l.head() == 0 })
	})
	ids := stop()
	moved := 0
	for n := 13; n <= 20; n++ {
		e := order(n)
		wantAccepted(t, g.keep(t, e), true)
		if g.q.layout().logOf(slotOf(e)) > 0 {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no key has moved")
	}
	g.wantKnown(t)

	if st := g.status(t, "orders"); st.Backlog != 16 {
		t.Errorf("%+v", st)
	}
	g.orders.respond(answers(200))
	g.wantPaused(t, int64(5+len(ids)))
	for _, name := range []string{"crm", "orders", "archive"} {
		g.drain(t, name)
	}
	wantArrived(t, g.crm, append([]string{"retried"}, ids...))
	wantArrived(t, g.archive, append([]string{"delivered", "retried", "gone", "batch-1", "batch-2"}, ids...))
	g.wantOrders(t, 20)
	if st := g.status(t, "crm"); st.DeadLetters != 1 {
		t.Errorf("%+v", st)
	}

	wantOneLayout(t, g.q, 4)
	eventually(t, "that all windows of before are known", func() bool {
		found, err := g.q.survey(t.Context())
		return err == nil && found.isSettled(found.current())
	})
	second.stop(t)
	g.stop(t)
	if r := check(t, withLogs(s, 4)); len(r.Problems) > 0 || r.Events != int64(25+len(ids)) {
		t.Errorf("%d events were stored: %+v", len(ids), r)
	}
}
