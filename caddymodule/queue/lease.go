package queue

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// errLost means that another gateway has the lease on a destination.
var errLost = errors.New("lost the lease on this destination")

// acquire gives a gateway the lease on a destination, and returns into how many parts its
// limits are divided. It returns errLost if another gateway that lives has it, and
// errMoved if the log has another layout than the era; see checkLayout. The lease is good
// for the era's timeline only.
func (t *tx) acquire(name, holder string, e *era, parts int) (destinationRow, int, error) {
	if err := t.checkEra(e); err != nil {
		return destinationRow{}, 0, err
	}
	last, parts, err := t.checkLayout(e, parts)
	if err != nil {
		return destinationRow{}, 0, err
	}
	isFree := `TRUE`
	if t.store.shared {
		// The row is locked first: if the UPDATE itself waited for the lock, it would see the
		// gateways as they were before.
		if err = t.row(`SELECT lease FROM webhooks_destinations WHERE name = $1 FOR UPDATE`, []any{name}, new(int64)); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return destinationRow{}, 0, err
		}
		isFree = `(holder IN ('', $1) OR NOT EXISTS (SELECT 1 FROM webhooks_gateways g WHERE g.holder = webhooks_destinations.holder AND g.until > ` + t.store.serverTime + `))`
	}
	r, err := scanDestination(func(to ...any) error {
		return t.row(`UPDATE webhooks_destinations SET holder = $1, lease = lease + 1
			WHERE name = $2 AND `+isFree+` RETURNING `+destinationColumns, []any{holder, name}, to...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return r, 0, errLost
	}
	if err != nil {
		return r, 0, err
	}
	// After a failover, the server may lack events that were settled before.
	r.position, r.begun = min(r.position, last), min(r.begun, last)
	if r.isOrphan() {
		r.fill() // it had the name when it began to try
		if err := t.setGaps(r); err != nil {
			return r, 0, err
		}
	}
	return r, parts, nil
}

// checkLayout reads the end of the log, and into how many parts the limits of a
// destination are divided under the layout of an era: parts, if that is the first one.
// It returns errMoved if the log has another layout, or as long as a gateway may hold a
// lease under the one before, whose parts are different.
func (t *tx) checkLayout(e *era, parts int) (last int64, _ int, err error) {
	isOver := `TRUE`
	if t.store.shared {
		isOver = fmt.Sprintf(`COALESCE(l.complete + %d < %s, FALSE)`, leaseTime.Microseconds(), t.store.serverTime)
	}
	var mayAcquire bool
	err = t.row(`SELECT q.last, COALESCE(l.existing, CAST($2 AS INTEGER)), CASE WHEN l.epoch IS NULL THEN TRUE ELSE `+isOver+` END
		FROM webhooks_queue q LEFT JOIN webhooks_layouts l ON l.epoch = q.epoch WHERE q.id = 1 AND q.epoch = $1`,
		[]any{e.epoch, parts}, &last, &parts, &mayAcquire)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !mayAcquire {
		return 0, 0, errMoved
	}
	return last, parts, err
}

// resume returns the deferred deliveries above the position, where the log is about to
// be read again. The worker must skip the events in known. When ordered, it must meet
// the others in their order: they become events of the log again, and resumed has their
// attempts.
func (t *tx) resume(name string, position int64, ordered bool) (known map[int64]bool, resumed map[int64]int, err error) {
	known, resumed = make(map[int64]bool), make(map[int64]int)
	err = t.rows(`SELECT seq, attempts, replay, state, partition_key FROM webhooks_deliveries WHERE name = $1 AND seq > $2`, []any{name, position},
		func(rows *sql.Rows) error {
			var seq int64
			var attempts int
			var replay bool
			var state, key string
			if err = rows.Scan(&seq, &attempts, &replay, &state, &key); err != nil {
				return err
			}
			if !ordered || replay || state == stateDead || key == "" {
				known[seq] = true
				return nil
			}
			resumed[seq] = attempts
			return nil
		})
	if err != nil {
		return nil, nil, err
	}
	return known, resumed, t.remove(name, slices.Collect(maps.Keys(resumed)))
}

// settleStates prepares the deferred deliveries of a destination for a worker that has
// just acquired it: running ones, of a gateway that died, are due. When ordered, all but
// the oldest of each key are parked.
func (t *tx) settleStates(name string, ordered bool, now int64) error {
	if err := t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1 WHERE name = $2 AND state = 'running'`, now, name); err != nil {
		return err
	}
	if !ordered {
		return t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1 WHERE name = $2 AND state = 'parked'`, now, name)
	}
	const older = `(SELECT 1 FROM webhooks_deliveries AS older WHERE older.name = webhooks_deliveries.name
		AND older.partition_key = webhooks_deliveries.partition_key AND older.seq < webhooks_deliveries.seq
		AND older.replay = 0 AND older.state <> 'dead')`
	if err := t.exec(`UPDATE webhooks_deliveries SET state = 'parked'
		WHERE name = $1 AND state = 'retry' AND replay = 0 AND partition_key <> '' AND EXISTS `+older, name); err != nil {
		return err
	}
	return t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1
		WHERE name = $2 AND state = 'parked' AND NOT EXISTS `+older, now, name)
}
