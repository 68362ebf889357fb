package queue

import (
	"sync"
	"testing"
)

// TestReplayAtGateways replays the same dead letters at two gateways, again and again and
// in different orders: they do not fail because of each other.
func TestReplayAtGateways(t *testing.T) {
	t.Parallel()
	gateways := share(t, sharedServer.database(t), 2, newDestination("a", answers(410)))
	gateways[0].keep(t, newEvents(900)...)
	eventually(t, "dead letters", func() bool { return gateways[0].status(t, "a").DeadLetters == 900 })
	var wg sync.WaitGroup
	for _, g := range gateways {
		for _, s := range []Selection{{Dead: true}, {Search: &Search{State: StateDead}}} {
			wg.Go(func() {
				for range 5 {
					if _, err := g.q.Replay(t.Context(), s); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
}
