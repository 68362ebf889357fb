package queue

import (
	"fmt"
	"testing"
)

// TestHeldStatusAddsUp shows that the metrics of gateways that share a queue add up, also
// those of a name that has left the configuration.
func TestHeldStatusAddsUp(t *testing.T) {
	t.Parallel()
	r := new(receiver)
	a, b := newDestination("a", r.deliver), newDestination("b", r.deliver)
	s := postgresSettings(t, sharedServer.database(t))
	gateways := []*several{startSeveral(t, s, 2, a, b), startSeveral(t, s, 2, a, b)}
	for _, name := range []string{"a", "b"} {
		if err := gateways[0].q.Pause(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		gateways[i%2].keep(t, newEvent(fmt.Sprint(i), ""))
	}
	for _, g := range gateways { // b leaves
		old := g.g
		g.serve(a)
		old.Stop(t.Context())
	}
	eventually(t, "each log of both counted once", func() bool {
		backlog := make(map[string]int64)
		for _, g := range gateways {
			all, err := g.q.HeldStatus(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				backlog[s.Destination] += s.Backlog
			}
		}
		return backlog["a"] == 40 && backlog["b"] == 40
	})
}
