package queue

import "time"

// answered notes that a worker's attempt has reached the destination, and reports
// whether it was down until now.
func (p *pool) answered(w *worker) (isUp bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	p.streak = 0
	if !p.down {
		return false
	}
	p.down = false
	for _, member := range p.members {
		if member.recovered.IsZero() { // else it has not seen the end of an earlier outage
			member.recovered = p.downSince
		}
	}
	p.changed(w)
	return true
}

// failed notes that a worker's attempt has failed. After downAfter failures in a row,
// the destination is down. It returns their number if it is down from now on, else 0.
func (p *pool) failed(w *worker, f finished, b Backoff, now time.Time) (streak int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if p.streak == 0 {
		p.downSince = now.Add(-f.took)
	}
	p.streak++
	switch {
	case p.down && !f.d.begun.After(p.downAt): // not a probe: the attempt was already under way
		p.changed(w)
		return 0
	case p.down:
		p.probes++
	case p.streak >= downAfter:
		p.down, p.downAt, p.probes = true, now, 1
		streak = p.streak
	default:
		return 0
	}
	interval := Backoff{b.First, min(b.Max, maxProbeInterval)}
	p.probeAt = now.Add(interval.delay(p.probes, func() float64 { return 1 }))
	p.changed(w)
	return streak
}

// cutShort notes that a worker's attempt has ended without showing whether the
// destination works.
func (p *pool) cutShort(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if p.down {
		p.changed(w)
	}
}

// changed wakes the workers but the one that has noted a result: they may probe, or must
// not begin what they have prepared. mu must be held.
func (p *pool) changed(w *worker) {
	p.changes.Add(1)
	p.pokeOthers(w)
}

// answered notes that the destination works.
func (w *worker) answered(now time.Time) {
	if w.pool.answered(w) {
		w.current().generation.Observer.Up(w.name)
	}
	w.followHealth(now)
}

// failed notes a failure.
func (w *worker) failed(t target, f finished, now time.Time) {
	if streak := w.pool.failed(w, f, t.Backoff, now); streak > 0 {
		w.current().generation.Observer.Down(w.name, streak, f.result)
	}
	w.followHealth(now)
}

// followHealth does what follows from a change of the destination's health, which an
// attempt of any log may have caused: if it is down, no attempt begins but a probe; when
// it is back, what has failed meanwhile is due.
func (w *worker) followHealth(now time.Time) {
	changes := w.pool.changes.Load()
	if changes == w.healthSeen {
		return
	}
	w.healthSeen = changes
	w.pool.mu.Lock()
	wasDown, recovered := w.down, w.recovered
	w.down = w.pool.down
	if w.lease != 0 {
		w.recovered = time.Time{}
	}
	w.pool.mu.Unlock()
	if w.down && !wasDown {
		w.unready()
	}
	if w.lease != 0 && !recovered.IsZero() {
		w.next.recovered = recovered
		w.touch(now)
		w.nextDue = now
	}
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
