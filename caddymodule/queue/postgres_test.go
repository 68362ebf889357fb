package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// share starts gateways that share a database.
func share(t *testing.T, dsn string, n int, destinations ...Destination) []*gateway {
	t.Helper()
	gateways := make([]*gateway, n)
	var wg sync.WaitGroup
	for i := range gateways {
		wg.Go(func() { gateways[i] = start(t, postgresSettings(t, dsn), destinations...) })
	}
	wg.Wait()
	return gateways
}

// whoWorks returns the gateway that works a destination, and the others.
func whoWorks(t testing.TB, gateways []*gateway, name string) (one *gateway, others []*gateway) {
	t.Helper()
	eventually(t, "that one works "+name, func() bool {
		one, others = nil, nil
		for _, g := range gateways {
			if g.status(t, name).Here {
				one = g
			} else {
				others = append(others, g)
			}
		}
		return one != nil
	})
	return one, others
}

// TestGatewaysStoreOnce has three gateways get the same events at once.
func TestGatewaysStoreOnce(t *testing.T) {
	r := new(receiver)
	gateways := share(t, sharedServer.database(t), 3, newDestination("a", r.deliver))
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for _, g := range gateways {
		for part := range 4 {
			wg.Go(func() {
				for i := part; i < 200; i += 4 {
					ok, err := g.g.Store(t.Context(), []*Event{newEvent(fmt.Sprint(i), "")})
					if err != nil {
						t.Error(err)
						return
					}
					if ok[0] {
						accepted.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := accepted.Load(); n != 200 {
		t.Errorf("%d were accepted", n)
	}
	for _, g := range gateways {
		g.drain(t, "a")
	}
	r.wantEachOnce(t, 200)
	here := 0
	for _, g := range gateways {
		if g.status(t, "a").Here {
			here++
		}
	}
	if here != 1 {
		t.Errorf("%d work it", here)
	}
}

// TestTakeoverAtStop has the work go round as gateways stop in order: nothing is
// repeated, and nobody waits for a lease to end.
func TestTakeoverAtStop(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	r := &receiver{answer: slow(20 * time.Millisecond)}
	gateways := share(t, dsn, 3, newDestination("a", r.deliver))
	n := 0
	for len(gateways) > 1 {
		for range 100 {
			n++
			gateways[n%len(gateways)].keep(t, newEvent(fmt.Sprint(n), ""))
		}
		one, others := whoWorks(t, gateways, "a")
		begun := time.Now()
		one.stop(t)
		gateways = others
		whoWorks(t, gateways, "a")
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("it took %s", took)
		}
	}
	gateways[0].drain(t, "a")
	r.wantEachOnce(t, n)
}

// pgProxy returns a proxy to a database, and the DSN that leads through it.
func pgProxy(t *testing.T, dsn string) (*pgtest.Proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := pgtest.NewProxy(t, u.Host)
	return p, p.DSN(dsn)
}

// prefixes is an application that reports an event that comes before an older one
// of its key was delivered, or while another one of its key is on its way. What is
// repeated is no error.
type prefixes struct {
	receiver
	t *testing.T

	mu        sync.Mutex
	first     map[string]int // by key, the oldest that was not delivered yet
	running   map[string]bool
	delivered map[int]bool
}

func (p *prefixes) deliver(ctx context.Context, d *Delivery) Result {
	n, _ := strconv.Atoi(d.ID)
	p.mu.Lock()
	if p.running[d.PartitionKey] {
		p.t.Errorf("%s/%d is not alone", d.PartitionKey, n)
	}
	for older := n - 10; older >= 0; older -= 10 { // ten keys, in turn
		if !p.delivered[older] {
			p.t.Errorf("%s/%d comes before %d", d.PartitionKey, n, older)
			break
		}
	}
	p.running[d.PartitionKey] = true
	p.mu.Unlock()
	r := p.receiver.deliver(ctx, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[d.PartitionKey] = false
	if r.Status == 200 {
		p.delivered[n] = true
	}
	return r
}

// TestTakeoverAfterDeath cuts off the gateway that works an ordered destination:
// another one takes over within seconds, the order holds, and what the first one
// thinks of it does not count any more.
func TestTakeoverAfterDeath(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	p := &prefixes{t: t, running: make(map[string]bool), delivered: make(map[int]bool)}
	p.answer = unreliable(20 * time.Millisecond)
	d := ordered("a", p.deliver)
	line, through := pgProxy(t, dsn)
	first := start(t, quietly(postgresSettings(t, through)), d)
	first.drain(t, "a")
	whoWorks(t, []*gateway{first}, "a")
	second := start(t, postgresSettings(t, dsn), d)

	n := 0
	more := func(g *gateway, count int) {
		for range count {
			g.keep(t, newEvent(fmt.Sprint(n), fmt.Sprint("key-", n%10)))
			n++
		}
	}
	more(second, 300)
	eventually(t, "some", func() bool { return first.o.count(OutcomeDelivered) > 100 })
	line.Stick(true)
	begun := time.Now()
	more(second, 300)
	whoWorks(t, []*gateway{second}, "a")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	eventually(t, "that the first one gives up", func() bool {
		w := first.q.workers["a"]
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.status.here
	})
	// It knows nothing, and then it is late.
	line.Stick(false)
	more(second, 100)
	second.drain(t, "a")
	if len(p.delivered) != n {
		t.Errorf("%d of %d were delivered", len(p.delivered), n)
	}
	if st := second.status(t, "a"); !st.Here || st.DeadLetters != 0 {
		t.Errorf("%+v", st)
	}
	// It can go on, when there is a need.
	eventually(t, "that the first one accepts", func() bool {
		_, err := first.g.Store(t.Context(), []*Event{newEvent(fmt.Sprint(n), fmt.Sprint("key-", n%10))})
		return err == nil
	})
	n++
	second.stop(t)
	more(first, 50)
	whoWorks(t, []*gateway{first}, "a")
	first.drain(t, "a")
	if len(p.delivered) != n {
		t.Errorf("%d of %d were delivered", len(p.delivered), n)
	}
}

// quietly returns settings that log nothing.
func quietly(s Settings) Settings {
	s.Logger = zap.NewNop()
	return s
}

// TestFencing takes the lease away from a gateway that does not know it, with
// attempts under way.
func TestFencing(t *testing.T) {
	t.Parallel()
	r := &receiver{answer: func(ctx context.Context, d *Delivery) Result {
		if n, _ := strconv.Atoi(d.ID); n%2 == 0 {
			return slow(100*time.Millisecond)(ctx, d)
		}
		<-ctx.Done()
		return Result{Err: context.Cause(ctx)}
	}}
	g := start(t, quietly(postgresSettings(t, sharedServer.database(t))), newDestination("a", r.deliver))
	g.keep(t, newEvents(2)...)
	eventually(t, "attempts", func() bool { return len(r.all()) == 2 })
	const state = `SELECT position + 1000 * begun + 1000000 * (SELECT count(*) FROM webhooks_deliveries) FROM webhooks_destinations`
	before := g.number(t, state)
	if err := g.q.do(func(tx *tx) error {
		if err := tx.exec(`INSERT INTO webhooks_gateways (holder, until, names) VALUES ('another', ` + pgClock + ` + 2000000, '["a"]')`); err != nil {
			return err
		}
		return tx.exec(`UPDATE webhooks_destinations SET holder = 'another', lease = lease + 1`)
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that it is told", func() bool { return !g.status(t, "a").Here })
	time.Sleep(200 * time.Millisecond)
	if after := g.number(t, state); after != before {
		t.Errorf("it wrote %d over %d", after, before)
	}
	if n := g.o.count(OutcomeHandedBack); n != 1 {
		t.Errorf("observed: %v", g.o.all())
	}
	// When the other one does not go on, it may again.
	r.respond(answers(200))
	g.keep(t, newEvent("2", ""))
	g.drain(t, "a")
	if n := g.o.count(OutcomeDelivered); n < 3 {
		t.Errorf("observed: %v", g.o.all())
	}
	if st := g.status(t, "a"); !st.Here {
		t.Errorf("%+v", st)
	}
	for _, a := range r.of("1") {
		if a.attempt > 2 {
			t.Errorf("%+v", a)
		}
	}
}

// TestLateCommit has events whose transactions take half a second, and others that
// are stored elsewhere meanwhile: nobody passes it by.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	d := newDestination("a", r.deliver)
	d.Concurrency = 1
	gateways := share(t, sharedServer.database(t), 2, d)
	if err := gateways[0].q.do(func(tx *tx) error {
		if err := tx.exec(`CREATE FUNCTION sleep() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$ LANGUAGE plpgsql`); err != nil {
			return err
		}
		return tx.exec(`CREATE TRIGGER late BEFORE INSERT ON webhooks_events FOR EACH ROW WHEN (NEW.type = 'late') EXECUTE FUNCTION sleep()`)
	}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	bySeq := make(map[int64]string)
	store := func(g *gateway, e *Event) {
		if _, err := g.g.Store(t.Context(), []*Event{e}); err != nil {
			t.Error(err)
		}
		mu.Lock()
		bySeq[e.Seq] = e.ID
		mu.Unlock()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 2 {
			e := newEvent(fmt.Sprint("late", i), "")
			e.Type = "late"
			store(gateways[0], e)
		}
	})
	wg.Go(func() {
		for i := range 60 {
			store(gateways[1], newEvent(fmt.Sprint(i), ""))
			time.Sleep(10 * time.Millisecond)
		}
	})
	wg.Wait()
	eventually(t, "delivery", func() bool { return len(r.all()) == len(bySeq) })
	var want []string
	for seq := range int64(len(bySeq)) {
		want = append(want, bySeq[seq+1])
	}
	r.wants(t, want...)
}

// TestServerStops shows that a server that is away for a while costs nothing but
// the time, whether it stops in order or not.
func TestServerStops(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	r := &receiver{answer: unreliable(10 * time.Millisecond)}
	g := start(t, quietly(postgresSettings(t, server.Database(t))), newDestination("a", r.deliver))
	var stored []string
	var mu sync.Mutex
	store := func(id string) error {
		_, err := g.g.Store(t.Context(), []*Event{newEvent(id, "")})
		if err == nil {
			mu.Lock()
			stored = append(stored, id)
			mu.Unlock()
		}
		return err
	}
	for round, end := range []func(testing.TB){server.Stop, server.Kill} {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for sender := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := store(fmt.Sprint(round, "-", sender, "-", i)); err != nil && !errors.Is(err, ErrUnavailable) {
						t.Error(err)
					}
				}
			})
		}
		time.Sleep(300 * time.Millisecond)
		end(t)
		close(stop)
		wg.Wait()
		begun := time.Now()
		if err := store("while it is away"); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if err := g.q.Ready(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if _, err := g.q.Status(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		server.Restart(t)
		eventually(t, "recovery", func() bool { return store(fmt.Sprint("recovered", round)) == nil })
		if err := g.q.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "that it is worked again", func() bool { return g.status(t, "a").Here })
	g.drain(t, "a")
	counts := r.counts()
	for _, id := range stored {
		if counts[id] == 0 {
			t.Errorf("%s is lost", id)
		}
	}
	if st := g.status(t, "a"); st.DeadLetters != 0 {
		t.Errorf("%+v", st)
	}
}

// TestServerIsNotThereYet shows that a gateway opens its queue when it can.
func TestServerIsNotThereYet(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	dsn := server.Database(t)
	server.Stop(t)
	r := new(receiver)
	g := start(t, quietly(postgresSettings(t, dsn)), newDestination("a", r.deliver))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := g.g.Store(ctx, newEvents(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"Ready": g.q.Ready(t.Context()), "Pause": g.q.Pause(t.Context(), "a"),
		"Status": second(g.q.Status(t.Context())), "Forget": second(g.q.Forget(t.Context(), "a")),
	} {
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	begun := time.Now()
	stored := make(chan error)
	go func() { // who waits is served as soon as it is there
		_, err := g.g.Store(t.Context(), newEvents(1))
		stored <- err
	}()
	time.Sleep(500 * time.Millisecond)
	server.Restart(t)
	if err := <-stored; err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	g.drain(t, "a")
	r.wants(t, "0")
}

func second[T any](_ T, err error) error { return err }

// TestServerNeverComes shows that those who wait are told, and that such a queue
// can be closed.
func TestServerNeverComes(t *testing.T) {
	t.Parallel()
	g := start(t, quietly(postgresSettings(t, "postgres://user@127.0.0.1:1/queue")), newDestination("a", new(receiver).deliver))
	begun := time.Now()
	if _, err := g.g.Store(t.Context(), newEvents(1)); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if took := time.Since(begun); took < openTimeout || took > openTimeout+time.Second {
		t.Errorf("it took %s", took)
	}
	waiting := make(chan error)
	generation := g.g
	go func() {
		_, err := generation.Store(t.Context(), newEvents(1))
		waiting <- err
	}()
	time.Sleep(50 * time.Millisecond)
	g.stop(t)
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestWrongDSN shows that what cannot work is an error, without the password.
func TestWrongDSN(t *testing.T) {
	dsn := sharedServer.database(t)
	change := func(f func(u *url.URL)) string {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	for name, c := range map[string]struct{ dsn, want string }{
		"no DSN":               {"postgres://user:s3cret@host:port:port/db", "not a DSN"},
		"an unknown parameter": {"host=127.0.0.1 password=s3cret sslmode=maybe", "not a DSN"},
		"a wrong escape":       {"postgres://user:s3cret%zz@host/db", "not a DSN"},
		"no role":              {change(func(u *url.URL) { u.User = url.UserPassword("nobody", "s3cret") }), `role "nobody" does not exist`},
		"no database": {change(func(u *url.URL) { u.User, u.Path = url.UserPassword("postgres", "s3cret"), "/nothing" }),
			`database "nothing" does not exist`},
	} {
		q, err := Open(t.Context(), postgresSettings(t, c.dsn))
		if err == nil {
			_ = q.Close()
			t.Errorf("%s: it opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}

	// One that may still come is logged, without the password as well.
	s := postgresSettings(t, "postgres://user:s3cret@127.0.0.1:1/queue")
	core, logs := observer.New(zapcore.DebugLevel)
	s.Logger = zap.New(core)
	q, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if logs.Len() == 0 {
		t.Error("nothing was logged")
	}
	for _, entry := range logs.All() {
		if text := fmt.Sprint(entry.Message, entry.ContextMap()); strings.Contains(text, "s3cret") {
			t.Error(text)
		}
	}
}

// TestOpenTogether has many gateways find an empty database at once.
func TestOpenTogether(t *testing.T) {
	gateways := share(t, sharedServer.database(t), 6)
	for i, g := range gateways {
		g.keep(t, newEvent(fmt.Sprint(i), ""))
	}
	if n := gateways[0].number(t, `SELECT count(*) FROM webhooks_migrations`); n != int64(len(migrations)) {
		t.Errorf("%d versions", n)
	}
	if err := gateways[0].q.do(func(tx *tx) error { return tx.exec(`INSERT INTO webhooks_migrations (version) VALUES (999)`) }); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), gateways[0].s); err == nil || !strings.Contains(err.Error(), "schema has version 999") {
		t.Error(err)
	}
}

// TestControlElsewhere has somebody pause, resume and replay at a gateway that does
// not work the destination.
func TestControlElsewhere(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	gateways := share(t, sharedServer.database(t), 2, newDestination("a", r.deliver))
	gateways[0].keep(t, newEvents(1)...)
	gateways[0].drain(t, "a")
	_, others := whoWorks(t, gateways, "a")
	other := others[0]
	other.wantReplayed(t, Selection{Keys: keys(newEvents(1)...)}, 1)
	begun := time.Now()
	eventually(t, "the replay", func() bool { return len(r.all()) == 2 })
	if err := other.q.Pause(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(leaseRenewal + 300*time.Millisecond)
	other.keep(t, newEvent("1", ""))
	time.Sleep(300 * time.Millisecond)
	if len(r.all()) != 2 {
		t.Error(r.ids())
	}
	if err := other.q.Resume(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rest", func() bool { return len(r.all()) == 3 })
	if took := time.Since(begun); took > 7*time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestNamesOfOthers has gateways with different configurations share a database, as
// they do while a new one is rolled out.
func TestNamesOfOthers(t *testing.T) {
	t.Parallel()
	dsn := sharedServer.database(t)
	r := new(receiver)
	d := newDestination("a", r.deliver)
	d.Concurrency = 1
	with := start(t, postgresSettings(t, dsn), d)
	with.keep(t, newEvent("1", ""))
	with.drain(t, "a")
	without := start(t, postgresSettings(t, dsn))
	waitDeclared(t, without.g)
	without.keep(t, newEvent("2", ""))
	eventually(t, "delivery", func() bool { return len(r.all()) == 2 })
	if st := without.status(t, "a"); !st.Configured || st.Here {
		t.Errorf("%+v", st)
	}

	// Another gateway says that nobody has it while nobody works it, which is wrong.
	if err := without.q.do(func(tx *tx) error {
		return tx.exec(`UPDATE webhooks_destinations SET lease = lease + 1, holder = 'gone'`)
	}); err != nil {
		t.Fatal(err)
	}
	without.reload(t)
	without.keep(t, newEvent("3", ""))
	eventually(t, "that it goes on", func() bool { return len(r.of("3")) > 0 })
	if st := without.status(t, "a"); !st.Configured {
		t.Errorf("%+v", st)
	}

	// It leaves the configuration of the one that works it, and then that of all.
	second := start(t, postgresSettings(t, dsn), d)
	waitDeclared(t, second.g)
	with.reload(t)
	whoWorks(t, []*gateway{second}, "a")
	second.keep(t, newEvent("4", ""))
	second.drain(t, "a")
	r.respond(slow(500 * time.Millisecond))
	second.keep(t, newEvent("under way", ""))
	eventually(t, "an attempt", func() bool { return len(r.of("under way")) == 1 })
	second.reload(t)
	r.respond(answers(200))
	if st := second.status(t, "a"); st.Configured {
		t.Errorf("%+v", st)
	}
	second.keep(t, newEvent("5", ""))
	with.reload(t, d)
	with.keep(t, newEvent("6", ""))
	eventually(t, "delivery", func() bool { return len(r.of("6")) > 0 })
	if got := r.ids(); !slices.Equal(got[len(got)-2:], []string{"under way", "6"}) {
		t.Error(got)
	}
}
