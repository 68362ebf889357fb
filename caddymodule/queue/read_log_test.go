package queue

import "testing"

// TestReadLogWithoutTokens has a worker read nothing, and pass nothing over, because
// another one has taken the last token since it looked.
func TestReadLogWithoutTokens(t *testing.T) {
	eachEngine(t, func(t *testing.T, s Settings) {
		g := startSeveral(t, s, 1)
		l := g.q.logs()[0]
		g.in(0).keep(t, newEvent("1", ""), newEvent("2", ""))
		l.writer.recent.forget(l.head())

		d := newDestination("a", nil)
		d.Attempts = 1
		w := newWorker(l, d.Name)
		defer g.q.pools.leave(w)
		w.era, w.capacity, w.open, w.writing = l.currentEra(), window, make(map[int64]*delivery), new(progress)
		more, err := w.readLogOnce(target{Destination: &d}, l.now())
		if err != nil || more || w.pos != 0 || len(w.fresh) != 0 {
			t.Errorf("more %v, error %v; read up to %d, %d events", more, err, w.pos, len(w.fresh))
		}
	})
}
