package caddymodule_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue/pgtest"
)

// databaseOutage is how long the server is down.
var databaseOutage = flag.Duration("database-outage", 2*time.Second, "for how long TestGateways stops PostgreSQL")

const (
	// leaseTime is the queue's: how long a lease lasts unless it is renewed.
	leaseTime = 5 * time.Second

	// takeover is how long others may take to notice that a gateway died, and to go
	// on with its destinations.
	takeover = 10 * time.Second

	// destinations of TestGateways.
	anyOrder, inOrder = "app", "inorder"
)

// cluster is three gateways on one or more PostgreSQL servers.
type cluster struct {
	t            testing.TB
	secret       string
	servers      []*pgtest.Server
	gateways     []*child
	app, inorder *receiver
	concurrency  int // of each destination
	traffic      int
}

// startCluster starts as many servers, and three gateways with these words in the block of
// `queue postgres`.
func startCluster(t testing.TB, servers, concurrency int, words string) *cluster {
	t.Helper()
	k := &cluster{t: t, secret: newSecret(), app: startReceiver(t), inorder: startReceiver(t), concurrency: concurrency}
	env := []string{"SECRET=" + k.secret}
	for i := range servers {
		server := pgtest.Start(t)
		k.servers = append(k.servers, server)
		// The server trusts everyone; the gateways must keep the password to themselves.
		dsn := strings.Replace(server.Database(t), "postgres@", "postgres:"+newSecret()+"@", 1)
		env = append(env, fmt.Sprintf("DSN%d=%s", i, dsn))
	}
	limit := fmt.Sprintf("concurrency %d", concurrency)
	for _, name := range []string{"a", "b", "c"} {
		g := newChild(t, name, k.queue(words), durableSite(
			deliverTo(anyOrder, k.app, limit), deliverTo(inOrder, k.inorder, "ordered\n\t"+limit)), env...)
		g.start()
		k.gateways = append(k.gateways, g)
	}
	for _, g := range k.gateways {
		g.waitReady()
	}
	return k
}

// queue returns the arguments of the option, with words in its block.
func (k *cluster) queue(words string) string {
	var text strings.Builder
	text.WriteString("postgres")
	for i := range k.servers {
		fmt.Fprintf(&text, " {env.DSN%d}", i)
	}
	if words != "" {
		fmt.Fprintf(&text, " {\n\t\t\t%s\n\t\t}", words)
	}
	return text.String()
}

// start has all gateways sent to by 24 senders.
func (k *cluster) start() *traffic {
	k.t.Helper()
	k.traffic++
	return startTraffic(k.t, fmt.Sprintf("load%d", k.traffic), 24, 20*time.Millisecond, k.secret, k.gateways...)
}

// check checks that all events have arrived, repeated only because of outages,
// and in order where that was asked for; it begins the next chapter.
func (k *cluster) check(what string, events []string, outages []outage) {
	k.t.Helper()
	k.app.waitTaken(k.t, events)
	k.inorder.waitTaken(k.t, events)
	time.Sleep(commitInterval + commitMargin) // for what should not come
	for _, g := range k.gateways {
		outages = append(outages, g.lapses()...)
	}
	for _, to := range []*receiver{k.app, k.inorder} {
		got := to.got()
		count := checkRepeats(k.t, got, outages)
		checkConcurrency(k.t, got, k.concurrency)
		if count.events != len(events) {
			k.t.Errorf("%d events arrived, %d were answered", count.events, len(events))
		}
		if to == k.inorder {
			checkOrder(k.t, got, outages)
		}
		k.t.Logf("%s: %s", what, count)
		to.forget()
	}
}

// holder returns the gateway that works a destination.
func (k *cluster) holder(destination string) *child {
	k.t.Helper()
	var holder *child
	waitLong(k.t, "a gateway works "+destination, func() bool {
		i := slices.IndexFunc(k.gateways, func(g *child) bool { return g.works(destination) })
		if i >= 0 {
			holder = k.gateways[i]
		}
		return i >= 0
	})
	return holder
}

// TestGateways has three gateways share a PostgreSQL.
func TestGateways(t *testing.T) {
	t.Parallel()
	k := startCluster(t, 1, 64, "")
	k.sameEvent()
	sent := k.start()
	time.Sleep(time.Second)
	k.check("a load over three gateways", sent.stop(), nil)
	k.app.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
	k.inorder.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
	k.killHolder()
	if !k.servers[0].IsGiven() {
		k.stopServer()
	}
}

// sameEvent sends each event to all gateways at once.
func (k *cluster) sameEvent() {
	const events = 20
	ids := make([]string, events)
	var wg sync.WaitGroup
	for i := range ids {
		ids[i] = fmt.Sprintf("same%d-0", i)
		for _, g := range k.gateways {
			wg.Go(func() {
				if status, _, err := sendOnce(once, g.url, k.secret, ids[i], ids[i]); err != nil || status != http.StatusOK {
					k.t.Errorf("%s was answered %d %v by gateway %s", ids[i], status, err, g.name)
				}
			})
		}
	}
	wg.Wait()
	k.check("each event to all gateways at once", ids, nil)
	for outcome, want := range map[string]int{"accepted": events, "duplicate": 2 * events} {
		got := 0
		for _, g := range k.gateways {
			var n int
			_, _ = fmt.Sscan(g.metric(fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="notifly"}`, outcome)), &n) // 0 if it is not there
			got += n
		}
		if got != want {
			k.t.Errorf("%d requests were %s, want %d", got, outcome, want)
		}
	}
}

// killHolder kills the gateway that works the ordered destination.
func (k *cluster) killHolder() {
	sent := k.start()
	sent.waitAnswer()
	time.Sleep(500 * time.Millisecond)
	dead := k.holder(inOrder)
	died := dead.kill()
	for name, to := range map[string]*receiver{anyOrder: k.app, inOrder: k.inorder} {
		var first arrival
		waitLong(k.t, "another gateway works "+name, func() bool {
			got := to.got()
			i := slices.IndexFunc(got, func(a arrival) bool { return a.gateway != died.gateway && a.begin.After(died.begin) })
			if i >= 0 {
				first = got[i]
			}
			return i >= 0
		})
		after := first.begin.Sub(died.end)
		k.t.Logf("%s: gateway %s delivers %s after gateway %s was killed", name, first.gateway, after.Round(time.Millisecond), died.gateway)
		if after > takeover {
			k.t.Errorf("that is too late")
		}
	}
	time.Sleep(500 * time.Millisecond)
	k.check("a gateway was killed", sent.stop(), []outage{died})
	dead.startReady()
}

// stopServer stops PostgreSQL under load, and starts it again.
func (k *cluster) stopServer() {
	sent := k.start()
	sent.waitAnswer()
	time.Sleep(500 * time.Millisecond)
	down := outage{begin: time.Now()}
	k.servers[0].Stop(k.t)
	for _, g := range k.gateways {
		status, header, err := sendOnce(once, g.url, k.secret, "down-0", "down-0")
		if err != nil || status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			k.t.Errorf("gateway %s without its database: %d %v %v", g.name, status, header, err)
		}
		if status := g.ready(); status != http.StatusServiceUnavailable {
			k.t.Errorf("gateway %s without its database: /webhooks/ready is %d", g.name, status)
		}
	}
	time.Sleep(*databaseOutage)
	k.servers[0].Restart(k.t)
	back := time.Now()
	down.end = sent.waitAnswer()
	for _, g := range k.gateways {
		g.waitReady()
	}
	k.t.Logf("the database was down for %s; the first answer came %s after it was back, all gateways were ready after %s; %d answers of 503",
		back.Sub(down.begin).Round(time.Millisecond), down.end.Sub(back).Round(time.Millisecond), time.Since(back).Round(time.Millisecond), sent.unavailable.Load())
	time.Sleep(time.Second)
	k.check("the database was stopped", sent.stop(), []outage{down})
}
