package queue

import "time"

// workerStatus is the part of a worker's state that other goroutines read.
type workerStatus struct {
	here, down bool
	paused     bool
	lease      int64
	pos        int64
	open       int64
	oldest     time.Time
}

// note counts an event that has no deferred delivery in the database.
func (s *workerStatus) note(d *delivery) {
	s.open++
	if s.oldest.IsZero() || d.Received.Before(s.oldest) {
		s.oldest = d.Received
	}
}

// noteUnwritten counts a deferred delivery that is not written yet. Dead letters do
// not count.
func (s *workerStatus) noteUnwritten(d deferred) {
	if !d.rowWritten && d.state != stateDead {
		s.note(d.delivery)
	}
}

// publish updates the status.
func (w *worker) publish() {
	s := workerStatus{here: true, down: w.down, paused: w.paused, lease: w.lease, pos: w.pos}
	for _, d := range w.open {
		if !d.hasRow {
			s.note(d)
		}
	}
	for seq, d := range w.writing.put {
		if _, ok := w.next.put[seq]; !ok && !w.next.remove[seq] {
			s.noteUnwritten(d)
		}
	}
	for _, d := range w.next.put {
		s.noteUnwritten(d)
	}
	w.setStatus(s)
}

// isHere reports whether the worker holds the lease of its destination.
func (w *worker) isHere() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status.here
}

func (w *worker) setStatus(s workerStatus) {
	w.mu.Lock()
	w.status = s
	w.mu.Unlock()
}
