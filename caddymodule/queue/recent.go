package queue

import (
	"database/sql"
	"sort"
	"sync"
)

const (
	// recentEvents is how many events that were stored last stay in memory, so that
	// destinations that keep up need not read them back.
	recentEvents = 1024

	// recentBytes is how many bytes of them, about.
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

// add adds what was committed: the accepted ones of events, whose numbers follow
// each other up to last.
func (r *recent) add(events []*Event, accepted []bool, last int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := last - int64(len(events)); first != r.to {
		// Another gateway has stored some in between.
		r.events, r.bytes = nil, 0
		r.from = first
	}
	r.to = last
	for i, e := range events {
		if accepted[i] {
			r.events = append(r.events, e)
			r.bytes += e.size()
		}
	}
	drop := 0
	for len(r.events)-drop > recentEvents || r.bytes > recentBytes {
		r.from = r.events[drop].Seq
		r.bytes -= r.events[drop].size()
		r.events[drop] = nil
		drop++
	}
	r.events = r.events[drop:]
}

// after returns the events of a source after a number, up to another one: so
// many, and bytes of them, at the most. pos is up to where that is all. ok is
// false when they are not all in memory.
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
		if bytes -= e.size(); len(events) == limit || bytes <= 0 {
			return events, e.Seq, true
		}
	}
	return events, to, true
}

// after is recent.after, from the database where it must be.
func (q *Queue) after(pos, to int64, source string, limit int, bytes int64) (events []*Event, _ int64, err error) {
	if events, pos, ok := q.writer.recent.after(pos, to, source, limit, bytes); ok {
		return events, pos, nil
	}
	err = q.read(`SELECT `+columnsOfEvent+` FROM webhooks_events e
		WHERE e.seq > $1 AND e.seq <= $2 AND e.source = $3 ORDER BY e.seq LIMIT $4`,
		[]any{pos, to, source, limit}, func(rows *sql.Rows) error {
			e, err := scanEvent(rows)
			if err != nil {
				return err
			}
			events = append(events, e)
			if bytes -= e.size(); bytes <= 0 {
				return errEnough
			}
			return nil
		})
	switch {
	case err != nil:
		return nil, pos, err
	case len(events) > 0 && (len(events) == limit || bytes <= 0):
		return events, events[len(events)-1].Seq, nil
	}
	return events, to, nil
}
