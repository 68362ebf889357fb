package queue

import "time"

// fill reads deliveries until there is no room left: parked ones whose turn it is,
// those that are due, and the log.
func (w *worker) fill(t target, now time.Time) error {
	want := w.want(t, now)
	if want <= 0 {
		return nil
	}
	if err := w.releaseParked(); err != nil {
		return err
	}
	// While the destination is down, an event that was not tried yet goes before
	// those that have spent attempts.
	steps := []func(target, time.Time) error{w.readDue, w.readLog}
	if w.down {
		steps = []func(target, time.Time) error{w.readLog, w.readDue}
	}
	for _, step := range steps {
		if w.want(t, now) <= 0 {
			return nil
		}
		if err := step(t, now); err != nil {
			return err
		}
	}
	return nil
}

// room returns how many more deliveries may have their attempt written now: as many
// as can begin at once, and some more for destinations with many attempts, so that
// each need not wait for a commit. A crash costs those that did not begin an attempt.
func (w *worker) room(t target, now time.Time) int {
	written := len(w.ready) + len(w.writing.begin)
	if w.paused || !w.yieldBy.IsZero() {
		return 0
	}
	more := 0
	if t.Rate.N == 0 {
		more = min(window, t.Concurrency*(t.Attempts-1))
	}
	n := w.pool.offer(more, now)
	if w.down {
		n = min(n, 1)
	}
	return max(0, min(n, w.capacity)-written)
}

// want returns how many deliveries to read to fill the room.
func (w *worker) want(t target, now time.Time) int { return w.room(t, now) - len(w.fresh) }

// isFull reports whether memory has room for no more of the log.
func (w *worker) isFull() bool { return len(w.open) >= w.capacity || w.bytes > windowBytes }
