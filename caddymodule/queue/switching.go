package queue

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
)

// switching is a switch to another layout.
type switching struct {
	*Queue
	survey *survey
	from   layoutRow
	to     layoutRow
	stores []*store // by log; nil for one that does not exist
}

// switchTo completes a layout: log 0 comes last, so that a gateway that finds it there
// knows that all logs have it.
func (q *Queue) switchTo(ctx context.Context, s *survey, to layoutRow) error {
	w := &switching{Queue: q, survey: s, from: s.current(), to: to, stores: make([]*store, MaxLogs)}
	defer w.close()
	for _, step := range []func(context.Context) error{w.prepare, w.create, w.beginOthers, w.beginFirst, w.copy, w.complete} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *switching) close() {
	for _, s := range w.stores {
		if s != nil {
			_ = s.close()
		}
	}
}

// openAt prepares a log at a server for the steps of a switch.
func (w *switching) openAt(ctx context.Context, at *server, number int) error {
	s := newPostgres(number, w.settings.tracer)
	s.server.Store(at)
	w.stores[number] = s
	return s.migrate(ctx)
}

// each runs a step in all logs from a number on.
func (w *switching) each(ctx context.Context, from int, step func(number int, t *tx) error) error {
	for number := from; number < len(w.stores); number++ {
		s := w.stores[number]
		if s == nil {
			continue
		}
		if err := s.transact(ctx, func(t *tx) error { return step(number, t) }); err != nil {
			return fmt.Errorf("log %d: %w", number, err)
		}
	}
	return nil
}

// prepare names the queue, and notes the switch in log 0.
func (w *switching) prepare(ctx context.Context) error {
	if err := w.openAt(ctx, w.servers[0], 0); err != nil {
		return err
	}
	if w.survey.logs[0] == nil { // it is new, and counts when a server is chosen for another log
		w.survey.logs[0] = &found{server: w.servers[0]}
	}
	return w.each(ctx, 0, func(_ int, t *tx) (err error) {
		w.to, err = t.notePending(w.to)
		return err
	})
}

// create opens the logs that exist, and creates those that do not.
func (w *switching) create(ctx context.Context) error {
	var queue string
	err := w.each(ctx, 0, func(_ int, t *tx) (err error) {
		queue, err = t.identify(rand.Text(), 0)
		return err
	})
	for number := 1; number < max(w.from.existing, w.to.existing) && err == nil; number++ {
		f := w.survey.logs[number]
		switch {
		case f != nil:
			err = w.openAt(ctx, f.server, number)
		case number < w.from.existing && w.from.epoch > 0:
			err = missing(number)
		case number < w.to.logs:
			err = w.createLog(ctx, number)
		}
	}
	if err != nil {
		return err
	}
	return w.each(ctx, 1, func(number int, t *tx) error {
		_, err = t.identify(queue, number)
		return err
	})
}

// createLog creates a log. A gateway that knows other servers than the one that began the
// switch might miss that it exists.
func (w *switching) createLog(ctx context.Context, number int) error {
	if w.to.servers != len(w.servers) {
		return missing(number)
	}
	at := w.survey.serverForNew()
	if err := at.createSchema(ctx, number); err != nil {
		return err
	}
	w.survey.logs[number] = &found{server: at}
	return w.openAt(ctx, at, number)
}

// missing returns the error for a log that no server has.
func missing(number int) error {
	return fmt.Errorf("log %d of the queue is at none of the servers of `queue postgres`; add the DSN of the one that has it", number)
}

// beginOthers begins the layout in all logs but the first.
func (w *switching) beginOthers(ctx context.Context) error {
	destinations, err := w.stores[0].destinations(ctx)
	if err != nil {
		return err
	}
	return w.each(ctx, 1, func(number int, t *tx) error {
		epoch, err := t.lockEpoch()
		if err != nil {
			return err
		}
		// Once the layout has begun, it may have events that the survey does not know.
		if number >= w.from.logs && number < w.to.logs && w.survey.logs[number].empty && epoch < w.to.epoch {
			if err := t.copyDestinations(destinations, true); err != nil {
				return err
			}
		}
		return t.beginLayout(w.to, w.survey.before(w.to.epoch))
	})
}

// beginFirst begins the layout in log 0.
func (w *switching) beginFirst(ctx context.Context) error {
	return w.stores[0].transact(ctx, func(t *tx) error {
		if _, err := t.lockEpoch(); err != nil {
			return err
		}
		return t.beginLayout(w.to, w.survey.before(w.to.epoch))
	})
}

// copy copies the destinations that log 0 has: under the layout before, none follows.
func (w *switching) copy(ctx context.Context) error {
	destinations, err := w.stores[0].destinations(ctx)
	if err != nil {
		return err
	}
	return w.each(ctx, 1, func(_ int, t *tx) error { return t.copyDestinations(destinations, false) })
}

// complete makes the layout good. From now on events may be stored under it.
func (w *switching) complete(ctx context.Context) error {
	w.mu.Lock()
	unleased := w.opening && len(w.generations) == 0
	w.mu.Unlock()
	// After all logs have begun the layout: no gateway acquires anything under the one before.
	if err := w.each(ctx, 0, func(_ int, t *tx) error {
		isShared, err := t.hasGateways(w.holder)
		unleased = unleased && !isShared
		return err
	}); err != nil {
		return err
	}
	return w.each(ctx, 0, func(_ int, t *tx) error { return t.noteComplete(w.to.epoch, unleased) })
}

// noteUntil notes when the windows of the logs end that were there before a layout. It may
// take long, and needs no lock.
func (q *Queue) noteUntil(ctx context.Context, s *survey) error {
	w := &switching{Queue: q, stores: make([]*store, MaxLogs)}
	defer w.close()
	isNeeded := slices.ContainsFunc(s.logs[:], func(f *found) bool { return f != nil && f.lacksUntil() })
	for number, f := range s.logs {
		if f != nil && isNeeded {
			if err := w.openAt(ctx, f.server, number); err != nil {
				return err
			}
		}
	}
	if err := w.each(ctx, 0, func(number int, t *tx) error {
		for _, r := range s.logs[number].rows {
			if err := t.noteUntil(r.epoch); err != nil {
				return err
			}
		}
		return nil
	}); err != nil || s.err != nil || s.firstMissing(s.current()) >= 0 {
		return err
	}
	return w.noteEnded(ctx)
}

// noteEnded notes in all logs when the last windows of any of them end: those of a log must
// not count for longer because its server does not answer.
func (w *switching) noteEnded(ctx context.Context) error {
	left := make(map[int64]int64)
	if err := w.each(ctx, 0, func(_ int, t *tx) error { return t.readLeft(left) }); err != nil {
		return err
	}
	return w.each(ctx, 0, func(_ int, t *tx) error { return t.noteEnded(left) })
}
