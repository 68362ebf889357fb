package queue

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// commit is the contents of one transaction.
type commit struct {
	events     []*Event
	epoch      int64 // under which they, and the places, were routed
	places     []*keyPlace
	requests   []sharedRequest
	progress   []*progress
	duplicates []duplicate
	runs       []func(t *tx) error
}

// sharedRequest is a request that brought several events, which are those of a
// commit from first to last.
type sharedRequest struct {
	first, last int
	*Request
}

// newCommit merges a group of changes.
func newCommit(group []*change) *commit {
	c := new(commit)
	for _, change := range group {
		first := len(c.events)
		c.events = append(c.events, change.events...)
		c.places = append(c.places, change.places...)
		if change.isRouted() {
			c.epoch = change.epoch
		}
		if request := change.shared(); request != nil {
			c.requests = append(c.requests, sharedRequest{first, len(c.events) - 1, request})
		}
		if change.progress != nil {
			c.progress = append(c.progress, change.progress)
		}
		c.duplicates = append(c.duplicates, change.duplicates...)
		if change.run != nil {
			c.runs = append(c.runs, change.run)
		}
	}
	return c
}

// size returns the number of bytes of the events and their requests.
func (c *commit) size() (size int64) {
	for _, e := range c.events {
		size += e.size()
	}
	for _, r := range c.requests {
		size += r.size()
	}
	return size
}

// isFirst reports for each event whether no event before it has the same key.
func (c *commit) isFirst() []bool {
	all := make([]bool, len(c.events))
	seen := make(map[envelope.Key]bool, len(c.events))
	for i, e := range c.events {
		all[i] = !seen[e.Key]
		seen[e.Key] = true
	}
	return all
}

// number gives the events consecutive numbers that end with last.
func (c *commit) number(last int64) {
	for i, e := range c.events {
		e.Seq = last - int64(len(c.events)-1-i)
	}
	for _, r := range c.requests {
		for _, e := range c.events[r.first : r.last+1] {
			e.shared = c.events[r.first].Seq
		}
	}
}

// stored is the result of a commit of events.
type stored struct {
	accepted []bool // which events were not duplicates
	moved    bool   // nothing was stored, because the log has another epoch
	logState
}

// logState is the end of the log, the number of its bytes and the epoch of its layout,
// as a server has them.
type logState struct {
	last, bytes int64
	epoch       int64
	timeline    string
}

// write writes a commit with one statement after another, which is how SQLite does it:
// a statement costs no round trip.
func (t *tx) write(c *commit, now time.Time) (s stored, err error) {
	if s.moved, err = t.takePlaces(c, now); err != nil {
		return s, err
	}
	if len(c.events) > 0 && !s.moved {
		if s, err = t.storeEvents(c, now); err != nil {
			return s, err
		}
	}
	for _, p := range c.progress {
		if err := t.progress(p, now); err != nil {
			return s, err
		}
	}
	if err := t.countDuplicates(c.duplicates); err != nil {
		return s, err
	}
	for _, run := range c.runs {
		if err := run(t); err != nil {
			return s, err
		}
	}
	return s, nil
}

// storeEvents stores the events whose keys are new.
func (t *tx) storeEvents(c *commit, now time.Time) (stored, error) {
	s := stored{accepted: make([]bool, len(c.events))}
	err := t.row(`UPDATE webhooks_queue SET last = last + $1, counted = last + $1, bytes = bytes + $2 WHERE id = 1 AND epoch = $3 RETURNING last, bytes, epoch`,
		[]any{len(c.events), c.size(), c.epoch}, &s.last, &s.bytes, &s.epoch)
	if errors.Is(err, sql.ErrNoRows) {
		s.moved = true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	c.number(s.last)
	isNew, err := t.storeKeys(c, now)
	if err != nil {
		return s, err
	}
	rows := make([]any, 0, len(c.events)*eventColumns)
	var refused int64
	for i, e := range c.events {
		if s.accepted[i] = isNew[e.Seq]; !isNew[e.Seq] {
			refused += e.size()
			continue
		}
		rows = append(rows, e.Seq, e.Key[:], e.Source, e.Provider, e.Type, e.Subject, e.PartitionKey, e.ID,
			t.micros(e.Received), t.micros(e.Received.Add(e.Window)), e.size(), e.Original, e.shared, e.ownRequest(), e.Body)
	}
	if err = t.insert(`INSERT INTO webhooks_events (seq, key, source, provider, type, subject, partition_key, event_id,
		received, expires, size, original, shared, request, body)`, eventColumns, "", rows, nil); err != nil {
		return s, err
	}
	for _, r := range c.requests {
		if !slices.Contains(s.accepted[r.first:r.last+1], true) {
			refused += r.size()
			continue
		}
		if err = t.exec(`INSERT INTO webhooks_requests (first, last, size, request) VALUES ($1, $2, $3, $4)`,
			c.events[r.first].Seq, c.events[r.last].Seq, r.size(), r.encoded()); err != nil {
			return s, err
		}
	}
	if refused > 0 {
		err = t.row(`UPDATE webhooks_queue SET bytes = bytes - $1 WHERE id = 1 RETURNING bytes`, []any{refused}, &s.bytes)
	}
	return s, err
}

const (
	eventColumns = 15
	keyColumns   = 3
)

// storeKeys stores the keys of events and returns the numbers of events that are not
// duplicates.
func (t *tx) storeKeys(c *commit, now time.Time) (map[int64]bool, error) {
	isNew := make(map[int64]bool, len(c.events))
	isFirst := c.isFirst()
	rows := make([]any, 0, len(c.events)*keyColumns)
	for i, e := range c.events {
		if e.Window == 0 {
			isNew[e.Seq] = true
		}
		if isFirst[i] {
			rows = append(rows, e.Key[:], t.micros(e.Received.Add(e.Window)), e.Seq)
		}
	}
	err := t.insert(`INSERT INTO webhooks_keys (key, expires, seq)`, keyColumns,
		` ON CONFLICT (key) DO UPDATE SET expires = excluded.expires, seq = excluded.seq, duplicates = 0, last_duplicate = 0
		WHERE `+isForgotten("$extra", "$extra")+` RETURNING seq`, rows,
		func(seq int64) { isNew[seq] = true }, t.micros(now), t.micros(now.Add(clockSlack)))
	return isNew, err
}

// isForgotten is the condition under which a stored key does not make an event a
// duplicate: its window has ended by now, or its event came in after future, because
// the clock was set back since.
func isForgotten(now, future string) string {
	return `(webhooks_keys.expires <= ` + now + ` OR (SELECT received FROM webhooks_events e WHERE e.seq = webhooks_keys.seq) > ` + future + `)`
}

// progress writes the progress of a worker, unless another gateway has its lease.
func (t *tx) progress(p *progress, now time.Time) error {
	l := &p.latest
	if err := t.row(`UPDATE webhooks_destinations SET position = $1, begun = $2, holder = CASE WHEN $3 THEN '' ELSE holder END,
		delivered = $4, failed = $5, failed_since = $6, last_status = $7, last_error = $8
		WHERE name = $9 AND lease = $10 RETURNING paused`,
		[]any{p.position, p.begun, p.release, l.delivered, l.failed, l.failedSince, l.status, l.text, p.name, p.lease}, &p.isPaused); errors.Is(err, sql.ErrNoRows) {
		p.lost = true // which must not fail the rest of the transaction
		return nil
	} else if err != nil {
		return err
	}
	if err := t.remove(p.name, slices.Collect(maps.Keys(p.remove))); err != nil {
		return err
	}
	if err := t.put(p.name, p.put); err != nil {
		return err
	}
	if err := t.insertAttempts(p.name, p.attempts); err != nil {
		return err
	}
	if p.recovered.IsZero() {
		return nil
	}
	return t.exec(`UPDATE webhooks_deliveries SET due = $1 WHERE name = $2 AND state = 'retry' AND due > $1 AND tried >= $3`,
		t.micros(now), p.name, t.micros(p.recovered))
}
