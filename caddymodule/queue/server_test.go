package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

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
		_, err := g.g.store(t.Context(), []*Event{newEvent(id, "")})
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
	if _, err := g.g.store(ctx, newEvents(1)); !errors.Is(err, context.DeadlineExceeded) {
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
	go func() { // waiting requests are served as soon as it runs
		_, err := g.g.store(t.Context(), newEvents(1))
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

// TestServerNeverComes shows that waiting requests get an error, and that such a queue
// can be closed.
func TestServerNeverComes(t *testing.T) {
	t.Parallel()
	g := start(t, quietly(postgresSettings(t, "postgres://user@127.0.0.1:1/queue")), newDestination("a", new(receiver).deliver))
	begun := time.Now()
	if _, err := g.g.store(t.Context(), newEvents(1)); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if took := time.Since(begun); took < openTimeout || took > openTimeout+time.Second {
		t.Errorf("it took %s", took)
	}
	waiting := make(chan error)
	generation := g.g
	go func() {
		_, err := generation.store(t.Context(), newEvents(1))
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
		"no DSN":               {"postgres://user:s3cret@host:port:port/db", "invalid DSN"},
		"an unknown parameter": {"host=127.0.0.1 password=s3cret sslmode=maybe", "invalid DSN"},
		"a wrong escape":       {"postgres://user:s3cret%zz@host/db", "invalid DSN"},
		"no role":              {change(func(u *url.URL) { u.User = url.UserPassword("nobody", "s3cret") }), `role "nobody" does not exist`},
		"no database": {change(func(u *url.URL) { u.User, u.Path = url.UserPassword("postgres", "s3cret"), "/nothing" }),
			`database "nothing" does not exist`},
	} {
		q, err := openLog(t.Context(), postgresSettings(t, c.dsn))
		if err == nil {
			_ = q.close()
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
	q, err := openLog(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.close(); err != nil {
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
	if _, err := openLog(t.Context(), gateways[0].s); err == nil || !strings.Contains(err.Error(), "schema has version 999") {
		t.Error(err)
	}
}

// openPostgres prepares the connection pools of the log that a DSN leads to.
func openPostgres(dsn string, tracer pgx.QueryTracer) (*store, error) {
	at, err := newServer(0, dsn)
	if err != nil {
		return nil, err
	}
	s := newPostgres(0, tracer)
	s.server.Store(at)
	return s, nil
}
