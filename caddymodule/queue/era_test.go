package queue

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestErasEnd ends eras under load, as failovers and late renewals do: no event is
// passed over.
func TestErasEnd(t *testing.T) {
	t.Parallel()
	r := &receiver{answer: slow(5 * time.Millisecond)}
	gateways := share(t, sharedServer.database(t), 2, newDestination("a", r.deliver), ordered("b", new(receiver).deliver))
	stop := make(chan struct{})
	var ended, stored sync.WaitGroup
	for i, g := range gateways {
		ended.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(30 * time.Millisecond):
				}
				if (n+i)%2 == 0 {
					g.q.lapse()
				} else if e := g.q.currentEra(); e != nil {
					g.q.beginEra(e, logState{last: g.q.head(), timeline: e.timeline})
				}
				g.q.kickMembership()
			}
		})
		for sender := range 4 {
			stored.Go(func() {
				for n := range 75 {
					g.keep(t, newEvent(fmt.Sprint(i, "-", sender, "-", n), fmt.Sprint(sender)))
				}
			})
		}
	}
	stored.Wait()
	close(stop)
	ended.Wait()
	for _, g := range gateways {
		g.drain(t, "a")
		g.drain(t, "b")
	}
	if n := len(r.counts()); n != 600 {
		t.Errorf("%d events came", n)
	}
}
