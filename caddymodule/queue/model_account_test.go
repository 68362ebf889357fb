package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// account is the model of TestModel: what a queue owes, and what it has done. The
// applications and observers of all processes of a schedule report to it, one after
// another, and it fails the test for whatever package queue does not allow.
type account struct {
	t    *testing.T
	seed uint64

	mu          sync.Mutex
	events      map[string]*accounted   // by ID: those that are stored, or may be
	byPartition map[string][]*accounted // in the order in which they were stored
	expires     map[envelope.Key]time.Time
	running     map[string]int  // attempts by destination
	paused      map[string]bool // destinations
	isDown      map[string]time.Time
	isHealed    bool // every application answers 200 at once
	losses      []*loss
}

// loss is a time in which a gateway could not write what had become of attempts: a
// crash, or a lease that it has lost.
type loss struct{ from, to time.Time }

// accounted is an event.
type accounted struct {
	*Event
	isKept       bool // Store has accepted it
	destinations map[string]*deliveryAccount
}

// deliveryAccount is an event on its way to one destination.
type deliveryAccount struct {
	attempts    int // that were made
	last        int // the number of the last one
	isRunning   bool
	isDelivered bool
	isDead      bool
	begun       time.Time // the last attempt
	ended       time.Time // the last attempt that was acknowledged, or that killed it
	history     []string  // for people
}

func (d *deliveryAccount) note(format string, args ...any) {
	d.history = append(d.history, time.Now().Format(modelTime)+" "+fmt.Sprintf(format, args...))
}

func newAccount(t *testing.T, seed uint64) *account {
	return &account{
		t: t, seed: seed,
		events: make(map[string]*accounted), byPartition: make(map[string][]*accounted),
		expires: make(map[envelope.Key]time.Time), running: make(map[string]int),
		paused: make(map[string]bool), isDown: make(map[string]time.Time),
	}
}

// offer notes an event that is about to be stored.
func (a *account) offer(e *Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := &accounted{Event: e, destinations: make(map[string]*deliveryAccount)}
	a.events[e.ID] = one
	a.byPartition[e.PartitionKey] = append(a.byPartition[e.PartitionKey], one)
}

// keep notes that an event is stored.
func (a *account) keep(e *Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events[e.ID].isKept = true
	a.expires[e.Key] = e.Received.Add(e.Window)
}

// forget notes that an event is not stored.
func (a *account) forget(e *Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.events[e.ID]
	if len(one.destinations) > 0 {
		a.t.Errorf("event %s was tried, and Store says that it is a duplicate", e.ID)
	}
	delete(a.events, e.ID)
	a.byPartition[e.PartitionKey] = slices.DeleteFunc(a.byPartition[e.PartitionKey], func(other *accounted) bool { return other == one })
}

// isDuplicate reports whether an event was stored, and its window has not ended.
func (a *account) isDuplicate(key envelope.Key) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.expires[key])
}

// lose notes that the results of attempts may not be written, from now until the function
// that it returns is called.
func (a *account) lose() (found func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := &loss{from: time.Now(), to: time.Now().Add(time.Hour)}
	a.losses = append(a.losses, l)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		l.to = time.Now()
	}
}

// unwrittenFor is how long the result of an attempt may wait before it is written, with
// the time for which a schedule holds the writer.
const unwrittenFor = commitInterval + maxHold

// isLost reports whether the result of the last attempt may be lost.
func (a *account) isLost(d *deliveryAccount) bool {
	return slices.ContainsFunc(a.losses, func(l *loss) bool {
		return !d.ended.Before(l.from.Add(-unwrittenFor)) && !d.begun.After(l.to)
	})
}

// fail fails the test, for an event at a destination.
func (a *account) fail(e *Event, destination, format string, args ...any) {
	var history []string
	if one := a.events[e.ID]; one != nil && one.destinations[destination] != nil {
		history = one.destinations[destination].history
	}
	a.t.Errorf("%s: event %s (seq %d) of %q at %s: %s; before: %s", time.Now().Format(modelTime), e.ID, e.Seq, e.PartitionKey, destination,
		fmt.Sprintf(format, args...), strings.Join(history, ", "))
}

// begin notes an attempt, and returns what the application makes of it.
func (a *account) begin(to *Destination, d *Delivery) (answer modelAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[to.Name]++
	if n := a.running[to.Name]; n > to.Concurrency {
		a.fail(d.Event, to.Name, "%d attempts at a time, and concurrency is %d", n, to.Concurrency)
	}
	if a.paused[to.Name] {
		a.fail(d.Event, to.Name, "an attempt while it is paused")
	}
	one := a.events[d.ID]
	if one == nil {
		a.fail(d.Event, to.Name, "an attempt, and Store has refused it")
		return modelAnswer{status: 200}
	}
	was := one.destinations[to.Name]
	if was == nil {
		was = new(deliveryAccount)
		one.destinations[to.Name] = was
	}
	a.checkAttempt(to, d, was)
	if to.Ordered && d.PartitionKey != "" {
		a.checkOrder(to, one)
	}
	was.isRunning, was.isDelivered, was.isDead = true, false, false
	was.attempts++
	was.last, was.begun = d.Attempt, time.Now()
	was.note("attempt %d", d.Attempt)
	if a.isHealed {
		return modelAnswer{status: 200}
	}
	if time.Now().Before(a.isDown[to.Name]) {
		return modelAnswer{status: 502}
	}
	return answerOf(a.seed, to.Name, d.ID, was.attempts)
}

// checkAttempt checks one attempt against those before it.
func (a *account) checkAttempt(to *Destination, d *Delivery, was *deliveryAccount) {
	switch {
	case was.isRunning:
		a.fail(d.Event, to.Name, "two attempts at a time")
	case was.isDelivered && !a.isLost(was):
		a.fail(d.Event, to.Name, "an attempt after it was acknowledged at %s", was.ended.Format(modelTime))
	case was.isDead && !a.isLost(was):
		a.fail(d.Event, to.Name, "an attempt after it died at %s", was.ended.Format(modelTime))
	case d.Attempt <= was.last:
		a.fail(d.Event, to.Name, "attempt %d after %d", d.Attempt, was.last)
	case d.Attempt > to.Attempts, was.attempts >= to.Attempts:
		a.fail(d.Event, to.Name, "attempt %d, with %d before, of %d", d.Attempt, was.attempts, to.Attempts)
	}
}

// checkOrder checks that all events of the same key that came before one are done with,
// and that none that came after it is under way. It may have been, before a loss.
func (a *account) checkOrder(to *Destination, one *accounted) {
	isLater := false
	for _, other := range a.byPartition[one.PartitionKey] {
		was := other.destinations[to.Name]
		switch {
		case other == one:
			isLater = true
		case isLater && was != nil && was.isRunning:
			a.fail(one.Event, to.Name, "an attempt beside %s, which is younger", other.ID)
		case isLater, !other.isKept:
		case was == nil || was.isRunning || !was.isDelivered && !was.isDead:
			a.fail(one.Event, to.Name, "an attempt before %s, which is older, is done with", other.ID)
		}
	}
}

// end notes that an attempt has ended.
func (a *account) end(to *Destination, d *Delivery, r Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[to.Name]--
	one := a.events[d.ID]
	if one == nil {
		return
	}
	was := one.destinations[to.Name]
	was.isRunning = false
	was.note("%d %v", r.Status, r.Err)
	if r.isSuccess() {
		was.isDelivered, was.ended = true, time.Now()
	}
}

// die notes that an event has become a dead letter.
func (a *account) die(destination string, d *Delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.events[d.ID]
	if one == nil {
		a.fail(d.Event, destination, "it died, and Store has refused it")
		return
	}
	was := one.destinations[destination]
	if was == nil { // all its attempts were written ahead of a crash, and none was made
		was = new(deliveryAccount)
		one.destinations[destination] = was
	}
	if was.isDelivered && !a.isLost(was) {
		a.fail(d.Event, destination, "it died after it was acknowledged")
	}
	was.isDead, was.ended = true, time.Now()
	was.note("dead")
}

// crash ends the attempts of a process that is gone.
func (a *account) crash() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.running)
	for _, one := range a.events {
		for _, d := range one.destinations {
			if d.isRunning {
				d.isRunning = false
				d.note("crash")
			}
		}
	}
}

// check checks, after everything is settled, that each event is delivered or among the
// dead letters of a destination.
func (a *account) check(destination string, dead []DeadLetter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inQueue := make(map[string]bool)
	for _, d := range dead {
		if inQueue[d.EventID] {
			a.t.Errorf("%s has two dead letters of %s", destination, d.EventID)
		}
		inQueue[d.EventID] = true
	}
	for _, one := range a.events {
		was := one.destinations[destination]
		switch {
		case !one.isKept:
			a.t.Errorf("event %s is still not known to be stored", one.ID)
		case was == nil:
			a.fail(one.Event, destination, "it was never tried")
		case was.isDead != inQueue[one.ID]:
			a.fail(one.Event, destination, "it is a dead letter: %v, and the observer has seen: %v", inQueue[one.ID], was.isDead)
		case !was.isDead && !was.isDelivered:
			a.fail(one.Event, destination, "it is lost after %d attempts", was.attempts)
		}
	}
}

// modelAnswer is how an application answers, and after how long.
type modelAnswer struct {
	status int
	after  time.Duration
}

// give waits and returns the answer.
func (m modelAnswer) give(ctx context.Context) Result {
	if m.after > 0 && !wait(ctx, m.after) {
		return Result{Err: ctx.Err()}
	}
	return Result{Status: m.status}
}
