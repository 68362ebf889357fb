package queue

import (
	"maps"
	"time"
)

// progress is what a worker writes in one transaction.
type progress struct {
	name     string
	lease    int64
	timeline string // that the lease was acquired on

	position, begun int64
	put             map[int64]deferred
	remove          map[int64]bool
	begin           []*delivery // whose attempt begins after that
	recovered       time.Time   // failures since then are due now
	release         bool        // another gateway may take over at once
	isPaused        bool        // read back
	lost            bool        // read back: another gateway has taken over, nothing was written
}

// size returns how many deferred deliveries change.
func (p *progress) size() int { return len(p.put) + len(p.remove) }

// put has a deferred delivery written.
func (w *worker) put(d *delivery, state string, due time.Time, result Result) {
	d.hasRow = true
	if w.next.put == nil {
		w.next.put = make(map[int64]deferred)
	}
	delete(w.next.remove, d.Seq)
	now := w.q.now()
	w.next.put[d.Seq] = deferred{delivery: d, attempts: d.attempts, state: state, due: due, tried: now, result: result}
	w.touch(now)
}

// settle has it written that nothing more is to be done.
func (w *worker) settle(d *delivery) {
	w.drop(d)
	w.touch(w.q.now())
	if !d.hasRow {
		return
	}
	if w.next.remove == nil {
		w.next.remove = make(map[int64]bool)
	}
	delete(w.next.put, d.Seq)
	w.next.remove[d.Seq] = true
}

// touch notes that there is something to be written.
func (w *worker) touch(now time.Time) {
	if w.dirty.IsZero() {
		w.dirty = now
	}
}

// write submits what is to be written, if there is anything that cannot wait and
// nothing is being written already.
func (w *worker) write(t target, now time.Time) {
	if w.pending != nil {
		return
	}
	marked := min(len(w.fresh), w.room(t, now))
	if marked == 0 && !w.isUrgent(now) {
		return
	}
	p := w.next
	p.begin, w.fresh = w.fresh[:marked:marked], w.fresh[marked:]
	w.next, w.dirty = progress{}, time.Time{}
	if p.put == nil {
		p.put = make(map[int64]deferred)
	}
	for _, d := range p.begin {
		d.attempts++
		if d.hasRow {
			p.put[d.Seq] = deferred{delivery: d, attempts: d.attempts, state: stateRunning, due: now, tried: now}
		}
	}
	w.putSlow(p.put, now)
	for seq, d := range p.put {
		d.event = d.Event // which the delivery exchanges when it lets go of its bytes
		p.put[seq] = d
	}
	p.position, p.begun = w.position()
	if p.position < w.settled {
		w.touch(now) // what is too young to be a deferred delivery keeps it from passing what is settled
	}
	w.sign(&p)
	w.writing = &p
	w.pending = &change{progress: &p}
	w.q.writer.handOver(w.pending)
}

// sign says on whose behalf progress is written.
func (w *worker) sign(p *progress) { p.name, p.lease, p.timeline = w.name, w.lease, w.era.timeline }

// isUrgent reports whether what is to be written cannot wait any longer.
func (w *worker) isUrgent(now time.Time) bool {
	return !w.dirty.IsZero() && (len(w.releases) > 0 || now.Sub(w.dirty) >= commitInterval)
}

// putSlow makes deferred deliveries of deliveries that would keep the position from
// passing others that are settled, and of those that wait while attempts were
// begun after them, or are about to be: after a crash it would look as if they had
// been tried.
func (w *worker) putSlow(put map[int64]deferred, now time.Time) {
	_, begun := w.position()
	for seq, d := range w.open {
		untried := d.attempts == 0 && seq < begun
		slow := seq < w.settled && now.Sub(d.since) >= commitInterval
		if d.hasRow || !untried && !slow {
			continue
		}
		d.hasRow = true
		state := stateRetry
		if d.running {
			state = stateRunning
		}
		put[seq] = deferred{delivery: d, attempts: d.attempts, state: state, due: now, tried: now}
	}
}

// position returns up to where everything is settled or a deferred delivery, and up to
// where attempts may have begun.
func (w *worker) position() (position, begun int64) {
	position = w.pos
	for seq, d := range w.open {
		if d.hasRow {
			continue
		}
		position = min(position, seq-1)
		if d.attempts > 0 {
			begun = max(begun, seq)
		}
	}
	return position, max(position, begun, w.lastBegun)
}

// wrote goes on after something was written, or not.
func (w *worker) wrote(err error) {
	p := w.writing
	w.pending, w.writing = nil, new(progress)
	now := w.q.now()
	if err == nil && p.lost {
		w.lose()
		return
	}
	if err == nil {
		w.q.ended.Add(int64(len(p.remove)))
		if w.q.shared() && p.isPaused != w.paused { // at another gateway, or since
			w.pausing.Store(true)
		}
		w.ready = append(w.ready, p.begin...)
		if w.paused || w.down && len(w.ready) > 1 { // since that was submitted
			w.unready()
		}
		for _, d := range p.put {
			d.rowWritten = true
		}
		if !p.recovered.IsZero() {
			w.nextDue = time.Time{}
		}
		return
	}
	for _, d := range p.begin {
		d.attempts--
		if d.hasRow { // which may have been about to be written for the first time
			p.put[d.Seq] = deferred{delivery: d, attempts: d.attempts, state: stateRetry, due: now, tried: now}
		}
	}
	w.fresh = append(p.begin, w.fresh...)
	w.again(p)
	w.retryLater(err, now)
}

// again has what was not written be written with what came since, which wins.
func (w *worker) again(p *progress) {
	for seq := range w.next.put {
		delete(p.remove, seq)
	}
	for seq := range w.next.remove {
		delete(p.put, seq)
	}
	if p.put == nil {
		p.put = make(map[int64]deferred)
	}
	if p.remove == nil {
		p.remove = make(map[int64]bool)
	}
	maps.Copy(p.put, w.next.put)
	maps.Copy(p.remove, w.next.remove)
	if !p.recovered.IsZero() { // the earlier one
		w.next.recovered = p.recovered
	}
	w.next.put, w.next.remove = p.put, p.remove
	w.touch(w.q.now())
}
