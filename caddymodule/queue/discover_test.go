package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// twoServers returns settings with two databases, which are to the queue as two servers.
func twoServers(t testing.TB, n int) Settings {
	t.Helper()
	s := withLogs(postgresSettings(t, sharedServer.database(t)), n)
	s.Servers = []string{sharedServer.database(t)}
	return s
}

// serversOf returns the number of the server of each log, from 0.
func serversOf(q *Queue) (all []int) {
	for _, l := range q.logs() {
		all = append(all, l.store.server.Load().number)
	}
	return all
}

// withParameter returns a DSN with another parameter.
func withParameter(t testing.TB, dsn, name, value string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestPlacement shows where logs are created, that they are found there again, and that
// none moves when a server is added.
func TestPlacement(t *testing.T) {
	t.Parallel()
	s := twoServers(t, 4)
	for range 2 {
		q := mustOpen(t, s)
		if got := serversOf(q); !slices.Equal(got, []int{0, 1, 0, 1}) {
			t.Errorf("%v", got)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
	s.Servers = append(s.Servers, sharedServer.database(t))
	s.Logs = 6
	q := mustOpen(t, s)
	if got := serversOf(q); !slices.Equal(got, []int{0, 1, 0, 1, 2, 2}) {
		t.Errorf("%v", got)
	}
	wantOneLayout(t, q, 6)
}

// run opens and closes a queue, so that its logs exist.
func run(t testing.TB, s Settings) {
	t.Helper()
	if err := mustOpen(t, s).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWrongServers shows that servers that cannot be those of one queue are an error, and
// that no queue begins there.
func TestWrongServers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T) Settings
		want    string
	}{
		"another order": {func(t *testing.T) Settings {
			s := twoServers(t, 4)
			run(t, s)
			s.DSN, s.Servers = s.Servers[0], []string{s.DSN}
			return s
		}, "put the DSN first that has log 0"},
		"another order, of one log": {func(t *testing.T) Settings {
			s := postgresSettings(t, sharedServer.database(t))
			run(t, s)
			s.DSN, s.Servers = sharedServer.database(t), []string{s.DSN}
			return s
		}, "put the DSN first that has log 0"},
		"without the first": {func(t *testing.T) Settings {
			s := twoServers(t, 2)
			run(t, s)
			s.DSN, s.Servers = s.Servers[0], nil
			return s
		}, "log 1 of another queue"},
		"logs of another queue": {func(t *testing.T) Settings {
			s, other := twoServers(t, 2), twoServers(t, 2)
			run(t, s)
			run(t, other)
			s.Servers = other.Servers
			return s
		}, "log 1 of another queue"},
		"log 0 of another queue": {func(t *testing.T) Settings {
			s, other := twoServers(t, 2), twoServers(t, 3)
			run(t, s)
			run(t, other)
			s.Servers = append(s.Servers, other.DSN)
			return s
		}, "log 0 is at server 3"},
		"one server twice": {func(t *testing.T) Settings {
			s := twoServers(t, 2)
			s.Servers[0] = withParameter(t, s.DSN, "application_name", "other")
			return s
		}, "server 2 of `queue postgres` leads to the same schema as server 1"},
		"the schema of another log": {func(t *testing.T) Settings {
			s := withLogs(postgresSettings(t, sharedServer.database(t)), 2)
			run(t, s)
			s.DSN = withParameter(t, s.DSN, "search_path", "public_webhooks_1")
			return s
		}, "has log 1; let the DSN lead to the schema of log 0"},
		"a copy of a log": {func(t *testing.T) Settings {
			s := twoServers(t, 2)
			run(t, s)
			execPostgres(t, s.DSN, `CREATE SCHEMA public_webhooks_1`)
			return s
		}, "log 1 is at server 1, and at server 2 as well"},
		"no schema": {func(t *testing.T) Settings {
			s := twoServers(t, 2)
			s.Servers[0] = withParameter(t, s.Servers[0], "search_path", "nowhere")
			return s
		}, "no schema of the search_path exists"},
		"no privilege": {func(t *testing.T) Settings {
			s := twoServers(t, 2)
			execPostgres(t, s.Servers[0], `DO $$ BEGIN CREATE ROLE nocreate LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
			u, err := url.Parse(s.Servers[0])
			if err != nil {
				t.Fatal(err)
			}
			u.User = url.UserPassword("nocreate", "s3cret")
			s.Servers[0] = u.String()
			return s
		}, "cannot create the schema public_webhooks_1 at server 2"},
		"a long name": {func(t *testing.T) Settings {
			s := withLogs(postgresSettings(t, sharedServer.database(t)), 2)
			schema := strings.Repeat("s", 60)
			execPostgres(t, s.DSN, `CREATE SCHEMA `+schema)
			s.DSN = withParameter(t, s.DSN, "search_path", schema)
			return s
		}, "is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.prepare(t)
			q, err := Open(t.Context(), s)
			if err == nil {
				_ = q.Close()
				t.Fatal("it opened")
			}
			if !errors.Is(err, errSchema) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
		})
	}
}

// execPostgres runs a statement.
func execPostgres(t *testing.T, dsn, statement string) {
	t.Helper()
	if _, err := dial(t, dsn).Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// TestFewerServers shows what a gateway does that is not configured with the server of
// another one's log: events go to the logs that it has, and none is created anew.
func TestFewerServers(t *testing.T) {
	t.Parallel()
	s := twoServers(t, 2)
	r := new(receiver)
	full := follow(t, s, newDestination("a", r.deliver))
	s.Servers = nil
	g := follow(t, quietly(s), newDestination("a", r.deliver))
	g.wantLogs(t, 2)
	if _, err := g.g.Store(t.Context(), []*Event{newEvent("0", in0)}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.g.Store(ctx, []*Event{newEvent("3", in3)}); err == nil {
		t.Error("it is stored")
	}
	full.keep(t, newEvent("3", in3))
	eventually(t, "both events", func() bool { return len(r.counts()) == 2 })
}

// TestServerAway starts a gateway while a server is down: the logs of the other one work,
// and those of this one when it is back.
func TestServerAway(t *testing.T) {
	t.Parallel()
	for _, away := range []int{0, 1} {
		t.Run(fmt.Sprintf("server %d", away), func(t *testing.T) {
			t.Parallel()
			servers := []*pgtest.Server{pgtest.Start(t), pgtest.Start(t)}
			s := quietly(withLogs(postgresSettings(t, servers[0].Database(t)), 2))
			s.Servers = []string{servers[1].Database(t)}
			before := follow(t, s)
			eventually(t, "that all windows are known", func() bool {
				all, err := before.q.survey(t.Context())
				return err == nil && all.isSettled(all.current())
			})
			before.stop(t)
			servers[away].Stop(t)
			r := new(receiver)
			g := follow(t, s, newDestination("a", r.deliver))
			g.wantLogs(t, 2)
			partitions := []string{in0, in3}
			g.keep(t, newEvent("while", partitions[1-away]))
			eventually(t, "the event", func() bool { return len(r.of("while")) > 0 })
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := g.g.Store(ctx, []*Event{newEvent("refused", partitions[away])}); err == nil {
				t.Error("it is stored")
			}
			servers[away].Restart(t)
			g.keep(t, newEvent("back", partitions[away]))
			g.drain(t, "a")
			eventually(t, "the event", func() bool { return len(r.of("back")) > 0 })
		})
	}
}

// TestServerAwayBeforeGrowth starts a gateway that is to grow a queue while a server is
// down: it waits with that, and the queue works as it is.
func TestServerAwayBeforeGrowth(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := quietly(withLogs(postgresSettings(t, sharedServer.database(t)), 1))
	run(t, s)
	s.Logs, s.Servers = 2, []string{server.Database(t)}
	server.Stop(t)
	r := new(receiver)
	g := follow(t, s, newDestination("a", r.deliver))
	g.keep(t, newEvent("before", ""))
	if n := g.q.layout().logs; n != 1 {
		t.Errorf("%d logs", n)
	}
	server.Restart(t)
	g.wantLogs(t, 2)
	g.keep(t, newEvent("after", in0), newEvent("after, too", in3))
	g.drain(t, "a")
	r.wantEachOnce(t, 3)
}
