package queue

import (
	"context"
	"database/sql"
)

// Pause stops delivery to a destination until Resume, across restarts. Its events queue
// up, and attempts under way go on.
func (q *eventLog) Pause(ctx context.Context, name string) error { return q.setPaused(ctx, name, true) }

// Resume ends a Pause.
func (q *eventLog) Resume(ctx context.Context, name string) error {
	return q.setPaused(ctx, name, false)
}

// setPaused writes whether a destination is paused, and makes its worker read that.
func (q *eventLog) setPaused(ctx context.Context, name string, paused bool) error {
	if err := q.known(ctx, name); err != nil {
		return err
	}
	// Not with ctx: the worker must read the change after it is committed, even if the
	// caller has given up.
	err := q.doWith(context.WithoutCancel(ctx), func(t *tx) error {
		return t.exec(`UPDATE webhooks_destinations SET paused = $1 WHERE name = $2`, asInt(paused), name)
	})
	q.mu.Lock()
	w := q.workers[name]
	q.mu.Unlock()
	if w != nil { // even after an error, because the change may be committed
		w.pausing.Store(true)
		w.poke()
	}
	return err
}

// readPaused reads from the database whether the destination is paused, if that may
// have changed.
func (w *worker) readPaused() error {
	if !w.pausing.Swap(false) {
		return nil
	}
	err := w.q.read(w.era, `SELECT paused FROM webhooks_destinations WHERE name = $1 AND `+w.q.store.isPrimary, []any{w.name},
		func(rows *sql.Rows) error { return rows.Scan(&w.paused) })
	if err != nil {
		w.pausing.Store(true)
		return err
	}
	if w.paused {
		w.unready()
	}
	return nil
}

// isPaused reports whether the worker has read that the destination is paused.
func (w *worker) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status.paused
}
