package queue

import "time"

// delivery is an event in memory, on its way to one destination:
//
//	            fill            write           wrote           begin
//	(database) ─────▶ fresh ──────────▶ writing ─────▶ ready ──────────▶ running
//	                    ▲                 │ failed       │ unready         │ finish
//	                    └─────────────────┴──────────────┘                 │
//	                                                                       ▼
//	     settled:  delivered. Its row, if any, is removed, and the position passes it.
//	     deferred: failed or cut short. Its row says when it is due (retry), that an
//	               older event of its key comes first (parked), or that it is a dead
//	               letter (dead).
//
// The attempt is counted, and an existing row becomes running, before the attempt
// begins. A crash therefore never gives an event more attempts than configured. An
// event that came from the log has no row as long as all goes well: begun, beside the
// position, says up to where attempts may have begun. It gets a row if its attempt
// fails, or takes so long that the position would have to wait for it.
//
// In an ordered destination, a fresh delivery waits in the lane of its key until no
// older event of that key is on its way.
type delivery struct {
	Delivery
	attempts   int       // counted and written
	hasRow     bool      // a row in webhooks_deliveries is, or will be, written
	rowWritten bool      // it is written
	running    bool      // the attempt is under way
	since      time.Time // when it came into memory
	begun      time.Time // when its attempt began
}

// take adds a delivery to those in memory.
func (w *worker) take(d *delivery) {
	w.open[d.Seq] = d
	w.bytes += d.weight()
}

// drop removes a delivery from memory.
func (w *worker) drop(d *delivery) {
	w.settled = max(w.settled, d.Seq)
	if w.open[d.Seq] == d {
		delete(w.open, d.Seq)
		w.bytes -= d.weight()
		d.Event = d.withoutBytes() // the rest stays until the result is written
	}
}
