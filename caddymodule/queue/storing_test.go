package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// startWith opens a queue of four logs and serves destinations. Both end with the test. Its
// layout changes only if the test changes it, and begins with n logs.
func startWith(t testing.TB, s Settings, n int, destinations ...Destination) *several {
	t.Helper()
	g := &several{s: s, q: openFour(t, s), o: new(watcher)}
	t.Cleanup(func() { g.stop(t) })
	g.q.common.layout.Store(&layout{logs: n, total: 4})
	g.serve(destinations...)
	for i := range 4 {
		waitDeclared(t, g.in(i).g)
	}
	return g
}

// openFour opens four logs, in turn at the servers of the settings, or in files.
func openFour(t testing.TB, s Settings) *Queue {
	t.Helper()
	if s.Engine == SQLite {
		return openFiles(t, s, 4)
	}
	q := newQueue(s, 4)
	servers, err := newServers(s.servers())
	if err != nil {
		t.Fatal(err)
	}
	logs := make([]*eventLog, 4)
	for i := range logs {
		at := servers[i%len(servers)]
		if err = at.createSchema(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		if logs[i], err = newLog(t.Context(), s, i, at, q.common); err != nil {
			t.Fatal(err)
		}
	}
	q.common.logs.Store(&logs)
	return q
}

// rearrange spreads the slots over n logs.
func (g *several) rearrange(t testing.TB, n int) {
	t.Helper()
	g.q.common.layout.Store(g.switchLogs(t, n))
}

// switchLogs has all logs begin a layout of n logs, and returns it. The gateway still has
// the one before. Log 0 comes last.
func (g *several) switchLogs(t testing.TB, n int) *layout {
	t.Helper()
	before := g.q.layout()
	past := pastLayout{epoch: before.epoch, logs: before.logs, last: make([]int64, 4), until: make([]int64, 4)}
	for i := 3; i >= 0; i-- {
		past.last[i], past.until[i] = g.switchLog(t, i, before.epoch+1)
	}
	return &layout{epoch: before.epoch + 1, logs: n, total: 4, past: append(slices.Clone(before.past), past)}
}

// switchLog has one log begin an epoch, unless it has. It returns the end of the log and
// that of its windows.
func (g *several) switchLog(t testing.TB, number int, epoch int64) (last, until int64) {
	t.Helper()
	if err := g.q.logs()[number].do(func(tx *tx) error {
		if err := tx.row(`UPDATE webhooks_queue SET epoch = $1, counted = last WHERE id = 1 RETURNING last`, []any{epoch}, &last); err != nil {
			return err
		}
		return tx.row(`SELECT COALESCE(MAX(expires), 0) FROM (SELECT expires FROM webhooks_keys UNION ALL SELECT expires FROM webhooks_places) AS windows`, nil, &until)
	}); err != nil {
		t.Fatal(err)
	}
	return last, until
}

// wantStored fails the test unless the logs have these numbers of events.
func (g *several) wantStored(t testing.TB, want ...int64) {
	t.Helper()
	got := make([]int64, len(g.q.logs()))
	for i := range got {
		got[i] = g.in(i).number(t, `SELECT count(*) FROM webhooks_events`)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the logs have %v events, want %v", got, want)
	}
}

// wantAccepted fails the test unless exactly these events of a request are accepted.
func (g *several) wantAccepted(t testing.TB, want []bool, events ...*Event) {
	t.Helper()
	if got := g.keep(t, events...); !slices.Equal(got, want) {
		t.Errorf("%v are accepted, want %v", got, want)
	}
}

// TestStoreInLogs shows that a request's events are stored where they belong, with one
// copy of the request in each log, and that its repeat finds all of them.
func TestStoreInLogs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := startWith(t, s, 4, newDestination("a", r.deliver))
		events := func() (all []*Event) {
			request := &Request{Method: "POST", URI: "/batch"}
			for i, partition := range []string{in3, in0, in2, in3, in3, in2} {
				e := newEvent(fmt.Sprint(i), partition)
				e.Request = request
				all = append(all, e)
			}
			return all
		}
		g.wantAccepted(t, []bool{true, true, true, true, true, true}, events()...)
		g.wantAccepted(t, make([]bool, 6), events()...)
		g.wantStored(t, 1, 0, 2, 3)
		for i, want := range []int64{0, 0, 1, 1} {
			if n := g.in(i).number(t, `SELECT count(*) FROM webhooks_requests`); n != want {
				t.Errorf("log %d has %d shared requests, want %d", i, n, want)
			}
		}
		g.drain(t, "a")
		r.wantEachOnce(t, 6)
	})
}

// TestCopyForAnotherLog has a request bring an event twice, with partition keys of
// different logs.
func TestCopyForAnotherLog(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 4)
		g.wantAccepted(t, []bool{true, true, false}, newEvent("1", in0), newEvent("2", in3), newEvent("1", in3))
		g.wantStored(t, 1, 0, 0, 1)
	})
}

// TestStoreByAnOldLayout has a gateway store by a layout that has been replaced: it waits
// for the new one, and no event gets into a log that it does not belong to.
func TestStoreByAnOldLayout(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 1)
		next := g.switchLogs(t, 4)
		results := make(chan []bool)
		go func() {
			accepted, err := g.g.Store(context.Background(), []*Event{newEvent("1", in1), newEvent("2", in3), newEvent("1", in3)})
			if err != nil {
				t.Error(err)
			}
			results <- accepted
		}()
		time.Sleep(100 * time.Millisecond)
		g.wantStored(t, 0, 0, 0, 0)
		g.q.common.layout.Store(next)
		if accepted := <-results; !slices.Equal(accepted, []bool{true, true, false}) {
			t.Errorf("%v are accepted", accepted)
		}
		g.wantStored(t, 0, 1, 0, 1)
		for i := range 4 {
			g.in(i).wantBytes(t)
		}
	})
}

// TestMovedWhileStoring has a switch come between the logs of a request: what is stored
// stays where it is, and only the rest is routed again.
func TestMovedWhileStoring(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 2)
		g.switchLog(t, 1, 1)
		results := make(chan []bool)
		go func() {
			results <- g.keep(t, withoutWindow(newEvent("1", in0)), newEvent("2", in3), newEvent("3", in2))
		}()
		synctest.Wait()
		g.wantStored(t, 1, 0, 0, 0)
		g.rearrange(t, 4)
		if accepted := <-results; !slices.Equal(accepted, []bool{true, true, true}) {
			t.Errorf("%v are accepted", accepted)
		}
		g.wantStored(t, 1, 0, 1, 1)
	})
}

// TestSwitchTakesTooLong shows which error a request gets that no layout fits.
func TestSwitchTakesTooLong(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 1)
		g.switchLogs(t, 4)
		begun := time.Now()
		if _, err := g.g.Store(t.Context(), newEvents(1)); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		if took := time.Since(begun); took < moveTimeout || took > moveTimeout+time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the client went away")
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := g.g.Store(ctx, newEvents(1)); !errors.Is(err, gone) || errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

// TestGroupOfTwoEpochs has requests of two layouts wait for the same commit: that of the
// older one is not stored, and what a worker has to write is.
func TestGroupOfTwoEpochs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := startWith(t, s, 1)
		old := g.q.layout().epoch
		g.rearrange(t, 2)
		one := g.in(0)
		release := one.hold(t)
		results := make(map[string]error)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for id, epoch := range map[string]int64{"new": old + 1, "old": old, "newer": old + 1} {
			wg.Go(func() {
				_, err := one.g.storeRouted(context.Background(), epoch, []*Event{newEvent(id, "")})
				mu.Lock()
				defer mu.Unlock()
				results[id] = err
			})
		}
		eventually(t, "that all wait", func() bool { return len(one.q.writer.changes) == 3 })
		release()
		wg.Wait()
		if results["new"] != nil || results["newer"] != nil || !errors.Is(results["old"], errMoved) {
			t.Errorf("%v", results)
		}
		if n := one.number(t, `SELECT count(*) FROM webhooks_events`); n != 2 {
			t.Errorf("%d events", n)
		}
		one.wantBytes(t)
	})
}

// TestPartOfARequestFails has one of two servers be away: a request with events for both
// fails, requests for the other one do not, and a repeat stores what is missing.
func TestPartOfARequestFails(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	s := quietly(postgresSettings(t, sharedServer.database(t)))
	proxy, dsn := pgProxy(t, sharedServer.database(t))
	s.Servers = []string{dsn}
	g := startWith(t, s, 4, newDestination("a", r.deliver))
	batch := func() (all []*Event) {
		request := &Request{Method: "POST", URI: "/batch"}
		for i, partition := range []string{in0, in1, in2, in3, in0, in1} {
			e := newEvent(fmt.Sprint(i), partition)
			e.Request = request
			all = append(all, e)
		}
		return all
	}
	server := sharedServer.server.Address()
	proxy.Switch("127.0.0.1:1")
	proxy.Cut()
	begun := time.Now()
	for range 2 {
		if _, err := g.g.Store(t.Context(), batch()); !errors.Is(err, ErrUnavailable) || !strings.HasPrefix(err.Error(), "log ") {
			t.Error(err)
		}
	}
	g.wantAccepted(t, []bool{true, false}, newEvent("else", in2), newEvent("0", in0))
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	proxy.Switch(server)
	var accepted []bool
	eventually(t, "that the repeat is stored", func() (is bool) {
		var err error
		accepted, err = g.g.Store(t.Context(), batch())
		return err == nil
	})
	if !slices.Equal(accepted, []bool{false, true, false, true, false, true}) {
		t.Errorf("%v are accepted", accepted)
	}
	g.wantStored(t, 2, 2, 2, 1)
	g.drain(t, "a")
	r.wantEachOnce(t, 7)
}

// TestErrorsOfStore shows what the errors say.
func TestErrorsOfStore(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		s.StrictDedup = true
		g := startWith(t, quietly(s), 2)
		g.keep(t, newEvent("1", in0), newEvent("1", in2))
		g.rearrange(t, 4)
		e := newEvent("2", in3)
		rename := func(log int, from, to string) {
			t.Helper()
			if err := g.q.logs()[log].do(func(tx *tx) error { return tx.exec(`ALTER TABLE ` + from + ` RENAME TO ` + to) }); err != nil {
				t.Fatal(err)
			}
		}
		place := g.q.layout().logOf(placeSlot(e.Key))
		gone, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the client went away"))
		for _, c := range []struct {
			name  string
			log   int
			table string
			ctx   context.Context
			want  string
		}{
			{"the event", 3, "webhooks_events", t.Context(), "log 3: the queue is unavailable: SQL logic error: no such table: webhooks_events (1)"},
			{"its key in the old log", 1, "webhooks_keys", t.Context(), "log 1: the queue is unavailable: SQL logic error: no such table: webhooks_keys (1)"},
			{"its place", place, "webhooks_places", t.Context(), fmt.Sprintf("log %d: the queue is unavailable: SQL logic error: no such table: webhooks_places (1)", place)},
			{"a client that is gone", 0, "", gone, "the client went away"},
		} {
			if c.table != "" {
				rename(c.log, c.table, "hidden")
			}
			_, err := g.g.Store(c.ctx, copies([]*Event{e}))
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			if c.table != "" {
				rename(c.log, "hidden", c.table)
			}
		}
		g.wantAccepted(t, []bool{true}, e)
	})
}
