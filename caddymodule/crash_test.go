package caddymodule_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	crashRounds = flag.Int("crash-rounds", 2, "how often TestCrash kills the gateway under load")
	crashSeed   = flag.Uint64("crash-seed", 0, "what makes the moments of TestCrash random; 0 for another one each time")
)

// TestCrash kills the gateway at random moments under load: every event that was
// answered with 200 arrives, and what arrives twice was under way or had just
// ended.
func TestCrash(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-crash-seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	secret := newSecret()
	to := startReceiver(t)
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	sent := startTraffic(t, "e", 64, 0, secret, c)
	sent.waitAnswer()

	var outages []outage
	var restarts []time.Duration
	for round := range *crashRounds {
		mode := new(receiverMode)
		if round%2 == 1 {
			*mode = receiverMode{latency: 20 * time.Millisecond, errors: 0.01}
		}
		to.mode.Store(mode)
		time.Sleep(200*time.Millisecond + time.Duration(random.Int64N(int64(1500*time.Millisecond))))
		outages = append(outages, c.kill())
		started := time.Now()
		c.start()
		answered := sent.waitAnswer()
		restarts = append(restarts, answered.Sub(started).Round(time.Millisecond))
	}
	time.Sleep(200 * time.Millisecond)
	answered := sent.stop()
	drained := time.Now()
	waitLong(t, "the backlog is delivered", func() bool { return c.metric(`caddy_webhooks_backlog{destination="app"}`) == "0" })
	t.Logf("%d rounds, %d events answered, %d connections broken, the backlog was empty %s after the load",
		*crashRounds, len(answered), sent.broken.Load(), time.Since(drained).Round(time.Millisecond))
	t.Logf("from each start to the first answer: %s", restarts)
	to.waitTaken(t, answered)

	// A gateway that rests has written how far it is.
	time.Sleep(commitInterval + commitMargin)
	arrived := to.count()
	c.kill()
	c.startReady()
	time.Sleep(commitInterval + commitMargin)
	if n := to.count(); n != arrived {
		t.Errorf("%d requests came after all was delivered and the gateway was restarted", n-arrived)
	}

	count := checkRepeats(t, to.got(), outages)
	t.Log(count)
	if count.events != len(answered) {
		t.Errorf("%d events were answered, %d arrived", len(answered), count.events)
	}
	if dead := c.metric(`caddy_webhooks_dead_letters{destination="app"}`); dead != "0" {
		t.Errorf("%s dead letters", dead)
	}
}

// TestCrashOrdered kills the gateway under load for a destination that wants
// the events of each key in order and refuses some.
func TestCrashOrdered(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	to.mode.Store(&receiverMode{latency: 10 * time.Millisecond, errors: 0.1})
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("inorder", to, "ordered")), "SECRET="+secret)
	c.startReady()
	sent := startTraffic(t, "e", 16, 0, secret, c)
	var outages []outage
	for range 2 {
		sent.waitAnswer()
		time.Sleep(400 * time.Millisecond)
		outages = append(outages, c.kill())
		c.start()
	}
	sent.waitAnswer()
	answered := sent.stop()
	to.waitTaken(t, answered)
	got := to.got()
	t.Log(checkRepeats(t, got, outages))
	checkOrder(t, got, outages)
}

// TestCrashWhileOneWaits kills the gateway when an event of a key is under way,
// for a shorter time than the next one of that key has waited for it: they are
// written differently, and come in order all the same.
func TestCrashWhileOneWaits(t *testing.T) {
	secret := newSecret()
	to := startReceiver(t)
	to.mode.Store(&receiverMode{of: map[string]reaction{"key-0": {wait: 60 * time.Millisecond, status: http.StatusOK}, "key-1": {}}})
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "ordered")), "SECRET="+secret)
	c.startReady()
	sent := startTraffic(t, "others", 4, 0, secret, c) // something is written all the time
	sent.waitAnswer()
	answered := []string{"key-0", "key-1", "key-2", "key-3"}
	for _, id := range answered {
		if status, _, err := sendOnce(once, c.url, secret, id, "key"); err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
	}
	waitLong(t, "the second event is tried", func() bool { return to.hanging.Load() == 1 })
	time.Sleep(65 * time.Millisecond)
	outages := []outage{c.kill()}
	to.mode.Store(new(receiverMode))
	c.start()
	to.waitTaken(t, append(sent.stop(), answered...))
	checkRepeats(t, to.got(), outages)
	checkOrder(t, to.got(), outages)
}

// TestCrashBesideHanging kills the gateway while some attempts hang: what ended
// long before, between and beside them, is not repeated.
func TestCrashBesideHanging(t *testing.T) {
	t.Parallel()
	secret := newSecret()
	to := startReceiver(t)
	to.mode.Store(&receiverMode{of: map[string]reaction{"hangs1-0": {}, "hangs2-0": {}, "hangs3-0": {}}})
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"), durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	c.startReady()
	var ids []string
	for _, id := range []string{"hangs1", "works1", "works2", "hangs2", "works3", "hangs3"} {
		ids = append(ids, wantGroup(t, c, secret, id, 1, http.StatusOK)...)
		time.Sleep(commitInterval / 5)
	}
	waitLong(t, "all events are tried", func() bool { return to.hanging.Load() == 3 && to.count() == 3 })
	time.Sleep(commitInterval + commitMargin)
	outages := []outage{c.kill()}
	to.mode.Store(new(receiverMode))
	c.startReady()
	to.waitTaken(t, ids)
	time.Sleep(commitInterval + commitMargin)
	checkRepeats(t, to.got(), outages)
}

// TestCrashAfterRefusal kills the gateway when an event was refused while an
// older one is under way: afterwards it is in the log still to be read and among
// the exceptions, and yet one event.
func TestCrashAfterRefusal(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "ordered"} {
		for _, status := range []int{http.StatusInternalServerError, http.StatusGone} {
			t.Run(strings.TrimSpace(fmt.Sprint(status, " ", settings)), func(t *testing.T) {
				t.Parallel()
				secret := newSecret()
				to := startReceiver(t)
				to.mode.Store(&receiverMode{of: map[string]reaction{"hangs-0": {}, "refused-0": {status: status}}})
				c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"),
					durableSite(deliverTo("app", to, "backoff 600ms 600ms\n\t"+settings)), "SECRET="+secret)
				c.startReady()
				for i, id := range []string{"hangs", "refused", "works"} {
					wantGroup(t, c, secret, id, 1, http.StatusOK)
					waitLong(t, "the event is tried", func() bool { return to.count()+int(to.hanging.Load()) > i })
				}
				outages := []outage{c.kill()}
				to.mode.Store(new(receiverMode))
				c.startReady()
				wanted, dead := []string{"hangs-0", "works-0"}, "1"
				if status != http.StatusGone {
					wanted, dead = append(wanted, "refused-0"), "0"
				}
				to.waitTaken(t, wanted)
				time.Sleep(700 * time.Millisecond) // the backoff
				got := to.got()
				checkRepeats(t, got, outages)
				refused := slices.DeleteFunc(got, func(a arrival) bool { return a.event != "refused-0" })
				if want := len(wanted) - 1; len(refused) != want {
					t.Errorf("what was answered %d came %d times, want %d", status, len(refused), want)
				}
				if letters := c.metric(`caddy_webhooks_dead_letters{destination="app"}`); letters != dead {
					t.Errorf("%s dead letters, want %s", letters, dead)
				}
			})
		}
	}
}

// TestCrashInEveryAttempt kills the gateway during each attempt of an event:
// each counts, so that an event that kills gateways does so `attempts` times.
func TestCrashInEveryAttempt(t *testing.T) {
	t.Parallel()
	const attempts = 4
	secret := newSecret()
	to := startReceiver(t)
	to.mode.Store(&receiverMode{of: map[string]reaction{"hangs-0": {}}})
	c := newChild(t, "a", "sqlite "+filepath.Join(t.TempDir(), "webhooks", "queue.db"),
		durableSite(deliverTo("app", to, fmt.Sprintf("attempts %d", attempts))), "SECRET="+secret)
	c.startReady()
	wantGroup(t, c, secret, "hangs", 1, http.StatusOK)
	for n := range int64(attempts) {
		waitLong(t, "the event is tried", func() bool { return to.hanging.Load() > n })
		if n == 2 {
			time.Sleep(2 * commitInterval) // what takes longer is written differently
		}
		c.kill()
		c.startReady()
	}
	waitLong(t, "the event is a dead letter", func() bool {
		return c.metric(`caddy_webhooks_dead_letters{destination="app"}`) == "1" || to.hanging.Load() > attempts
	})
	if n := to.hanging.Load(); n != attempts {
		t.Errorf("the event was tried %d times, want %d", n, attempts)
	}
	for i, a := range to.got() {
		if a.attempt != i+1 {
			t.Errorf("request %d is attempt %d", i+1, a.attempt)
		}
	}
}

// TestOneFileTwoProcesses starts a second gateway on the file of a first: it says
// what to do instead, and the first goes on.
func TestOneFileTwoProcesses(t *testing.T) {
	t.Parallel()
	startSecond(t, func(string) {})
}

// TestLockRemoved is the same for a file whose lock was removed.
func TestLockRemoved(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere only queue.db.lock keeps a second process out")
	}
	t.Parallel()
	startSecond(t, func(file string) {
		if err := os.Remove(file + ".lock"); err != nil {
			t.Fatal(err)
		}
	})
}

// startSecond starts a second gateway on the file of a first, after meanwhile was
// called with it.
func startSecond(t *testing.T, meanwhile func(file string)) {
	t.Helper()
	secret := newSecret()
	to := startReceiver(t)
	file := filepath.Join(t.TempDir(), "webhooks", "queue.db")
	first := newChild(t, "first", "sqlite "+file, durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	second := newChild(t, "second", "sqlite "+file, durableSite(deliverTo("app", to, "")), "SECRET="+secret)
	first.startReady()
	sent := startTraffic(t, "e", 4, 0, secret, first)
	sent.waitAnswer()
	meanwhile(file)
	second.start()
	select {
	case <-second.process.exited:
	case <-time.After(childPatience):
		t.Fatal("the second gateway runs")
	}
	var ended *exec.ExitError
	if !errors.As(second.process.err, &ended) || ended.ExitCode() <= 0 {
		t.Errorf("the second gateway ended with %v", second.process.err)
	}
	said, err := os.ReadFile(second.logFile)
	if err != nil {
		t.Fatal(err)
	}
	said = said[bytes.LastIndexByte(bytes.TrimSpace(said), '\n')+1:]
	if !strings.Contains(string(said), file+" is in use by another process") || !strings.Contains(string(said), "queue postgres") {
		t.Errorf("the second gateway says: %s", said)
	}
	sent.waitAnswer()
	answered := sent.stop()
	to.waitTaken(t, answered)
	checkRepeats(t, to.got(), nil)
	if slices.ContainsFunc(to.got(), func(a arrival) bool { return a.gateway != first.life() }) {
		t.Error("the second gateway has delivered")
	}
}
