//go:build unix

package caddymodule_test

import (
	"flag"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// fleetEvents is how many events TestFleet stores at least while all is well. There are
// some thousands more in its outages.
var fleetEvents = flag.Int("fleet-events", 2000, "how many events TestFleet stores before its outages")

const (
	// fleetConcurrency is fewer than the attempts that its logs would make together.
	fleetConcurrency = 6

	// fleetChapter is how many events are checked together.
	fleetChapter = 5000

	// frozen is how long a gateway is stopped: longer than its lease.
	frozen = 6 * time.Second
)

// TestFleet has gateways share a queue of four logs, on one PostgreSQL and on two.
func TestFleet(t *testing.T) {
	t.Parallel()
	for _, servers := range []int{1, 2} {
		t.Run(fmt.Sprintf("servers=%d", servers), func(t *testing.T) {
			t.Parallel()
			k := startCluster(t, servers, fleetConcurrency, "logs 4\n\t\t\tdedup strict")
			k.sameEvent()
			k.load(*fleetEvents)
			k.app.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
			k.inorder.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
			k.leaveAndJoin()
			k.killHolder()
			k.freeze()
			if servers > 1 {
				k.stopOneServer()
			}
		})
	}
}

// load sends a number of events through all gateways.
func (k *cluster) load(events int) {
	for ; events > 0; events -= fleetChapter {
		sent := k.start()
		waitLong(k.t, "the load is answered", func() bool { return len(sent.soFar()) >= min(events, fleetChapter) })
		k.check("a load over three gateways", sent.stop(), nil)
	}
}

// leaveAndJoin restarts one gateway after the other in order.
func (k *cluster) leaveAndJoin() {
	sent := k.start()
	for _, g := range k.gateways {
		sent.waitAnswer()
		g.stop()
		sent.waitAnswer()
		g.startReady()
	}
	sent.waitAnswer()
	k.check("each gateway left and joined", sent.stop(), nil)
}

// freeze stops a gateway for longer than its lease.
func (k *cluster) freeze() {
	sent := k.start()
	sent.waitAnswer()
	g := k.holder(inOrder)
	out := outage{gateway: g.life(), begin: time.Now(), frozen: true}
	g.signal(syscall.SIGSTOP)
	time.Sleep(frozen)
	g.signal(syscall.SIGCONT)
	out.end = time.Now()
	g.waitReady()
	sent.waitAnswer()
	k.check("a gateway was frozen", sent.stop(), []outage{out})
}

// stopOneServer stops the last server under load: events of its logs wait, and the others
// go on.
func (k *cluster) stopOneServer() {
	sent := k.start()
	sent.waitAnswer()
	down := outage{begin: time.Now()}
	server := k.servers[len(k.servers)-1]
	server.Stop(k.t)
	for _, g := range k.gateways {
		if status := g.ready(); status != http.StatusOK {
			k.t.Errorf("gateway %s with one of its servers: /webhooks/ready is %d", g.name, status)
		}
	}
	// Each sender soon comes to an event that has to wait, so more of them begin now.
	more := startTraffic(k.t, "oneserver", 64, 20*time.Millisecond, k.secret, k.gateways...)
	more.waitAnswer()
	k.app.waitTaken(k.t, more.soFar())
	if sent.unavailable.Load() == 0 {
		k.t.Error("no event was answered 503 while a server was down")
	}
	server.Restart(k.t)
	for _, g := range k.gateways {
		waitLong(k.t, "all logs answer", func() bool { return g.logsUp() == 4 })
	}
	down.end = time.Now()
	k.check("a server was stopped", append(sent.stop(), more.stop()...), []outage{down})
}

// TestGrow has a queue of one log grow to four under load, and shrink again.
func TestGrow(t *testing.T) {
	t.Parallel()
	k := startCluster(t, 1, fleetConcurrency, "")
	k.app.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
	k.inorder.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.01})
	k.restartWith("one by one, with four logs", "logs 4", false)
	k.restartWith("together, with one log", "logs 1", true)
}

// restartWith restarts all gateways under load with other words in the block of `queue`:
// one by one, or all of them together.
func (k *cluster) restartWith(what, words string, together bool) {
	sent := k.start()
	sent.waitAnswer()
	stop := func(g *child) {
		g.stop()
		g.configure(k.queue(words))
	}
	if together {
		for _, g := range k.gateways {
			stop(g)
		}
	}
	for _, g := range k.gateways {
		if !together {
			stop(g)
		}
		g.startReady()
		sent.waitAnswer()
	}
	k.check("gateways were restarted "+what, sent.stop(), nil)
}

// signal sends a signal to the gateway.
func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.process.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// logsUp returns how many logs of the queue answer the gateway.
func (c *child) logsUp() (n int) {
	c.t.Helper()
	for log := range 4 {
		if c.metric(fmt.Sprintf(`caddy_webhooks_queue_log_up{log="%d"}`, log)) == "1" {
			n++
		}
	}
	return n
}
