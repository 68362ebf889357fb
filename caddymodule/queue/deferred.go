package queue

import (
	"fmt"
	"strings"
	"time"
)

// States of a deferred delivery.
const (
	stateRetry   = "retry"   // waiting until it is due
	stateRunning = "running" // being tried
	stateParked  = "parked"  // waiting for an older event of its key
	stateDead    = "dead"    // a dead letter
)

// maxExcerpt is how much of an answer is kept, in bytes.
const maxExcerpt = 1024

// deferred is a delivery as it stands in webhooks_deliveries.
type deferred struct {
	*delivery
	attempts int    // as they are when it is written; the delivery goes on
	event    *Event // the same, for what is being written
	state    string
	due      time.Time
	tried    time.Time
	result   Result
}

// deferredRow is one as it is written.
type deferredRow struct {
	seq            int64
	name, state    string
	due            int64
	attempts       int
	replay         int
	tried          int64
	status         int
	text           string
	excerpt        []byte
	partitionKey   string
	received, size int64
}

// row returns the deferred delivery as it is written.
func (d *deferred) row(name string, s *store) deferredRow {
	e := d.event
	if e == nil { // the worker waits
		e = d.Event
	}
	return deferredRow{e.Seq, name, d.state, s.micros(d.due), d.attempts, asInt(d.Replay), s.micros(d.tried),
		d.result.Status, d.result.text(), d.result.excerpt(), e.PartitionKey, s.micros(e.Received), e.size()}
}

const deferredColumns = 13

// putOver writes a deferred delivery over the one that is there. One without an error
// keeps how the last attempt ended.
const putOver = ` ON CONFLICT (seq, name) DO UPDATE SET state = excluded.state, due = excluded.due, attempts = excluded.attempts,
	replay = excluded.replay, tried = excluded.tried,
	status = CASE WHEN excluded.error = '' THEN webhooks_deliveries.status ELSE excluded.status END,
	excerpt = CASE WHEN excluded.error = '' THEN webhooks_deliveries.excerpt ELSE excluded.excerpt END,
	error = CASE WHEN excluded.error = '' THEN webhooks_deliveries.error ELSE excluded.error END`

// put writes deferred deliveries over what is there.
func (t *tx) put(name string, all map[int64]deferred) error {
	args := make([]any, 0, len(all)*deferredColumns)
	for _, d := range all {
		r := d.row(name, t.store)
		args = append(args, r.seq, r.name, r.state, r.due, r.attempts, r.replay, r.tried,
			r.status, r.text, r.excerpt, r.partitionKey, r.received, r.size)
	}
	return t.insert(`INSERT INTO webhooks_deliveries (seq, name, state, due, attempts, replay, tried,
		status, error, excerpt, partition_key, received, size)`, deferredColumns, putOver, args, nil)
}

// remove removes deferred deliveries.
func (t *tx) remove(name string, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	return t.exec(`DELETE FROM webhooks_deliveries WHERE seq `+t.store.isListed(1)+` AND name = $2`, t.store.list(seqs), name)
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text is why there was no success, in words that every database stores.
func (r Result) text() string {
	switch {
	case r.Err != nil:
		return storable(r.Err.Error())
	case r.Status != 0:
		return fmt.Sprintf("answered %d", r.Status)
	}
	return ""
}

func storable(s string) string {
	if len(s) > maxExcerpt {
		s = s[:maxExcerpt]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func (r Result) excerpt() []byte { return r.Excerpt[:min(len(r.Excerpt), maxExcerpt)] }
