package queue

import "time"

// delivery is an event in memory.
type delivery struct {
	Delivery
	attempts   int  // that were begun and written
	hasRow     bool // there is, or will be, a deferred delivery
	rowWritten bool // it is written
	running    bool
	since      time.Time // it is in memory
	begun      time.Time // its attempt
}

// take holds a delivery in memory.
func (w *worker) take(d *delivery) {
	w.open[d.Seq] = d
	w.bytes += d.weight()
}

// drop lets go of it.
func (w *worker) drop(d *delivery) {
	w.settled = max(w.settled, d.Seq)
	if w.open[d.Seq] == d {
		delete(w.open, d.Seq)
		w.bytes -= d.weight()
		d.Event = d.withoutBytes() // which may stay until it is written what became of it
	}
}
