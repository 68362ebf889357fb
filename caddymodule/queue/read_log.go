package queue

import "time"

// readLog reads events after the position.
func (w *worker) readLog(t target, now time.Time) error {
	for range 16 { // then return to step: the destination may not take any of them
		if w.isFull() {
			w.spill(now)
		}
		if w.want(t, now) <= 0 || w.isFull() || w.next.size()+w.writing.size() >= w.capacity {
			return nil
		}
		more, err := w.readLogOnce(t, now)
		if err != nil || !more {
			return err
		}
	}
	w.poke()
	return nil
}

// readLogOnce reads events up to the next gap, and reports whether there are more.
func (w *worker) readLogOnce(t target, now time.Time) (more bool, err error) {
	head, source := w.q.head(), t.Source
	if t.Ordered {
		head = min(head, w.orderLimit(now))
	}
	for len(w.gaps) > 0 && w.gaps[0].From <= w.pos {
		g := w.gaps[0]
		if g.To == 0 {
			return false, nil // the destination has left the configuration
		}
		if g.Source != "" && w.pos < g.To {
			head, source = min(head, g.To), g.Source
			break
		}
		if t.Ordered && g.To > head { // where it may have to wait
			w.pos = max(w.pos, head)
			break
		}
		w.pos = max(w.pos, g.To)
		w.gaps = w.gaps[1:]
		w.touch(now) // another log may wait for this position
	}
	if len(w.gaps) > 0 && w.gaps[0].From > w.pos {
		head = min(head, w.gaps[0].From)
	}
	if w.pos >= head {
		return false, nil
	}
	limit := min(w.want(t, now), w.capacity-len(w.open))
	if t.Ordered {
		limit = w.capacity - len(w.open) // many may have to wait for each other
	}
	if limit <= 0 {
		return false, nil // a worker of another log has taken the tokens in the meantime
	}
	if limit < refill && len(w.ready) > 0 && !w.q.writer.recent.has(w.pos) {
		return false, nil // what is ready goes first
	}
	events, pos, err := w.q.after(w.era, w.pos, head, source, limit, windowBytes-w.bytes)
	if err != nil {
		return false, err
	}
	w.pos = pos
	for _, e := range events {
		if w.known[e.Seq] {
			delete(w.known, e.Seq)
		} else if t.Takes(e) {
			w.arrive(t, &delivery{Delivery: Delivery{Event: e}, since: now})
		}
	}
	w.touch(now)
	return w.pos < w.q.head(), nil
}

// arrive takes an event that was read from the log.
func (w *worker) arrive(t target, d *delivery) {
	attempts, isKnown := w.resumed[d.Seq]
	delete(w.resumed, d.Seq)
	if !isKnown && d.Seq <= w.maybeBegun {
		attempts = 1 // an attempt may have begun before a crash
	}
	if d.attempts = attempts; attempts > 0 {
		w.put(d, stateRetry, d.since, Result{}) // the next crash must not forget the count
	}
	if d.attempts >= t.Attempts {
		w.die(d, Result{Err: errUsedUp})
		return
	}
	if !t.Ordered || d.PartitionKey == "" {
		w.take(d)
		w.fresh = append(w.fresh, d)
		return
	}
	l := w.lanes[d.PartitionKey]
	switch {
	case l == nil:
		w.lanes[d.PartitionKey] = new(lane)
		w.take(d)
		w.fresh = append(w.fresh, d)
	case l.failed:
		l.parked++
		d.Event = d.withoutBytes()
		w.put(d, stateParked, d.since, Result{})
	default:
		w.take(d)
		l.waiting = append(l.waiting, d)
	}
}
