package queue

import (
	"database/sql"
	"sort"
	"sync"
)

const (
	// recentEvents is the number of the newest events that stay in memory, so that
	// destinations that keep up need not read them back.
	recentEvents = 1024

	// recentBytes is about the maximum number of their bytes.
	recentBytes = 8 << 20
)

// recent is the end of the log, in memory.
type recent struct {
	mu     sync.Mutex
	events []*Event // in order
	from   int64    // all events after it, up to to, are in events
	to     int64
	bytes  int64
}

// add adds the accepted ones of events that were committed, whose consecutive numbers
// end with last.
func (r *recent) add(events []*Event, accepted []bool, last int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := last - int64(len(events)); first != r.to {
		// Another gateway has stored events in between.
		r.events, r.bytes = nil, 0
		r.from = first
	}
	r.to = last
	for i, e := range events {
		if accepted[i] {
			r.events = append(r.events, e)
			r.bytes += e.weight()
		}
	}
	drop := 0
	for len(r.events)-drop > recentEvents || r.bytes > recentBytes {
		r.from = r.events[drop].Seq
		r.bytes -= r.events[drop].weight()
		r.events[drop] = nil
		drop++
	}
	r.events = r.events[drop:]
}

// has reports whether all events after pos are in memory.
func (r *recent) has(pos int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return pos >= r.from
}

// forget removes all events. The log ends at last.
func (r *recent) forget(last int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events, r.bytes = nil, 0
	r.from, r.to = last, last
}

// after returns the events of a source after pos up to to, at most limit of them and
// about as many bytes. The second result is the number up to which these are all. ok
// is false if they are not all in memory.
func (r *recent) after(pos, to int64, source string, limit int, bytes int64) (events []*Event, _ int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pos < r.from || to > r.to {
		return nil, pos, false
	}
	first := sort.Search(len(r.events), func(i int) bool { return r.events[i].Seq > pos })
	for _, e := range r.events[first:] {
		if e.Seq > to {
			break
		}
		if e.Source != source {
			continue
		}
		events = append(events, e)
		if bytes -= e.weight(); len(events) == limit || bytes <= 0 {
			return events, e.Seq, true
		}
	}
	return events, to, true
}

// after is like recent.after, but reads from the database what is not in memory.
func (q *eventLog) after(e *era, pos, to int64, source string, limit int, bytes int64) (events []*Event, _ int64, err error) {
	if recent, end, ok := q.writer.recent.after(pos, to, source, limit, bytes); ok {
		return recent, end, nil
	}
	// Numbers and sizes come first: a driver reads all of a result, which must not be
	// larger than there is room for. The position does not pass the end of the log at
	// this server, which may be a standby that lags behind.
	var seqs []int64
	var last int64
	isCut := false
	err = q.read(e, `SELECT q.last, `+q.store.timeline+`, COALESCE(e.seq, 0), COALESCE(e.size, 0)
		FROM webhooks_queue q LEFT JOIN (
			SELECT e.seq, e.size + COALESCE(r.size, 0) AS size FROM webhooks_events e LEFT JOIN webhooks_requests r ON r.first = e.shared
			WHERE e.seq > $1 AND e.seq <= $2 AND e.source = $3 ORDER BY e.seq`+limitTo("$4")+`
		) AS e ON TRUE WHERE q.id = 1 ORDER BY e.seq`,
		[]any{pos, to, source, limit}, func(rows *sql.Rows) error {
			var timeline string
			var seq, size int64
			if err = rows.Scan(&last, &timeline, &seq, &size); err != nil {
				return err
			}
			if timeline != e.timeline {
				return errStale
			}
			if seq == 0 {
				return nil
			}
			seqs = append(seqs, seq)
			if bytes -= size; len(seqs) == limit || bytes <= 0 {
				isCut = true
				return errEnough
			}
			return nil
		})
	if err != nil {
		return nil, pos, err
	}
	if events, err = q.load(e, seqs); err != nil {
		return nil, pos, err
	}
	if isCut {
		return events, seqs[len(seqs)-1], nil
	}
	return events, max(pos, min(to, last)), nil
}
