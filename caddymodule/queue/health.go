package queue

import "time"

// answered notes that the destination works.
func (w *worker) answered(now time.Time) {
	if w.down {
		w.down = false
		w.next.recovered = w.downSince
		w.touch(now)
		w.nextDue = now
		w.current().generation.Observer.Up(w.name)
	}
	w.streak = 0
}

// failed notes that it does not; often enough in a row, it is down.
func (w *worker) failed(t target, f finished, now time.Time) {
	if w.streak == 0 {
		w.downSince = now.Add(-f.took)
	}
	w.streak++
	switch {
	case w.down && !f.d.begun.After(w.downAt):
		return // no probe: it was under way already
	case w.down:
		w.probes++
	case w.streak >= downAfter:
		w.down, w.downAt, w.probes = true, now, 1
		w.current().generation.Observer.Down(w.name, w.streak, f.result)
		w.unready()
	default:
		return
	}
	interval := Backoff{t.Backoff.First, min(t.Backoff.Max, maxProbeInterval)}
	w.probeAt = now.Add(interval.delay(w.probes, func() float64 { return 1 }))
}

// unready takes back what was about to begin: it does not spend its attempt, and a
// crash does not either once that is written.
func (w *worker) unready() {
	if len(w.ready) == 0 {
		return
	}
	w.touch(w.q.now())
	for _, d := range w.ready {
		d.attempts--
		if d.hasRow {
			w.put(d, stateRetry, w.q.now(), Result{})
		}
	}
	w.fresh = append(w.ready, w.fresh...)
	w.ready = nil
}
