package queue

import (
	"database/sql"
	"time"
)

// readDue reads deferred deliveries that are due. While there are new events, they
// take at most half of the room, so that neither waits for the other.
func (w *worker) readDue(t target, now time.Time) error {
	if now.Before(w.nextDue) || w.bytes > windowBytes {
		return nil
	}
	want := w.want(t, now)
	if w.pos < w.q.head() && !w.down {
		want = max(1, want/2)
	}
	order := "d.due"
	if w.down {
		order = "d.attempts, d.due"
	}
	// Those in memory look due, too, until it is written that they are running.
	due := make(map[int64]*delivery)
	var seqs []int64
	bytes := windowBytes - w.bytes
	err := w.q.read(w.era, `SELECT d.seq, d.size, d.attempts, d.replay FROM webhooks_deliveries d
		WHERE d.name = $1 AND d.state = 'retry' AND d.due <= $2 AND `+w.q.store.isPrimary+` ORDER BY `+order+limitTo("$3"),
		[]any{w.name, w.q.store.micros(now), want + len(w.open) + w.next.size() + w.writing.size()},
		func(rows *sql.Rows) error {
			d := &delivery{hasRow: true, rowWritten: true, since: now}
			var seq, size int64
			if err := rows.Scan(&seq, &size, &d.attempts, &d.Replay); err != nil {
				return err
			}
			if w.open[seq] != nil || w.isChanging(seq) {
				return nil
			}
			due[seq] = d
			seqs = append(seqs, seq)
			if bytes -= size; len(seqs) == want || bytes <= 0 {
				return errEnough
			}
			return nil
		})
	if err != nil {
		return err
	}
	events, err := w.q.load(w.era, seqs)
	if err != nil {
		return err
	}
	for _, e := range events {
		due[e.Seq].Event = e
	}
	for _, seq := range seqs {
		d := due[seq]
		if d.attempts < t.Attempts {
			w.take(d)
			w.fresh = append(w.fresh, d)
		} else {
			w.die(d, Result{Err: errUsedUp})
			w.nextInLane(t, d)
		}
	}
	if len(seqs) == want || bytes <= 0 {
		return nil
	}
	return w.readNextDue(now)
}

// isChanging reports whether a change to a deferred delivery is not written yet.
func (w *worker) isChanging(seq int64) bool {
	for _, p := range []*progress{&w.next, w.writing} {
		if _, ok := p.put[seq]; ok || p.remove[seq] {
			return true
		}
	}
	return false
}

// readNextDue reads when the next deferred delivery is due.
func (w *worker) readNextDue(now time.Time) error {
	w.nextDue = now.Add(idleDelay)
	if w.q.shared() { // another gateway may replay events
		w.nextDue = now.Add(leaseRenewal)
	}
	for _, p := range []*progress{&w.next, w.writing} {
		for _, d := range p.put {
			if d.state == stateRetry {
				// Not before it is written.
				w.nextDue = earlier(w.nextDue, later(d.due, now.Add(commitInterval/10)))
			}
		}
	}
	from := w.q.store.micros(now)
	return w.q.read(w.era, `SELECT due FROM webhooks_deliveries WHERE name = $1 AND state = 'retry' AND due > $2 AND `+w.q.store.isPrimary+` ORDER BY due LIMIT 1`,
		[]any{w.name, from}, func(rows *sql.Rows) error {
			var due int64
			err := rows.Scan(&due)
			// A difference, because the wall clock may be set meanwhile.
			w.nextDue = earlier(w.nextDue, now.Add(time.Duration(due-from)*time.Microsecond))
			return err
		})
}
