package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// storeAll stores each event in a call of its own, all at once, and returns what
// became of them.
func storeAll(g *logGeneration, events []*Event) (accepted []bool, errs []error) {
	accepted, errs = make([]bool, len(events)), make([]error, len(events))
	var wg sync.WaitGroup
	for i, e := range events {
		wg.Go(func() {
			var one []bool
			if one, errs[i] = g.store(context.Background(), []*Event{e}); errs[i] == nil {
				accepted[i] = one[0]
			}
		})
	}
	wg.Wait()
	return accepted, errs
}

func wantAccepted(t testing.TB, got []bool, want ...bool) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("accepted: %v, want %v", got, want)
	}
}

func TestDuplicates(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		wantAccepted(t, g.keep(t, newEvent("1", ""), newEvent("2", ""), newEvent("1", "")), true, true, false)
		wantAccepted(t, g.keep(t, newEvent("2", ""), newEvent("3", ""), newEvent("1", "")), false, true, false)
		wantAccepted(t, g.keep(t), []bool{}...)

		// In one group, in calls of their own.
		release := g.hold(t)
		same := []*Event{newEvent("4", ""), newEvent("4", ""), newEvent("4", ""), newEvent("5", "")}
		time.AfterFunc(50*time.Millisecond, release)
		accepted, errs := storeAll(g.g, same)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, ok := range accepted[:3] {
			if ok {
				n++
			}
		}
		if n != 1 || !accepted[3] {
			t.Errorf("accepted: %v, want one of the first three, and the last", accepted)
		}
		eventually(t, "delivery", func() bool { return len(r.all()) == 5 })
		g.drain(t, "a")
		r.wantEachOnce(t, 5)
	})
}

// TestDuplicateRace shows that of many at once exactly one is accepted (Convoy
// #2747).
func TestDuplicateRace(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := start(t, s)
		for round := range 20 {
			var same []*Event
			for range 64 {
				same = append(same, newEvent(fmt.Sprint(round), ""))
			}
			accepted, errs := storeAll(g.g, same)
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, ok := range accepted {
				if ok {
					n++
				}
			}
			if n != 1 {
				t.Fatalf("%d of 64 were accepted", n)
			}
		}
		if n := g.number(t, `SELECT count(*) FROM webhooks_events`); n != 20 {
			t.Errorf("there are %d events", n)
		}
	})
}

func TestWindow(t *testing.T) {
	bubble(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		one := func() *Event {
			e := newEvent("1", "")
			e.Window = time.Hour
			return e
		}
		wantAccepted(t, g.keep(t, one()), true)
		time.Sleep(time.Hour - time.Second)
		wantAccepted(t, g.keep(t, one()), false)
		time.Sleep(time.Second)
		wantAccepted(t, g.keep(t, one()), true)
		// The window is that of the event that was accepted, not of a duplicate.
		time.Sleep(50 * time.Minute)
		wantAccepted(t, g.keep(t, one()), false)
		time.Sleep(10 * time.Minute)
		wantAccepted(t, g.keep(t, one(), one()), true, false)
		time.Sleep(soon)
		r.wants(t, "1", "1", "1")
	})
}

func TestNoWindow(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		r := new(receiver)
		g := start(t, s, newDestination("a", r.deliver))
		one := func() *Event {
			e := newEvent("1", "")
			e.Window = 0
			return e
		}
		wantAccepted(t, g.keep(t, one(), one()), true, true)
		wantAccepted(t, g.keep(t, one()), true)
		g.drain(t, "a")
		r.wants(t, "1", "1", "1")

		// A window that begins now sees what came before.
		wantAccepted(t, g.keep(t, newEvent("1", "")), true)
		wantAccepted(t, g.keep(t, newEvent("1", "")), false)
		wantAccepted(t, g.keep(t, one()), true)
	})
}
