package queue

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

const (
	// duplicatesInterval is how often counts of duplicates are written.
	duplicatesInterval = time.Second

	// duplicatesAtOnce is the maximum number of keys whose counts are written together.
	duplicatesAtOnce = 500

	// maxDuplicates is the maximum number of keys whose counts wait in memory.
	// Duplicates of other keys are not counted meanwhile.
	maxDuplicates = 16 * duplicatesAtOnce
)

// duplicate is how often the event of a key came again, and when last.
type duplicate struct {
	key  envelope.Key
	n    int64
	last time.Time
}

// duplicates are the counts that are not written yet. They belong to the writer's
// goroutine.
type duplicates struct {
	counts map[envelope.Key]duplicate
	due    <-chan time.Time // when to write; nil if there is nothing to write
}

// note counts the events of a commit that were not accepted. The counts of a key that a
// new event has taken begin again.
func (d *duplicates) note(events []*Event, accepted []bool) {
	for i, e := range events {
		if !accepted[i] {
			d.add(duplicate{e.Key, 1, e.Received})
		} else if len(d.counts) > 0 {
			delete(d.counts, e.Key)
		}
	}
}

func (d *duplicates) add(more duplicate) {
	of, ok := d.counts[more.key]
	if !ok && len(d.counts) >= maxDuplicates {
		return
	}
	if d.counts == nil {
		d.counts = make(map[envelope.Key]duplicate)
	}
	d.counts[more.key] = duplicate{more.key, of.n + more.n, later(of.last, more.last)}
	if d.due == nil {
		d.due = time.After(duplicatesInterval)
	}
}

func (d *duplicates) addAll(more []duplicate) {
	for _, one := range more {
		d.add(one)
	}
}

// take returns some of the counts, which are to be written.
func (d *duplicates) take() (all []duplicate) {
	for key, of := range d.counts {
		delete(d.counts, key)
		if all = append(all, of); len(all) == duplicatesAtOnce {
			break
		}
	}
	return all
}

// writeDuplicates writes some of the counts, with whatever else is waiting.
func (w *writer) writeDuplicates() error {
	w.duplicates.due = nil
	c := &change{duplicates: w.duplicates.take(), done: make(chan error, 1)}
	w.write(w.group(c))
	err := <-c.done
	if err != nil {
		w.duplicates.addAll(c.duplicates)
	}
	if len(w.duplicates.counts) > 0 && w.duplicates.due == nil {
		w.duplicates.due = time.After(duplicatesInterval)
	}
	return err
}

// flushDuplicates writes all counts, if the database answers.
func (w *writer) flushDuplicates() {
	for len(w.duplicates.counts) > 0 && w.reachable() {
		if err := w.writeDuplicates(); err != nil {
			return
		}
	}
}

// countDuplicates adds counts of duplicates to those of their keys.
func (t *tx) countDuplicates(all []duplicate) error {
	if len(all) == 0 {
		return nil
	}
	text, err := json.Marshal(column(all, func(d duplicate) [3]any {
		return [3]any{hex.EncodeToString(d.key[:]), d.n, t.micros(d.last)}
	}))
	if err != nil {
		return err
	}
	return t.exec(`UPDATE webhooks_keys SET duplicates = duplicates + d.n, last_duplicate = max(last_duplicate, d.last)
		FROM (SELECT unhex(value ->> 0) AS key, value ->> 1 AS n, value ->> 2 AS last FROM json_each($1)) AS d
		WHERE webhooks_keys.key = d.key`, string(text))
}

// pgDuplicates does the same, after pgLockCounter.
const pgDuplicates = `UPDATE webhooks_keys k SET duplicates = k.duplicates + d.n, last_duplicate = GREATEST(k.last_duplicate, d.last)
	FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS d (key, n, last)
	WHERE k.key = d.key`

// pgLockCounter locks the counter first, as pgStore does: gateways must lock in the same
// order.
const pgLockCounter = `SELECT 1 FROM webhooks_queue WHERE id = 1 FOR UPDATE`

// queueDuplicates adds counts of duplicates to a batch.
func (s *store) queueDuplicates(batch *pgx.Batch, all []duplicate) {
	if len(all) == 0 {
		return
	}
	batch.Queue(pgLockCounter)
	batch.Queue(pgDuplicates,
		column(all, func(d duplicate) []byte { return d.key[:] }),
		column(all, func(d duplicate) int64 { return d.n }),
		column(all, func(d duplicate) int64 { return s.micros(d.last) }))
}
