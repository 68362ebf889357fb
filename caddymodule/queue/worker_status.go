package queue

import "time"

// workerStatus is what others may know of a worker.
type workerStatus struct {
	here, down bool
	paused     bool
	lease      int64
	pos        int64
	open       int64
	oldest     time.Time
}

// note notes an event that the database does not have as a deferred delivery.
func (s *workerStatus) note(d *delivery) {
	s.open++
	if s.oldest.IsZero() || d.Received.Before(s.oldest) {
		s.oldest = d.Received
	}
}

// noteUnwritten notes a deferred delivery that is still to be written, but for what is
// not to be delivered any more.
func (s *workerStatus) noteUnwritten(d deferred) {
	if !d.rowWritten && d.state != stateDead {
		s.note(d.delivery)
	}
}

// publish lets others know how far the worker is.
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

func (w *worker) setStatus(s workerStatus) {
	w.mu.Lock()
	w.status = s
	w.mu.Unlock()
}
