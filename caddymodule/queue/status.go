package queue

import (
	"context"
	"database/sql"
	"time"

	"go.uber.org/zap"
)

// DestinationStatus is the progress of a destination.
type DestinationStatus struct {
	// Destination is its name.
	Destination string `json:"destination"`

	// Configured is false for a name that has left the configuration.
	Configured bool `json:"configured"`

	// Here is true if this gateway holds the lease of the destination, in any log.
	Here bool `json:"here"`

	// Paused is true between Pause and Resume.
	Paused bool `json:"paused"`

	// Down is true while the destination is probed. Only the gateway that holds its
	// lease reports that.
	Down bool `json:"down"`

	// Backlog is the number of events that are not delivered yet, without dead letters.
	Backlog int64 `json:"backlog"`

	// OldestUndelivered is when the oldest of them came in, zero for none.
	OldestUndelivered time.Time `json:"oldest_undelivered,omitzero"`

	// DeadLetters is the number of its dead letters.
	DeadLetters int64 `json:"dead_letters"`

	// Gateway is the gateway that holds the lease: its host name and random letters. If
	// several hold the leases of different logs, it lists them, separated by ", ". Empty
	// while no gateway does.
	Gateway string `json:"gateway,omitempty"`

	// LogsMissing is the number of logs of the queue that did not answer: what they have
	// is missing in the numbers.
	LogsMissing int `json:"logs_missing,omitempty"`

	// LastDelivered is when the last attempt that succeeded ended, zero for none.
	LastDelivered time.Time `json:"last_delivered,omitzero"`

	// LastFailed is when the last attempt that failed ended, zero for none.
	LastFailed time.Time `json:"last_failed,omitzero"`

	// FailedSince is when the first of the failures in a row began, zero if the last
	// attempt did not fail. An event that is refused for good (410, 3xx) is not a
	// failure of the destination here.
	FailedSince time.Time `json:"failed_since,omitzero"`

	// LastStatus is the status of the last answer that failed, 0 for none.
	LastStatus int `json:"last_status,omitempty"`

	// LastError is why the last attempt that failed did.
	LastError string `json:"last_error,omitempty"`

	counted bool // in metrics, by this gateway: of those that share the queue, one counts
}

// Status returns the progress of each destination, sorted by name.
func (q *eventLog) Status(ctx context.Context) ([]DestinationStatus, error) {
	if !q.isOpen() {
		return nil, errNotOpen
	}
	rows, err := q.store.destinations(ctx)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	living := map[string][]string{q.holder: nil}
	if q.shared() {
		if living, err = q.livingGateways(ctx); err != nil {
			return nil, unavailable(ctx, err)
		}
	}
	all := make([]DestinationStatus, len(rows))
	byName := make(map[string]*DestinationStatus, len(rows))
	for i, r := range rows {
		all[i] = DestinationStatus{Destination: r.name, Configured: !r.isOrphan(), Paused: r.paused}
		if _, isLiving := living[r.holder]; isLiving {
			all[i].Gateway = r.holder
		}
		all[i].addLatest(&r.latest, &q.store.clock)
		byName[r.name] = &all[i]
		if err := q.addLog(ctx, &all[i], r); err != nil {
			return nil, unavailable(ctx, err)
		}
		all[i].counted = all[i].Here || r.isOrphan() && isFirst(q.holder, living)
	}
	return all, q.addDeferred(ctx, byName)
}

// isFirst reports whether a gateway is the first by name of those that live.
func isFirst(holder string, living map[string][]string) bool {
	for other := range living {
		if other < holder {
			return false
		}
	}
	return true
}

// addLog adds the events that a destination has not taken from the log yet.
func (q *eventLog) addLog(ctx context.Context, s *DestinationStatus, r destinationRow) error {
	position := r.position
	q.mu.Lock()
	w := q.workers[r.name]
	q.mu.Unlock()
	if w != nil {
		w.mu.Lock()
		status := w.status
		w.mu.Unlock()
		if s.Here = status.here; s.Here {
			position = status.pos
			s.Down, s.Backlog, s.OldestUndelivered = status.down, status.open, status.oldest
		}
	}
	ahead, first, err := q.countAhead(ctx, &r, position)
	if err != nil || ahead == 0 {
		return err
	}
	s.Backlog += ahead
	oldest, err := q.oldest(ctx, &r, first)
	s.note(oldest)
	return err
}

// note takes in when an undelivered event came in.
func (s *DestinationStatus) note(oldest time.Time) {
	if !oldest.IsZero() && (s.OldestUndelivered.IsZero() || oldest.Before(s.OldestUndelivered)) {
		s.OldestUndelivered = oldest
	}
}

// addDeferred adds the deferred deliveries, and counts the dead letters.
func (q *eventLog) addDeferred(ctx context.Context, byName map[string]*DestinationStatus) error {
	return q.query(ctx, `SELECT name, state, count(*), min(received) FROM webhooks_deliveries GROUP BY name, state`, nil, func(rows *sql.Rows) error {
		var name, state string
		var n, received int64
		if err := rows.Scan(&name, &state, &n, &received); err != nil {
			return err
		}
		s := byName[name]
		switch {
		case s == nil:
		case state == stateDead:
			s.DeadLetters = n
		default:
			s.Backlog += n
			s.note(q.store.time(received))
		}
		return nil
	})
}

// logOrphans logs the backlogs of names that no configuration has.
func (q *eventLog) logOrphans() {
	all, err := q.Status(q.ctx)
	if err != nil {
		return // it is only for information
	}
	for _, s := range all {
		if !s.Configured && s.Backlog+s.DeadLetters > 0 {
			q.log().Warn("destination left the configuration; its events are kept until it returns or `caddy webhooks forget` discards them",
				zap.String("destination", s.Destination), zap.Int64("backlog", s.Backlog), zap.Int64("dead_letters", s.DeadLetters))
		}
	}
}
