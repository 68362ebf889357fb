package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// here returns in how many logs a gateway works a destination.
func (g *several) here(t testing.TB, name string) (n int) {
	t.Helper()
	for log := range g.q.logs() {
		if g.in(log).status(t, name).Here {
			n++
		}
	}
	return n
}

// wantSpread waits until each gateway works as many units as wanted: each log of shared
// is one, and each two neighbouring logs of few, which are held together.
func wantSpread(t testing.TB, gateways []*several, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d units at each of %d gateways", want, len(gateways)), func() bool {
		for _, g := range gateways {
			shared, few := g.here(t, "shared"), g.here(t, "few")
			if few%2 != 0 || shared+few/2 != want {
				return false
			}
		}
		return true
	})
}

// TestLogsAreSpread has three gateways share four logs, join and leave: each destination
// is spread over them, and gets no more attempts at a time than it allows, whoever holds
// which log.
func TestLogsAreSpread(t *testing.T) {
	t.Parallel()
	s := postgresSettings(t, sharedServer.database(t))
	shared, few := new(throng), new(throng)
	for _, h := range []*throng{shared, few} {
		h.answer = func(ctx context.Context, d *Delivery) Result {
			return slow(rand.N(30*time.Millisecond))(ctx, d)
		}
	}
	d := []Destination{newDestination("shared", shared.deliver), newDestination("few", few.deliver)}
	d[0].Concurrency = 6
	d[1].Concurrency = 2 // of two logs, each with a follower
	var gateways []*several
	for range 3 {
		gateways = append(gateways, startSeveral(t, s, 4, d...))
	}
	n := 0
	more := func() {
		for range 400 {
			gateways[n%len(gateways)].keep(t, newEvent(fmt.Sprint(n), ""))
			n++
		}
	}
	more()
	wantSpread(t, gateways, 2)
	more()
	gateways[0].stop(t)
	gateways = gateways[1:]
	more()
	wantSpread(t, gateways, 3)
	more()
	for i, h := range []*throng{shared, few} {
		gateways[0].drain(t, d[i].Name)
		if most := h.peak(); most > d[i].Concurrency {
			t.Errorf("%s: %d attempts at a time", d[i].Name, most)
		}
		h.wantEachOnce(t, n)
	}
}

// TestLayoutsShareNoParts has a queue grow while attempts take longer than a lease: those
// that begin under the new layout begin when those of the old one are over.
func TestLayoutsShareNoParts(t *testing.T) {
	t.Parallel()
	s := quietly(postgresSettings(t, sharedServer.database(t)))
	h := new(throng)
	h.answer = slow(8 * time.Second)
	d := newDestination("a", h.deliver)
	d.Concurrency = 3
	first := startSeveral(t, s, 1, d)
	for n := range 6 {
		first.keep(t, newEvent(fmt.Sprint("before-", n), ""))
	}
	eventually(t, "attempts", func() bool { return h.peak() == 3 })
	second := startSeveral(t, s, 4, d)
	for n := range 6 {
		second.keep(t, newEvent(fmt.Sprint("after-", n), ""))
	}
	eventually(t, "that attempts are cut short", func() bool { return first.o.count(OutcomeHandedBack) == 3 })
	h.respond(slow(200 * time.Millisecond))
	eventually(t, "delivery under the new layout", func() bool {
		return first.o.count(OutcomeDelivered)+second.o.count(OutcomeDelivered) == 12
	})
	if n := h.peak(); n > 3 {
		t.Errorf("%d attempts at a time", n)
	}
}
