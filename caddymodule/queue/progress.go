package queue

import (
	"maps"
	"slices"
	"time"
)

// progress is the part of a worker's state that it writes in one transaction.
type progress struct {
	name     string
	lease    int64  // of the destination
	timeline string // on which the lease was acquired

	position, begun int64
	put             map[int64]deferred
	remove          map[int64]bool
	begin           []*delivery // whose attempts may begin after the commit
	attempts        []*attemptsRow
	latest          latest    // results of the destination
	recovered       time.Time // failures since then are due now; zero for none
	release         bool      // release the lease
	isPaused        bool      // read back
	lost            bool      // read back: the lease is another gateway's, and nothing was written
}

// size returns the number of deferred deliveries that change.
func (p *progress) size() int { return len(p.put) + len(p.remove) }

// put schedules a row to be written.
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

// settle notes that a delivery is done, and schedules the removal of its row.
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

// touch notes that there is something to write.
func (w *worker) touch(now time.Time) {
	if w.dirty.IsZero() {
		w.dirty = now
	}
}

// write submits the progress to the writer, if any of it cannot wait. There is one
// write under way at a time.
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
		d.event = d.Event // drop replaces the one of the delivery
		p.put[seq] = d
	}
	p.position, p.begun = w.position()
	if p.position < w.settled {
		w.touch(now) // an event that is too young to get a row holds the position back
	}
	w.sign(&p)
	w.writing = &p
	w.pending = &change{progress: &p}
	w.q.writer.handOver(w.pending)
}

// sign adds the lease, without which the progress has no effect, and the latest results.
func (w *worker) sign(p *progress) {
	p.name, p.lease, p.timeline = w.name, w.lease, w.era.timeline
	p.latest = w.latest
}

// isUrgent reports whether the progress cannot wait any longer: a key may go on as soon
// as its parked events are written.
func (w *worker) isUrgent(now time.Time) bool {
	return !w.dirty.IsZero() && (slices.ContainsFunc(w.releases, w.isParking) || now.Sub(w.dirty) >= commitInterval)
}

// putSlow writes rows for deliveries that hold the position back while later ones are
// settled, and for untried ones that later attempts have overtaken: after a crash they
// would look as if they had been tried.
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

// position returns the last seq up to which everything is settled or has a row, and
// the last one of which an attempt may have begun, in this tenure or before it.
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
	if w.pos < w.maybeBegun { // not all of these are read yet
		begun = w.maybeBegun
	}
	return position, max(position, begun, w.lastBegun)
}

// wrote goes on after a write: its attempts may begin. If it failed, everything is
// scheduled again.
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
		if w.paused || w.down && len(w.ready) > 1 { // changed since the write was submitted
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
		if d.hasRow { // perhaps only in the write that failed
			p.put[d.Seq] = deferred{delivery: d, attempts: d.attempts, state: stateRetry, due: now, tried: now}
		}
	}
	w.fresh = append(p.begin, w.fresh...)
	w.again(p)
	w.retryLater(err, now)
}

// again merges progress that was not written with what came since, which wins.
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
	w.next.attempts = append(p.attempts, w.next.attempts...)
	w.touch(w.q.now())
}
