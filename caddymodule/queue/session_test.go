package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// TestReadOnlyServer makes a server refuse writes for a while, as one does that is
// about to be replaced: gateways that run, and one that starts, go on by themselves.
func TestReadOnlyServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	dsn := server.Database(t)
	const setting = "default_transaction_read_only"
	r := new(receiver)
	d := newDestination("a", r.deliver)
	g := start(t, quietly(postgresSettings(t, dsn)), d)
	g.keep(t, newEvent("before", ""))
	g.drain(t, "a")

	server.Configure(t, setting, "on")
	eventually(t, "that events are refused", func() bool {
		_, err := g.g.store(t.Context(), []*Event{newEvent("probe", "")})
		if err != nil && !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		return err != nil
	})
	if err := g.q.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Ready: %v", err)
	}
	late := start(t, quietly(postgresSettings(t, dsn)), newDestination("b", new(receiver).deliver))
	if late.q.isOpen() {
		t.Error("a queue opens at a server that is read-only")
	}
	if _, err := g.g.store(t.Context(), []*Event{newEvent("refused", "")}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Store: %v", err)
	}

	server.Configure(t, setting, "")
	begun := time.Now()
	for name, g := range map[string]*gateway{"runs": g, "starts": late} {
		g.insist(t, name, "")
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the gateway that %s takes events after %v", name, took)
		}
	}
	if err := g.q.Ready(t.Context()); err != nil {
		t.Errorf("Ready: %v", err)
	}
	eventually(t, "delivery", func() bool { return r.counts()["runs"] > 0 && r.counts()["starts"] > 0 })
	t.Logf("both are delivered after %v", time.Since(begun))
	g.drain(t, "a")
}

// TestSwitchover makes a primary read-only and promotes its standby. The proxy lets
// the connections to the old primary live: a gateway must leave them by itself.
func TestSwitchover(t *testing.T) {
	t.Parallel()
	replicas := replicate(t)
	line := pgtest.NewProxy(t, replicas.primary.Address())
	r := new(receiver)
	gateways := share(t, line.DSN(replicas.dsn), 2, newDestination("a", r.deliver))
	storeEverywhere(t, gateways, "before-", 200)
	replicas.primary.Configure(t, "default_transaction_read_only", "on")
	eventually(t, "that events are refused", func() bool {
		_, err := gateways[0].g.store(t.Context(), []*Event{newEvent("refused", "")})
		return err != nil
	})
	replicas.standby.WaitFor(t, replicas.primary)
	replicas.standby.Promote(t)
	replicas.standby.Configure(t, "default_transaction_read_only", "")
	line.Switch(replicas.standby.Address())
	begun := time.Now()
	for i, g := range gateways {
		g.insist(t, fmt.Sprint("first-", i), "")
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	storeEverywhere(t, gateways, "after-", 200)
	drainAll(t, gateways, "a")
	counts := r.counts()
	for i := range 200 {
		for _, id := range []string{fmt.Sprint("before-", i), fmt.Sprint("after-", i)} {
			if counts[id] == 0 {
				t.Errorf("%s is lost", id)
			}
		}
	}
	t.Logf("%d repeats; all was delivered after %v", len(r.all())-len(counts), time.Since(begun))
}

// TestWriterStays promotes a standby while the old primary still takes writes, and
// one connection of a gateway still leads there: the gateway leaves it.
func TestWriterStays(t *testing.T) {
	t.Parallel()
	replicas := replicate(t)
	line := pgtest.NewProxy(t, replicas.primary.Address())
	r := new(receiver)
	g := start(t, quietly(postgresSettings(t, line.DSN(replicas.dsn))), newDestination("a", r.deliver))
	g.keep(t, newEvents(1)...)
	g.drain(t, "a")
	replicas.standby.WaitFor(t, replicas.primary)
	replicas.standby.Promote(t)
	line.Switch(replicas.standby.Address())
	g.q.store.replaced.Add(1) // all connections but the one that writes, which does not rest
	eventually(t, "another timeline", func() bool { e := g.q.currentEra(); return e != nil && e.timeline == "00000002" })
	begun := time.Now()
	g.insist(t, "after", "")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	g.drain(t, "a")
	if n := r.counts()["after"]; n == 0 {
		t.Error("the event is lost")
	}
}

// TestPgBouncer has a PgBouncer with its default settings between a gateway and the
// server.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	bouncer := server.Bouncer(t)
	r := new(receiver)
	g := start(t, postgresSettings(t, bouncer.DSN(server.Database(t))), newDestination("a", r.deliver), ordered("b", new(receiver).deliver))
	g.keep(t, newEvents(300)...)
	g.drain(t, "a")
	g.drain(t, "b")
	r.wantEachOnce(t, 300)
	whoWorks(t, []*gateway{g}, "a")
	for setting, want := range map[string]string{
		"statement_timeout": "30s", "lock_timeout": "5s", "synchronous_commit": "on", "enable_seqscan": "off",
	} {
		var got string
		if err := g.q.store.query(t.Context(), `SHOW `+setting, nil, func(rows *sql.Rows) error { return rows.Scan(&got) }); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", setting, got, err, want)
		}
	}
}

// TestStandbyDidNotConfirm ends the wait for a standby that is not there. The server
// reports success then, with a warning; the sender must get an error.
func TestStandbyDidNotConfirm(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	dsn := server.Database(t)
	r := new(receiver)
	g := start(t, quietly(postgresSettings(t, dsn)), newDestination("a", r.deliver))
	g.keep(t, newEvent("before", ""))
	g.drain(t, "a")
	admin, err := pgx.Connect(t.Context(), dsn+"&synchronous_commit=local")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())

	server.Configure(t, "synchronous_standby_names", "nobody")
	stored := make(chan error, 1)
	go func() {
		_, err := g.g.store(context.Background(), []*Event{newEvent("waits", "")})
		stored <- err
	}()
	eventually(t, "that the commit waits, and does so no more", func() bool {
		select {
		case err := <-stored:
			stored <- err
			return true
		default:
		}
		// That of the event: it has been given a number, which nobody sees yet.
		if _, err := admin.Exec(t.Context(), `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`); err != nil {
			t.Fatal(err)
		}
		return false
	})
	if err := <-stored; !errors.Is(err, errCommit) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Store: %v", err)
	}

	server.Configure(t, "synchronous_standby_names", "")
	// It may be there, or not: it comes once if it is sent again.
	g.insist(t, "waits", "")
	g.insist(t, "after", "")
	g.drain(t, "a")
	for _, id := range []string{"before", "waits", "after"} {
		if r.counts()[id] == 0 {
			t.Errorf("%s is lost", id)
		}
	}
	if n := g.number(t, `SELECT count(*) FROM webhooks_events WHERE event_id = 'waits'`); n != 1 {
		t.Errorf("it is stored %d times", n)
	}
	eventually(t, "that the position is the end of the log", func() bool {
		return g.number(t, `SELECT q.last - d.position FROM webhooks_queue q, webhooks_destinations d`) == 0
	})
	g.wantBytes(t)
}

// TestFrozenGateway freezes what a gateway sends while it stores as much as it can:
// the others are not held up.
func TestFrozenGateway(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	line := pgtest.NewProxy(t, sharedServer.server.Address())
	line.Delay(2 * time.Millisecond)
	frozen := start(t, quietly(postgresSettings(t, line.DSN(dsn))))
	other := start(t, postgresSettings(t, dsn))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for part := range 32 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				e := newEvent(fmt.Sprint(part, "-", i), "")
				e.Body = []byte(strings.Repeat("x", 2000))
				_, _ = frozen.g.store(context.Background(), []*Event{e})
			}
		})
	}
	before := frozen.q.Commits()
	eventually(t, "commits", func() bool { return frozen.q.Commits() > before+20 })
	var most time.Duration
	n := 0
	for range 4 {
		time.Sleep(rand.N(50 * time.Millisecond)) // at any moment of a commit
		line.Stick(true)
		for begun := time.Now(); time.Since(begun) < 1200*time.Millisecond; n++ {
			sent := time.Now()
			other.keep(t, newEvent(fmt.Sprint("other-", n), ""))
			most = max(most, time.Since(sent))
		}
		line.Stick(false)
		before := frozen.q.Commits()
		eventually(t, "that it goes on", func() bool { return frozen.q.Commits() > before+5 })
	}
	close(stop)
	wg.Wait()
	t.Logf("the other one stored %d events, each in at most %v", n, most)
	if most > time.Second {
		t.Errorf("a gateway waited %v for one that was frozen", most)
	}
}

// TestServerWarnsAtConnect has the server warn at the beginning of each session, as
// it does once the system's collations have changed: that is no failure of a commit.
func TestServerWarnsAtConnect(t *testing.T) {
	dsn := sharedServer.database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()`); err != nil {
		t.Skip(err) // before version 15
	}
	g := start(t, quietly(postgresSettings(t, dsn)))
	if !g.q.isOpen() {
		t.Fatal("it does not open")
	}
	g.keep(t, newEvent("1", ""))
}

// TestDeclareTogether has a gateway declare its names again and again while another
// one writes what it delivered: none waits for the other in a circle.
func TestDeclareTogether(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	var destinations []Destination
	for _, name := range strings.Split("h g f e d c b a", " ") {
		destinations = append(destinations, newDestination(name, new(receiver).deliver))
	}
	line, through := pgProxy(t, dsn)
	line.Delay(2 * time.Millisecond) // so that declaring takes a while
	gateways := []*gateway{start(t, postgresSettings(t, dsn), destinations...), start(t, postgresSettings(t, through), destinations...)}
	declared := make(chan struct{})
	var wg sync.WaitGroup
	for sender := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-declared:
					return
				default:
				}
				gateways[0].keep(t, newEvent(fmt.Sprint(sender, "-", i), ""))
			}
		})
	}
	for range 20 {
		gateways[1].q.declare()
	}
	close(declared)
	wg.Wait()
	gateways[0].drain(t, "a")
	if n := gateways[0].number(t, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}
