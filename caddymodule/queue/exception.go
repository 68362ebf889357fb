package queue

import (
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// States of an exception.
const (
	stateRetry   = "retry"   // waiting until it is due
	stateRunning = "running" // being tried
	stateParked  = "parked"  // waiting for an older event of its key
	stateDead    = "dead"    // a dead letter
)

// maxExcerpt is how much of an answer is kept, in bytes.
const maxExcerpt = 1024

// exception is a delivery as it stands in webhooks_exceptions.
type exception struct {
	*delivery
	attempts int    // as they are when it is written; the delivery goes on
	event    *Event // the same, for what is being written
	state    string
	due      time.Time
	tried    time.Time
	result   Result
}

const exceptionColumns = 13

// put writes exceptions over what is there.
func (t *tx) put(name string, all map[int64]exception) error {
	args := make([]any, 0, len(all)*exceptionColumns)
	for _, x := range all {
		e := x.event
		if e == nil { // the worker waits
			e = x.Event
		}
		args = append(args, e.Seq, name, x.state, x.due.UnixMicro(), x.attempts, asInt(x.Replay), x.tried.UnixMicro(),
			x.result.Status, x.result.text(), x.result.excerpt(), e.PartitionKey, e.Received.UnixMicro(), e.size())
	}
	return t.insert(`INSERT INTO webhooks_exceptions (seq, name, state, due, attempts, replay, tried,
		status, error, excerpt, partition_key, received, size)`, exceptionColumns,
		` ON CONFLICT (seq, name) DO UPDATE SET state = excluded.state, due = excluded.due, attempts = excluded.attempts,
		replay = excluded.replay, tried = excluded.tried,
		status = CASE WHEN excluded.error = '' THEN webhooks_exceptions.status ELSE excluded.status END,
		excerpt = CASE WHEN excluded.error = '' THEN webhooks_exceptions.excerpt ELSE excluded.excerpt END,
		error = CASE WHEN excluded.error = '' THEN webhooks_exceptions.error ELSE excluded.error END`,
		args, nil)
}

// remove removes exceptions.
func (t *tx) remove(name string, seqs []int64) error {
	return t.each(seqs, func(in string, args []any) error {
		return t.exec(`DELETE FROM webhooks_exceptions WHERE seq IN `+in+` AND name = `+t.store.placeholder(len(args)+1), append(args, name)...)
	})
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

const columnsOfEvent = `e.seq, e.key, e.source, e.provider, e.type, e.partition_key, e.event_id, e.received, e.original, e.request, e.body`

// scanEvent scans columnsOfEvent, and what stands before them.
func scanEvent(rows *sql.Rows, before ...any) (*Event, error) {
	e := new(Event)
	var key []byte
	var received int64
	err := rows.Scan(append(before, &e.Seq, &key, &e.Source, &e.Provider, &e.Type, &e.PartitionKey, &e.ID,
		&received, &e.Original, &e.Request, &e.Body)...)
	copy(e.Key[:], key)
	e.Received = time.UnixMicro(received)
	return e, err
}
