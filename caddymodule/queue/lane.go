package queue

import (
	"database/sql"
	"time"
)

// lane is a partition key of an ordered destination, which gets one event of it at a
// time. A lane exists while any of its events is on its way.
type lane struct {
	waiting []*delivery // in memory, in order
	parked  int         // number of parked rows
	failed  bool        // later events are parked: the oldest waits for a retry, or takes long
}

// spill parks the deliveries that wait in memory behind a slow attempt of their key,
// so that there is room for other keys.
func (w *worker) spill(now time.Time) {
	for _, d := range w.open {
		if l := w.lanes[d.PartitionKey]; l != nil && d.running && !d.Replay && now.Sub(d.begun) >= spillAfter {
			w.park(l)
		}
	}
}

// releaseParked reads the oldest parked event of each key whose turn it is. A key with
// a parked row that is not written yet has to wait: the read would miss it.
func (w *worker) releaseParked() error {
	var later []string
	for i, key := range w.releases {
		if w.isParking(key) {
			later = append(later, key)
		} else if err := w.releaseKey(key); err != nil {
			w.releases = append(later, w.releases[i:]...)
			return err
		}
	}
	w.releases = later
	return nil
}

// isParking reports whether a parked row of a key is not written yet.
func (w *worker) isParking(key string) bool {
	for _, p := range []*progress{&w.next, w.writing} {
		for _, d := range p.put {
			if d.state == stateParked && d.PartitionKey == key {
				return true
			}
		}
	}
	return false
}

// releaseKey reads the oldest parked event of a key.
func (w *worker) releaseKey(key string) error {
	l := w.lane(key)
	var d *delivery
	var seq int64
	err := w.q.read(w.era, `SELECT seq, attempts FROM webhooks_deliveries
		WHERE name = $1 AND partition_key = $2 AND state = 'parked' AND `+w.q.store.isPrimary+` ORDER BY seq LIMIT 1`,
		[]any{w.name, key}, func(rows *sql.Rows) error {
			d = &delivery{hasRow: true, rowWritten: true, since: w.q.now()}
			return rows.Scan(&seq, &d.attempts)
		})
	if err != nil {
		return err
	}
	if d == nil {
		delete(w.lanes, key)
		return nil
	}
	events, err := w.q.load(w.era, []int64{seq})
	if err != nil {
		return err
	}
	d.Event = events[0]
	l.parked--
	l.failed = l.parked > 0
	w.take(d)
	w.fresh = append(w.fresh, d)
	return nil
}

// park parks the deliveries that wait in a lane, and makes later ones park, too.
func (w *worker) park(l *lane) {
	l.failed = true
	for _, waiting := range l.waiting {
		l.parked++
		w.put(waiting, stateParked, w.q.now(), Result{})
		w.drop(waiting)
	}
	l.waiting = nil
}

// lane returns the lane of a key, which it creates if there is none.
func (w *worker) lane(key string) *lane {
	if w.lanes[key] == nil {
		w.lanes[key] = new(lane)
	}
	return w.lanes[key]
}

// nextInLane lets the next event of a key go, after the one before has ended.
func (w *worker) nextInLane(t target, d *delivery) {
	if !t.Ordered || d.PartitionKey == "" || d.Replay {
		return
	}
	l := w.lane(d.PartitionKey)
	switch {
	case l.parked > 0:
		w.releases = append(w.releases, d.PartitionKey)
	case len(l.waiting) > 0:
		w.fresh = append(w.fresh, l.waiting[0])
		l.waiting = l.waiting[1:]
		l.failed = false
	default:
		delete(w.lanes, d.PartitionKey)
	}
}

// lanes reads the lanes of an ordered destination that have deferred deliveries.
func (t *tx) lanes(name string) (map[string]*lane, error) {
	lanes := make(map[string]*lane)
	err := t.rows(`SELECT partition_key, state, count(*) FROM webhooks_deliveries
		WHERE name = $1 AND state <> 'dead' AND replay = 0 AND partition_key <> '' GROUP BY partition_key, state`,
		[]any{name}, func(rows *sql.Rows) error {
			var key, state string
			var n int
			if err := rows.Scan(&key, &state, &n); err != nil {
				return err
			}
			if lanes[key] == nil {
				lanes[key] = &lane{failed: true}
			}
			if state == stateParked {
				lanes[key].parked = n
			}
			return nil
		})
	return lanes, err
}
