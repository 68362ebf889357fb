package queue

import "time"

// answered notes that the destination works: it is not down any more.
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

// failed notes a failure. After downAfter in a row, the destination is down.
func (w *worker) failed(t target, f finished, now time.Time) {
	if w.streak == 0 {
		w.downSince = now.Add(-f.took)
	}
	w.streak++
	switch {
	case w.down && !f.d.begun.After(w.downAt):
		return // not a probe: the attempt was already under way
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

// unready takes back deliveries that were about to begin. They do not spend their
// attempt, nor does a crash once that is written.
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
