package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// replicated is a primary and its standby, with a proxy between them.
type replicated struct {
	primary, standby *pgtest.Server
	replication      *pgtest.Proxy
	dsn              string // of a database, at the primary
}

func replicate(t *testing.T) *replicated {
	t.Helper()
	primary := pgtest.Start(t)
	r := &replicated{primary: primary, dsn: primary.Database(t), replication: pgtest.NewProxy(t, primary.Address())}
	r.standby = primary.Standby(t, r.replication.Address())
	return r
}

// failoverApp is an application before and after a failover. It checks the order of
// the events that are stored afterwards, whose keys begin with "key-".
type failoverApp struct {
	before receiver
	after  prefixes
}

func newFailoverApp(t *testing.T, answer func(context.Context, *Delivery) Result) *failoverApp {
	a := &failoverApp{after: prefixes{t: t, running: make(map[string]bool), delivered: make(map[int]bool)}}
	a.before.answer, a.after.answer = answer, answer
	return a
}

func (a *failoverApp) deliver(ctx context.Context, d *Delivery) Result {
	if strings.HasPrefix(d.PartitionKey, "key-") {
		return a.after.deliver(ctx, d)
	}
	return a.before.deliver(ctx, d)
}

// wants fails the test unless n events with a prefix came before the failover, and
// so many after it.
func (a *failoverApp) wants(t *testing.T, name string, n int, prefix string, after int) {
	t.Helper()
	counts := a.before.counts()
	for i := range n {
		if id := fmt.Sprint(prefix, i); counts[id] == 0 {
			t.Errorf("%s: %s is lost", name, id)
		}
	}
	if lost := after - len(a.after.counts()); lost != 0 {
		t.Errorf("%s: %d of %d events that were stored after the failover are lost", name, lost, after)
	}
}

// repeats returns how many deliveries there were beside the first one of each event.
func (a *failoverApp) repeats() (n int) {
	for _, r := range []*receiver{&a.before, &a.after.receiver} {
		n += len(r.all()) - len(r.counts())
	}
	return n
}

// insist stores an event, again and again until it is stored.
func (g *gateway) insist(t testing.TB, id, key string) {
	t.Helper()
	eventually(t, "that "+id+" is stored", func() bool {
		_, err := g.g.store(context.Background(), []*Event{newEvent(id, key)})
		return err == nil
	})
}

// storeAfter stores n events of ten keys after a failover, whose ids count from
// first. Those of one key come in order, from all gateways in turn.
func storeAfter(t *testing.T, gateways []*gateway, first, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for key := range 10 {
		wg.Go(func() {
			for i := first + key; i < first+n; i += 10 {
				gateways[i/10%len(gateways)].insist(t, fmt.Sprint(i), fmt.Sprint("key-", key))
			}
		})
	}
	wg.Wait()
}

// storeEverywhere stores n events, whose ids begin with a prefix.
func storeEverywhere(t *testing.T, gateways []*gateway, prefix string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				gateways[i%len(gateways)].insist(t, fmt.Sprint(prefix, i), fmt.Sprint(prefix, part))
			}
		})
	}
	wg.Wait()
}

// drainAll waits until all gateways say that destinations have nothing left.
func drainAll(t *testing.T, gateways []*gateway, names ...string) {
	t.Helper()
	for _, g := range gateways {
		var seen any // for the message
		defer func() {
			if t.Failed() {
				t.Logf("%+v", seen)
			}
		}()
		eventually(t, "an empty backlog", func() bool {
			all, err := g.q.Status(t.Context())
			seen = all
			if err != nil {
				return false
			}
			for _, s := range all {
				for _, name := range names {
					if s.Destination == name && s.Backlog > 0 {
						return false
					}
				}
				if s.DeadLetters > 0 {
					t.Errorf("%+v", s)
				}
			}
			return true
		})
	}
}
