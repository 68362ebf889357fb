package queue

import "time"

// note notes what a worker's attempt shows of the destination's health. It is called before
// the attempt's token is given back: the next attempt may use it before the worker has
// seen the result of this one.
func (p *pool) note(w *worker, f *finished, b Backoff) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	switch {
	case f.cut: // which shows nothing
		if p.down {
			p.changed(w)
		}
	case f.result.isSuccess(), f.result.isDefinite():
		f.isUp = p.answered(w)
	default:
		f.streak = p.failed(w, f, b)
	}
}

// answered notes that an attempt has reached the destination, and reports whether it was
// down until now. mu must be held.
func (p *pool) answered(w *worker) (isUp bool) {
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

// failed notes that an attempt has failed. After downAfter failures in a row, the
// destination is down. It returns their number if it is down from now on, else 0. mu must
// be held.
func (p *pool) failed(w *worker, f *finished, b Backoff) (streak int) {
	if p.streak == 0 {
		p.downSince = f.begun
	}
	p.streak++
	now := f.begun.Add(f.took)
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

// changed wakes the workers but the one that has noted a result: they may probe, or must
// not begin what they have prepared. mu must be held.
func (p *pool) changed(w *worker) {
	p.changes.Add(1)
	p.pokeOthers(w)
}

// reportHealth reports that an attempt has shown the destination to be up or down, when it
// was not before.
func (w *worker) reportHealth(f finished) {
	switch {
	case f.isUp:
		w.current().generation.Observer.Up(w.name)
	case f.streak > 0:
		w.current().generation.Observer.Down(w.name, f.streak, f.result)
	}
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
