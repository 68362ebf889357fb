package queue

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// TestUpgradeFromVersion3 shows that a queue of version 3 keeps its backlog, its dead
// letters and its keys, and that attempts and duplicates are remembered from now on.
func TestUpgradeFromVersion3(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, s Settings) {
		dumpedVersion(t, s, 3)
		s.Retention = 100 * 365 * 24 * time.Hour // the events are old
		crm, orders, archive := new(arrivalsOf), new(arrivalsOf), new(arrivalsOf)
		toCRM, toOrders, toArchive := newDestination("crm", crm.deliver), ordered("orders", orders.deliver), newDestination("archive", archive.deliver)
		toCRM.Types, toOrders.Types, toArchive.Types = types("message.*"), types("order.*"), types("message.*")
		g := start(t, s, toCRM, toOrders, toArchive)

		dead, err := g.q.DeadLetters(t.Context(), "", 10)
		if err != nil || len(dead) != 1 || dead[0].EventID != "gone" || dead[0].LastStatus != 410 || dead[0].Excerpt != "gone for good" {
			t.Errorf("dead letters: %+v, %v", dead, err)
		}
		if a := g.status(t, "archive"); !a.Paused || a.Backlog != 5 || !a.LastDelivered.IsZero() || !a.LastFailed.IsZero() {
			t.Errorf("%+v", a)
		}
		if err = g.q.Resume(t.Context(), "archive"); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"crm", "orders", "archive"} {
			g.drain(t, name)
		}
		crm.wants(t, "retried")
		orders.wants(t, "order-1", "order-2")
		archive.wantEachOnce(t, 5)
		wantSubjects(t, orders, map[string]string{"order-1": "people/order-1", "order-2": "people/order-2"})
		if got := crm.of("retried"); got[0].attempt != 2 {
			t.Errorf("%+v", got)
		}

		seqs := make(map[string]int64)
		for _, id := range []string{"delivered", "retried", "gone", "order-1", "order-2", "batch-1", "batch-2"} {
			e := newEvent(id, "")
			g.wantDuplicates(t, e, 0)
			wantAccepted(t, g.keep(t, e), false)
			seqs[id] = g.seqOf(t, e.Key)
		}
		for id := range seqs {
			g.wantDuplicates(t, newEvent(id, ""), 1)
		}
		g.wantPast(t, "crm", seqs["delivered"])
		g.wantPast(t, "archive", seqs["delivered"], "1 delivered 200")
		g.wantPast(t, "crm", seqs["retried"], "2 delivered 200")
		g.wantPast(t, "orders", seqs["order-2"], "1 delivered 200")
		g.wantPast(t, "crm", seqs["gone"])
		g.wantReplayed(t, Selection{Dead: true}, 1)
		g.wantPast(t, "crm", seqs["gone"], "1 delivered 200 replay")
		if st := g.status(t, "crm"); st.LastDelivered.IsZero() || st.DeadLetters != 0 {
			t.Errorf("%+v", st)
		}

		g.wantBytes(t)
		g.stop(t)
		if r := check(t, s); len(r.Problems) > 0 || r.Events != 7 {
			t.Errorf("%+v", r)
		}
	}
	t.Run(SQLite, func(t *testing.T) { test(t, testSettings(t)) })
	t.Run(PostgreSQL, func(t *testing.T) { test(t, postgresSettings(t, sharedServer.database(t))) })
}

// TestUpgradeWhileGatewaysWork has a transaction of a gateway with the program before
// hold the first of its locks when the migration begins: neither fails.
func TestUpgradeWhileGatewaysWork(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	dumpedVersion(t, s, 3)
	ctx, watching := t.Context(), dial(t, s.DSN)
	tx, err := dial(t, s.DSN).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tx.Exec(ctx, `UPDATE webhooks_destinations SET position = position`); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		q, openErr := openLog(ctx, s)
		if openErr == nil {
			openErr = q.close()
		}
		opened <- openErr
	}()
	eventually(t, "that the migration waits", func() bool {
		var waits bool
		if err = watching.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		return waits
	})
	for _, statement := range []string{
		`UPDATE webhooks_deliveries SET due = due`,
		`UPDATE webhooks_queue SET last = last + 1`,
		`INSERT INTO webhooks_keys (key, expires, seq) VALUES ('key', 0, 1)`,
	} {
		if _, err = tx.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	if err = tx.Commit(ctx); err != nil {
		t.Error(err)
	}
	if err = <-opened; err != nil {
		t.Error(err)
	}
}

// seqOf returns the number of the event of a key.
func (g *gateway) seqOf(t testing.TB, key envelope.Key) int64 {
	t.Helper()
	events, err := g.q.replayable(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.MaxFunc(events, func(a, b replayable) int { return int(a.seq - b.seq) }).seq
}
