package queue

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// States of a deferred delivery, as they are stored.
const (
	stateRetry   = "retry"   // waits until it is due
	stateRunning = "running" // an attempt is under way, or was at a crash
	stateParked  = "parked"  // waits for an older event of its key
	stateDead    = "dead"    // is a dead letter
)

// maxExcerpt is the maximum number of bytes that are kept of an answer.
const maxExcerpt = 1024

// deferred is a delivery as it is to be written to webhooks_deliveries. While the
// writer has it, the worker goes on and changes the delivery; attempts and event are
// copies from before.
type deferred struct {
	*delivery
	attempts int
	event    *Event // nil while the worker waits for the write
	state    string
	due      time.Time
	tried    time.Time
	result   Result
}

// deferredRow is a row of webhooks_deliveries.
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

// row returns the row to write.
func (d *deferred) row(name string, s *store) deferredRow {
	e := d.event
	if e == nil {
		e = d.Event
	}
	return deferredRow{e.Seq, name, d.state, s.micros(d.due), d.attempts, asInt(d.Replay), s.micros(d.tried),
		d.result.Status, d.result.text(), d.result.excerpt(), e.PartitionKey, s.micros(e.Received), e.size()}
}

const deferredColumns = 13

// putOver replaces an existing row. A row without an error keeps the result of the
// last attempt.
const putOver = ` ON CONFLICT (seq, name) DO UPDATE SET state = excluded.state, due = excluded.due, attempts = excluded.attempts,
	replay = excluded.replay, tried = excluded.tried,
	status = CASE WHEN excluded.error = '' THEN webhooks_deliveries.status ELSE excluded.status END,
	excerpt = CASE WHEN excluded.error = '' THEN webhooks_deliveries.excerpt ELSE excluded.excerpt END,
	error = CASE WHEN excluded.error = '' THEN webhooks_deliveries.error ELSE excluded.error END`

// put inserts deferred deliveries, or replaces them.
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

// remove deletes deferred deliveries of a destination.
func (t *tx) remove(name string, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	return t.exec(`DELETE FROM webhooks_deliveries WHERE seq `+t.store.isListed(1)+` AND name = $2`, t.store.list(seqs), name)
}

// asInt returns 1 for true: the columns are numbers.
func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// localAddress matches the address of this machine in an error of package net, such as
// "read tcp 127.0.0.1:45678->127.0.0.1:80: connection reset by peer".
var localAddress = regexp.MustCompile(`\b((?:tcp|udp)[46]? )\S+:\d+->`)

// text returns why the attempt failed, as every database can store it. Equal causes
// have equal texts: the port of this machine, which differs each time, is left out.
func (r Result) text() string {
	switch {
	case r.Err != nil:
		return storable(localAddress.ReplaceAllString(r.Err.Error(), "$1"))
	case r.Status != 0:
		return fmt.Sprintf("answered %d", r.Status)
	}
	return ""
}

// storable shortens a text to maxExcerpt bytes and replaces what PostgreSQL's text
// type refuses: invalid UTF-8 and NUL.
func storable(s string) string {
	if len(s) > maxExcerpt {
		s = s[:maxExcerpt]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// excerpt returns the beginning of the answer that is stored.
func (r Result) excerpt() []byte { return r.Excerpt[:min(len(r.Excerpt), maxExcerpt)] }
