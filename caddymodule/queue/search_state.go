package queue

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// nameOf returns the name of an event from its key, as the database has it.
func nameOf(key []byte) string {
	if len(key) != len(envelope.Key{}) {
		return ""
	}
	return envelope.Key(key).String()
}

// deferredStatus is a row of webhooks_deliveries as a search reads it.
type deferredStatus struct {
	state    string
	due      time.Time
	attempts int
	replay   bool
	status   int
	text     string
}

// deferredOf reads the deferred deliveries of events, by number and destination.
func (q *eventLog) deferredOf(ctx context.Context, seqs []int64) (map[int64]map[string]deferredStatus, error) {
	all := make(map[int64]map[string]deferredStatus)
	err := q.store.query(ctx, `SELECT seq, name, state, due, attempts, replay, status, error FROM webhooks_deliveries WHERE seq `+q.store.isListed(1),
		[]any{q.store.list(seqs)}, func(rows *sql.Rows) error {
			var seq, due int64
			var name string
			var d deferredStatus
			err := rows.Scan(&seq, &name, &d.state, &due, &d.attempts, &d.replay, &d.status, &d.text)
			d.due = q.store.time(due).UTC()
			if all[seq] == nil {
				all[seq] = make(map[string]deferredStatus)
			}
			all[seq][name] = d
			return err
		})
	return all, err
}

// publicState returns the state as a search reports it.
func (d deferredStatus) publicState() State {
	ended := d.attempts
	if d.state == stateRunning {
		ended--
	}
	switch {
	case d.state == stateDead:
		return StateDead
	case d.state == stateParked:
		return StateParked
	case ended > 0:
		return StateRetrying
	}
	return StateWaiting
}

// addStates fills in what became of events. Without attempts, a dead letter that was
// discarded looks delivered.
func (f *finder) addStates(events []Summary) error {
	if len(events) == 0 {
		return nil
	}
	deferred, err := f.q.deferredOf(f.ctx, numbersOf(events))
	if err != nil {
		return err
	}
	held, err := f.holding(events)
	if err != nil {
		return err
	}
	for i := range events {
		events[i].Destinations = f.statesOf(&events[i], deferred[events[i].Seq], held)
	}
	if f.State == StateDelivered || f.State == StateDiscarded {
		return f.q.addAttempts(f.ctx, events)
	}
	return nil
}

// holding returns, by destination, for which events its conditions hold; nil for a
// destination without conditions.
func (f *finder) holding(events []Summary) ([]map[int64]bool, error) {
	all := make([]map[int64]bool, len(f.destinations))
	for i := range f.destinations {
		d := &f.destinations[i]
		if !d.hasConditions() {
			continue
		}
		var seqs []int64
		for _, e := range events {
			if d.mayTake(e.Seq, e.Source, e.Type) {
				seqs = append(seqs, e.Seq)
			}
		}
		var err error
		if all[i], err = f.q.holding(f.ctx, d.filter.When, seqs); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// statesOf returns what became of an event at each destination that takes it. held is
// what holding returns.
func (s *search) statesOf(e *Summary, deferred map[string]deferredStatus, held []map[int64]bool) []DeliveryStatus {
	all := []DeliveryStatus{}
	for i := range s.destinations {
		d := &s.destinations[i]
		row, ok := deferred[d.name]
		status := DeliveryStatus{Destination: d.name, State: StateDelivered}
		switch {
		case ok:
			status.State, status.Attempt, status.Replay = row.publicState(), row.attempts, row.replay
			status.LastStatus, status.LastError = row.status, row.text
			if row.state == stateRetry {
				status.Next = row.due
			}
		case !d.mayTake(e.Seq, e.Source, e.Type), held[i] != nil && !held[i][e.Seq]:
			continue
		case e.Seq > d.position:
			status.State = StateWaiting
		}
		all = append(all, status)
	}
	return all
}

// addAttempts completes what became of events with the attempts that are remembered.
func (q *eventLog) addAttempts(ctx context.Context, events []Summary) error {
	attempts, err := q.attemptsOfAll(ctx, numbersOf(events))
	if err != nil {
		return err
	}
	for i := range events {
		for j := range events[i].Destinations {
			d := &events[i].Destinations[j]
			d.addPast(attempts[events[i].Seq][d.Destination])
		}
	}
	return nil
}

// numbersOf returns the numbers of events.
func numbersOf(events []Summary) []int64 {
	return column(events, func(e Summary) int64 { return e.Seq })
}

// addPast completes the status of a delivery with its past attempts.
func (d *DeliveryStatus) addPast(past []PastAttempt) {
	if len(past) == 0 || d.State != StateDelivered && d.State != StateDiscarded {
		return
	}
	last := past[len(past)-1]
	d.Attempt, d.Replay = last.Attempt, last.Replay
	if last.Outcome == OutcomeDead {
		d.State = StateDiscarded
	}
	for _, p := range slices.Backward(past) {
		if p.Outcome != OutcomeDelivered {
			d.LastStatus, d.LastError = p.Status, p.Error
			return
		}
	}
}

// complete fills in what a page shows of events beside what the search has read.
func (q *eventLog) complete(ctx context.Context, events []Summary) error {
	if len(events) == 0 {
		return nil
	}
	if err := q.addAttempts(ctx, events); err != nil {
		return unavailable(ctx, err)
	}
	return unavailable(ctx, q.addDuplicates(ctx, events))
}

// addDuplicates fills in how often events came again.
func (q *eventLog) addDuplicates(ctx context.Context, events []Summary) error {
	bySeq := make(map[int64]*Summary, len(events))
	keys := make([][]byte, len(events))
	for i := range events {
		bySeq[events[i].Seq] = &events[i]
		if key, err := envelope.ParseKey(events[i].ID); err == nil {
			keys[i] = key[:]
		}
	}
	return q.store.query(ctx, `SELECT seq, duplicates, last_duplicate FROM webhooks_keys WHERE key `+q.store.isListedKey(1)+` AND duplicates > 0`,
		[]any{q.store.keyList(keys)}, func(rows *sql.Rows) error {
			var seq, n, last int64
			err := rows.Scan(&seq, &n, &last)
			if e := bySeq[seq]; e != nil { // not of an event that came before with this key
				e.Duplicates, e.LastDuplicate = n, q.store.time(last).UTC()
			}
			return err
		})
}
