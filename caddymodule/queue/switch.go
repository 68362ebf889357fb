package queue

import (
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// The steps of a switch from one layout to the next. Each may be repeated, by any gateway
// and at any time: a layout that has begun in a log does not begin there again, nor does
// one before it.

// identify writes which log of which queue this is, unless it is known, and returns the id
// of the queue.
func (t *tx) identify(queue string, number int) (string, error) {
	if err := t.exec(`INSERT INTO webhooks_identity (id, queue, log) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING`, queue, number); err != nil {
		return "", err
	}
	return queue, t.row(`SELECT queue FROM webhooks_identity WHERE id = 1`, nil, &queue)
}

// notePending notes in log 0 that a switch has begun, and returns its layout: that of
// another gateway, if that was first.
func (t *tx) notePending(r layoutRow) (layoutRow, error) {
	if err := t.exec(`INSERT INTO webhooks_layouts (epoch, logs, existing, servers) VALUES ($1, $2, $3, $4) ON CONFLICT (epoch) DO NOTHING`,
		r.epoch, r.logs, r.existing, r.servers); err != nil {
		return r, err
	}
	return r, t.row(`SELECT logs, existing, servers FROM webhooks_layouts WHERE epoch = $1`, []any{r.epoch}, &r.logs, &r.existing, &r.servers)
}

// lockEpoch keeps other gateways from beginning a layout in this log, and returns the
// epoch of the present one.
func (t *tx) lockEpoch() (epoch int64, err error) {
	if err = t.lockOut(); err != nil {
		return 0, err
	}
	return epoch, t.row(`SELECT epoch FROM webhooks_queue WHERE id = 1`, nil, &epoch)
}

// beginLayout begins a layout in this log. The lock on the counter orders it after every
// store under the layout before, and no other follows. Layouts before it that this log was
// not part of, or has lost, end here, too.
func (t *tx) beginLayout(r layoutRow, before []layoutRow) error {
	var last int64
	err := t.row(`UPDATE webhooks_queue SET epoch = $1, counted = last WHERE id = 1 AND epoch <= $1 RETURNING last`, []any{r.epoch}, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	for _, r := range append(before, r) {
		if err == nil {
			err = t.exec(`INSERT INTO webhooks_layouts (epoch, logs, existing, servers, last) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (epoch) DO UPDATE SET last = excluded.last WHERE webhooks_layouts.last IS NULL`, r.epoch, r.logs, r.existing, r.servers, last)
		}
	}
	return err
}

// lockOut waits until no destination is being declared, and keeps out gateways whose
// program is older: they cannot renew their leases any more.
func (t *tx) lockOut() error {
	if !t.store.shared {
		return nil
	}
	if err := t.exec(`SELECT pg_advisory_xact_lock(` + declaring + `)`); err != nil {
		return err
	}
	var isLocked bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'webhooks_gateways_logs' AND conrelid = 'webhooks_gateways'::regclass)`, nil, &isLocked)
	if err != nil || isLocked {
		return err
	}
	return t.execScript(`ALTER TABLE webhooks_gateways ADD CONSTRAINT webhooks_gateways_logs CHECK (logs > 0) NOT VALID`)
}

// declaring is the advisory lock that those share who declare destinations in a log.
const declaring = `7310020, hashtext(current_schema())`

// copyDestinations writes destinations of log 0 to this log, so that they get its events
// although no gateway that is configured with them has opened it yet. They begin at its
// end. Those that are here stay as they are, unless anew is set: then the log is empty, and
// they may have changed while it was not in use.
func (t *tx) copyDestinations(all []destinationRow, anew bool) error {
	if len(all) == 0 {
		return nil
	}
	var last int64
	if err := t.row(`SELECT last FROM webhooks_queue WHERE id = 1`, nil, &last); err != nil {
		return err
	}
	conflict := `DO NOTHING`
	if anew {
		conflict = `DO UPDATE SET filter = excluded.filter, position = excluded.position, begun = excluded.begun, gaps = excluded.gaps,
			paused = excluded.paused, holder = '', lease = webhooks_destinations.lease + 1`
	}
	for _, r := range all {
		filter, err := json.Marshal(r.filter)
		if err != nil {
			return err
		}
		gaps, paused := `[]`, 0
		if r.isOrphan() {
			open, _ := json.Marshal([]gap{{From: last}}) // which cannot fail
			gaps = string(open)
		}
		if r.paused {
			paused = 1
		}
		if err = t.exec(`INSERT INTO webhooks_destinations (name, filter, position, begun, gaps, paused, holder, lease)
			VALUES ($1, $2, $3, $3, $4, $5, '', 0) ON CONFLICT (name) `+conflict, r.name, string(filter), last, gaps, paused); err != nil {
			return err
		}
	}
	return nil
}

// hasGateways reports whether a gateway has a lease, other than the one that asks.
func (t *tx) hasGateways(holder string) (has bool, err error) {
	return has, t.row(`SELECT EXISTS (SELECT 1 FROM webhooks_gateways WHERE until > `+t.store.serverTime+` AND holder <> $1)`, []any{holder}, &has)
}

// noteComplete notes that all logs have a layout, and the destinations of log 0.
// Destinations may be acquired under it once the leases of before have ended: one leaseTime
// later, unless there were none.
func (t *tx) noteComplete(epoch int64, unleased bool) error {
	back := leaseTime
	if !unleased {
		back = 0
	}
	return t.exec(`UPDATE webhooks_layouts SET complete = `+t.store.serverTime+` - $2 WHERE epoch = $1 AND complete IS NULL`, epoch, back.Microseconds())
}

// noteUntil notes when the last window ended of the keys and places that were here when a
// layout began. Those that came since may count, too, which only makes it later.
func (t *tx) noteUntil(epoch int64) error {
	if t.store.shared {
		if err := t.exec(`SET LOCAL statement_timeout = 0`); err != nil { // there may be many keys
			return err
		}
	}
	var isKnown bool
	if err := t.row(`SELECT until IS NOT NULL OR last IS NULL FROM webhooks_layouts WHERE epoch = $1`, []any{epoch}, &isKnown); err != nil || isKnown {
		return err
	}
	var keys, places int64
	if err := t.row(`SELECT COALESCE(MAX(expires), 0) FROM webhooks_keys
		WHERE seq <= (SELECT last FROM webhooks_layouts WHERE epoch = $1)`, []any{epoch}, &keys); err != nil {
		return err
	}
	if err := t.row(`SELECT COALESCE(MAX(expires), 0) FROM webhooks_places`, nil, &places); err != nil {
		return err
	}
	return t.exec(`UPDATE webhooks_layouts SET until = $1 WHERE epoch = $2 AND until IS NULL AND last IS NOT NULL`, max(keys, places), epoch)
}

// readLeft adds for how long the windows of this log last that were here when a layout
// began, in microseconds by epoch, where another log has less.
func (t *tx) readLeft(left map[int64]int64) error {
	return t.rows(`SELECT epoch, until - `+t.store.serverTime+` FROM webhooks_layouts WHERE last IS NOT NULL`, nil, func(rows *sql.Rows) error {
		var epoch int64
		var micros *int64
		err := rows.Scan(&epoch, &micros)
		if micros == nil { // it has begun just now
			micros = new(int64)
			*micros = notKnown
		}
		if other, ok := left[epoch]; !ok || *micros > other {
			left[epoch] = *micros
		}
		return err
	})
}

// noteEnded notes when the windows of all logs end that were there when a layout began. The
// clocks of gateways may differ from that of this server.
func (t *tx) noteEnded(left map[int64]int64) error {
	for _, epoch := range slices.Sorted(maps.Keys(left)) {
		if left[epoch] == notKnown {
			continue
		}
		if err := t.exec(`UPDATE webhooks_layouts SET ended = `+t.store.serverTime+` + $1 WHERE epoch = $2 AND ended IS NULL`,
			left[epoch]+clockSlack.Microseconds(), epoch); err != nil {
			return err
		}
	}
	return nil
}
