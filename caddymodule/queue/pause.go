package queue

import (
	"context"
	"database/sql"
)

// Pause begins no attempt for a destination any more, until Resume.
func (q *Queue) Pause(ctx context.Context, name string) error { return q.setPaused(ctx, name, true) }

// Resume takes back a Pause.
func (q *Queue) Resume(ctx context.Context, name string) error { return q.setPaused(ctx, name, false) }

func (q *Queue) setPaused(ctx context.Context, name string, paused bool) error {
	if err := q.known(ctx, name); err != nil {
		return err
	}
	// Also when nobody waits any more: the worker must learn of what is committed.
	err := q.doWith(context.WithoutCancel(ctx), func(t *tx) error {
		return t.exec(`UPDATE webhooks_destinations SET paused = $1 WHERE name = $2`, asInt(paused), name)
	})
	q.mu.Lock()
	w := q.workers[name]
	q.mu.Unlock()
	if w != nil { // also after an error, when it is not known what was written
		w.pausing.Store(true)
		w.poke()
	}
	return err
}

// readPaused reads whether it is paused, if that may have changed: the database
// knows what was said last.
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

// isPaused reports whether it knows that the destination is paused.
func (w *worker) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status.paused
}
