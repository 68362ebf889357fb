package queue

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow has the gateway begin the layout of n logs in all logs, and work destinations
// under it.
func (g *several) follow(t testing.TB, n int) {
	t.Helper()
	g.rearrange(t, n)
	for i, l := range g.q.logs() {
		var s logState
		if err := l.do(func(tx *tx) error {
			return tx.row(`SELECT last, bytes, epoch FROM webhooks_queue WHERE id = 1`, nil, &s.last, &s.bytes, &s.epoch)
		}); err != nil {
			t.Fatal(i, err)
		}
		l.beginEra(l.lastEra(), s)
		l.pokeAll()
	}
}

// failingFor returns what an application answers that cannot take one event.
func failingFor(id string) func(context.Context, *Delivery) Result {
	return func(_ context.Context, d *Delivery) Result {
		if d.ID == id {
			return Result{Status: 500}
		}
		return Result{Status: 200}
	}
}

// ofKey returns the ids of what came of a partition key, each once.
func (r *receiver) ofKey(partition string) []string {
	var ids []string
	for _, a := range r.all() {
		if a.partition == partition && !slices.Contains(ids, a.id) {
			ids = append(ids, a.id)
		}
	}
	return ids
}

// TestOrderOverASwitch has the oldest event of a key fail in the log that the key leaves:
// its later events, in the other log, wait for it.
func TestOrderOverASwitch(t *testing.T) {
	for name, path := range map[string][]int{"growing": {1, 4}, "shrinking": {4, 1}, "between": {2, 4}, "and back": {1, 4, 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := &receiver{answer: failingFor("0")}
				g := startWith(t, quietly(s), path[0], ordered("a", r.deliver))
				want := []string{"0"}
				g.keep(t, newEvent("0", in3), newEvent("free", in0))
				for i, n := range path[1:] {
					time.Sleep(soon)
					g.follow(t, n)
					for j := range 3 {
						want = append(want, fmt.Sprint("after ", i, "-", j))
						g.keep(t, newEvent(want[len(want)-1], in3))
					}
				}
				time.Sleep(time.Minute)
				if got := r.ofKey(in3); !slices.Equal(got, want[:1]) {
					t.Fatalf("%v came while the first event failed", got)
				}
				if len(r.of("free")) != 1 {
					t.Error("an event of another key did not come, or twice")
				}
				r.respond(answers(200))
				time.Sleep(time.Minute)
				if got := r.ofKey(in3); !slices.Equal(got, want) {
					t.Errorf("%v came, want %v", got, want)
				}
			})
		})
	}
}

// TestOrderOverAnEmptyLog switches twice, with no event of a key in between: those of the
// last layout wait for that of the first.
func TestOrderOverAnEmptyLog(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: failingFor("0")}
		g := startWith(t, quietly(s), 1, ordered("a", r.deliver))
		g.keep(t, newEvent("0", in3))
		time.Sleep(soon)
		g.follow(t, 2)
		time.Sleep(soon)
		g.follow(t, 4)
		g.keep(t, newEvent("1", in3))
		time.Sleep(time.Minute)
		if got := r.ofKey(in3); !slices.Equal(got, []string{"0"}) {
			t.Fatalf("%v came while the first event failed", got)
		}
		r.respond(answers(200))
		time.Sleep(time.Minute)
		if got := r.ofKey(in3); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("%v came", got)
		}
	})
}

// TestWhatDoesNotHoldOrder shows after which failures in the log that a key leaves its
// later events do not wait.
func TestWhatDoesNotHoldOrder(t *testing.T) {
	for name, c := range map[string]struct {
		partition string
		change    func(d *Destination)
	}{
		"a dead letter":            {in3, func(d *Destination) { d.Attempts = 1 }},
		"an event without a key":   {"", func(*Destination) {}},
		"an unordered destination": {in3, func(d *Destination) { d.Ordered = false }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				r := &receiver{answer: failingFor("0")}
				d := ordered("a", r.deliver)
				c.change(&d)
				g := startWith(t, quietly(s), 1, d)
				g.keep(t, newEvent("0", c.partition))
				time.Sleep(soon)
				g.follow(t, 4)
				g.keep(t, newEvent("1", in3))
				time.Sleep(5 * orderInterval)
				if len(r.of("1")) != 1 {
					t.Errorf("%v came", r.ids())
				}
			})
		})
	}
}

// TestOrderOfAReturningDestination shows that a destination that was away when the last
// events came in one log does not wait for them in another.
func TestOrderOfAReturningDestination(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		d := ordered("a", r.deliver)
		g := startWith(t, quietly(s), 1, d)
		g.reload(t)
		g.keep(t, newEvent("missed", in3))
		g.follow(t, 4)
		g.reload(t, d, ordered("new", r.deliver))
		g.keep(t, newEvent("1", in3))
		time.Sleep(time.Minute)
		r.wants(t, "1", "1")
	})
}

// reload serves other destinations, and then no more those of before.
func (g *several) reload(t testing.TB, destinations ...Destination) {
	t.Helper()
	before := g.g
	g.serve(destinations...)
	before.Stop(t.Context())
	for _, use := range g.g.uses() {
		waitDeclared(t, use)
	}
}

// TestOrderWaitsForALogThatCannotBeRead shows that a log that does not answer holds the
// later events of its keys, and nothing else.
func TestOrderWaitsForALogThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := startWith(t, quietly(s), 2, ordered("a", r.deliver))
		g.follow(t, 4)
		rename := func(statement string) {
			if err := g.q.logs()[1].do(func(tx *tx) error { return tx.exec(statement) }); err != nil {
				t.Fatal(err)
			}
		}
		rename(`ALTER TABLE webhooks_deliveries RENAME COLUMN replay TO hidden`)
		g.keep(t, newEvent("waits", in3), newEvent("free", in0))
		time.Sleep(time.Minute)
		if got := r.ids(); !slices.Equal(got, []string{"free"}) {
			t.Errorf("%v came", got)
		}
		rename(`ALTER TABLE webhooks_deliveries RENAME COLUMN hidden TO replay`)
		time.Sleep(time.Minute)
		if len(r.of("waits")) != 1 {
			t.Errorf("%v came", r.ids())
		}
	})
}

// TestOrderOverAGap has a destination be away at a switch: when it returns, what it has
// left in one log still comes before what follows in the other.
func TestOrderOverAGap(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := &receiver{answer: failingFor("0")}
		d := ordered("a", r.deliver)
		g := startWith(t, quietly(s), 1, d)
		g.keep(t, newEvent("0", in3))
		time.Sleep(soon)
		g.reload(t)
		g.follow(t, 4)
		g.keep(t, newEvent("missed", in3))
		g.reload(t, d)
		g.keep(t, newEvent("1", in3))
		time.Sleep(time.Minute)
		if len(r.of("1")) != 0 {
			t.Fatalf("%v came", r.ids())
		}
		r.respond(answers(200))
		time.Sleep(time.Minute)
		if got := r.ofKey(in3); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("%v came", got)
		}
	})
}

// TestGaveTo shows which logs give slots to another one.
func TestGaveTo(t *testing.T) {
	for _, c := range []struct {
		before, after, to int
		want              []int
	}{
		{1, 2, 0, nil}, {1, 2, 1, []int{0}},
		{2, 4, 0, nil}, {2, 4, 1, []int{0}}, {2, 4, 2, []int{1}}, {2, 4, 3, []int{1}},
		{4, 1, 0, []int{1, 2, 3}}, {3, 2, 0, []int{1}}, {3, 2, 1, []int{2}},
	} {
		l := &layout{logs: c.after, past: []pastLayout{{logs: c.before}}}
		if got := slices.Sorted(maps.Keys(l.gaveTo(0, c.to))); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestPassedBesideDeadLetters shows that a look at another log does not read the dead
// letters that the destination has there.
func TestPassedBesideDeadLetters(t *testing.T) {
	const dead = 2000
	g := start(t, postgresSettings(t, sharedServer.database(t)), newDestination("a", new(receiver).deliver))
	for _, statement := range []string{
		`INSERT INTO webhooks_events (seq, key, source, provider, type, partition_key, event_id, received, expires, size, original, body)
			SELECT i, decode(md5(i::text) || '00000000', 'hex'), '', '', '', 'k', '', 4e15, 4e15, 0, 0, '' FROM generate_series(1, %d) i`,
		`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried, status, error, partition_key, received, size)
			SELECT i, 'a', 'dead', 0, 1, 0, 4e15, 500, '', 'k', 4e15, 0 FROM generate_series(1, %d) i`,
	} {
		g.exec(t, fmt.Sprintf(statement, dead))
	}
	g.exec(t, `ANALYZE webhooks_deliveries`)
	// The first condition would be enough.
	query := strings.NewReplacer("position >= $2 AND", "", "$1", "'a'", "$2", fmt.Sprint(dead)).Replace(selectPassed)
	var plan strings.Builder
	if err := g.q.query(t.Context(), `EXPLAIN (ANALYZE, COSTS off, TIMING off) `+query, nil, func(rows *sql.Rows) error {
		var line string
		err := rows.Scan(&line)
		fmt.Fprintln(&plan, line)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plan.String(), "Rows Removed by Filter") || !strings.Contains(plan.String(), "Index Scan") {
		t.Errorf("it reads dead letters:\n%s", &plan)
	}
}
