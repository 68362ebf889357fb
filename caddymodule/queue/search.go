package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// State is what became of an event at one destination.
type State string

// States.
const (
	StateWaiting   State = "waiting"   // for its first attempt
	StateRetrying  State = "retrying"  // for another attempt
	StateParked    State = "parked"    // for an older event of its partition key
	StateDelivered State = "delivered" // the destination acknowledged it
	StateDead      State = "dead"      // a dead letter
	StateDiscarded State = "discarded" // a dead letter that was discarded
	StateUnrouted  State = "unrouted"  // no destination takes it
)

// Search selects events: those to which all of its fields apply that are set. The zero
// value selects all.
type Search struct {
	Provider     string               // the provider's name
	Source       string               // the whole of it
	Type         envelope.TypePattern // of its type
	Subject      string               // the whole of it
	PartitionKey string               // the whole of it
	ID           string               // the provider's own
	Destination  string               // that takes it
	State        State                // at Destination or, without one, at any
	Since        time.Time            // received then or later
	Until        time.Time            // received before then
	Text         string               // in the body, as it is or escaped as in JSON
}

// Summary is a stored event without its bytes, and what became of it.
type Summary struct {
	// Seq is its place in the order of arrival.
	Seq int64 `json:"-"`

	// ID is the name of the event, msg_….
	ID string `json:"id"`

	// EventID is the provider's own id.
	EventID string `json:"event_id"`

	Provider     string `json:"provider"`               // its name
	Source       string `json:"source"`                 // of its envelope
	Type         string `json:"type"`                   // canonical
	Subject      string `json:"subject,omitempty"`      // of its envelope
	PartitionKey string `json:"partitionkey,omitempty"` // of its envelope

	Received time.Time `json:"received"` // by the gateway
	Size     int64     `json:"size"`     // of its body, in bytes

	// Duplicates is how often it came again, and LastDuplicate when last.
	Duplicates    int64     `json:"duplicates"`
	LastDuplicate time.Time `json:"last_duplicate,omitzero"`

	// Destinations are those that take it, by name. Empty for an unrouted event.
	Destinations []DeliveryStatus `json:"destinations"`

	stored int64 // the number of bytes that it takes on disk
}

// DeliveryStatus is what became of an event at one destination.
type DeliveryStatus struct {
	Destination string `json:"destination"` // its name
	State       State  `json:"state"`

	// Attempt is the number of the last attempt that was begun; 0 for none, or if it is
	// not known any more.
	Attempt int `json:"attempt,omitempty"`

	LastStatus int       `json:"last_status,omitempty"` // of the last answer that failed
	LastError  string    `json:"last_error,omitempty"`  // why the last attempt failed
	Next       time.Time `json:"next,omitzero"`         // when the next attempt is due
	Replay     bool      `json:"replay,omitempty"`      // it was replayed

	// Attempts are those that are remembered, in order. Only History
	// fills it in.
	Attempts []PastAttempt `json:"attempts,omitempty"`
}

// PastAttempt is an attempt that has ended.
type PastAttempt struct {
	Attempt int           `json:"attempt"` // its number, from 1
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"-"`
	TookMS  float64       `json:"took_ms"` // Took in milliseconds
	Status  int           `json:"status"`  // of the answer, 0 for none
	Outcome Outcome       `json:"outcome"`
	Replay  bool          `json:"replay,omitempty"`
	Error   string        `json:"error,omitempty"`   // of one that failed
	Excerpt string        `json:"excerpt,omitempty"` // of the answer of one that failed
}

// Found is a page of events, the latest first.
type Found struct {
	Events []Summary

	// Before continues the search if it is passed to Search; 0 if there are no more.
	Before int64

	// SearchedTo is when the last event came in that was looked at, if the page ended
	// early because the search took too long, as one for a text may. Otherwise it is
	// zero.
	SearchedTo time.Time
}

const (
	// searchTime is how long a search for one page may take. What has begun by then goes
	// on to its end.
	searchTime = 2 * time.Second

	// maxSearches is the maximum number of searches at a time, so that connections are
	// left for deliveries.
	maxSearches = readers / 2
)

// Search returns the latest events that were stored before a number, at most limit of
// them and at least one. With 0, it begins at the end of the log. A search that takes
// longer than 2 s returns what it has found, and where it goes on. It returns ErrUnknown
// for a destination that does not exist.
func (q *eventLog) Search(ctx context.Context, s Search, before int64, limit int) (found Found, err error) {
	err = q.inTurn(ctx, func() error {
		found, err = q.search(ctx, s, before, max(limit, 1))
		return err
	})
	return found, err
}

// search is Search without the limit to the number of searches.
func (q *eventLog) search(ctx context.Context, s Search, before int64, limit int) (Found, error) {
	f, err := q.newFinder(ctx, s, before)
	if err != nil {
		return Found{}, err
	}
	f.deadline = q.now().Add(q.searchTime)
	found, err := f.page(limit)
	if err != nil {
		return Found{}, err
	}
	if found.SearchedTo, err = f.searchedTo(found.Before); err != nil {
		return Found{}, unavailable(ctx, err)
	}
	return found, q.complete(ctx, found.Events)
}

// inTurn runs a search when there are not too many others.
func (q *eventLog) inTurn(ctx context.Context, search func() error) error {
	select {
	case q.searching <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-q.searching }()
	return search()
}

// finder goes through the log from its end to its start, and finds the events of a
// search: candidates first, which are then compared with the events themselves.
type finder struct {
	search
	ctx      context.Context
	q        *eventLog
	deadline time.Time // when a page ends early; zero for never
	isEarly  bool      // the last page did

	below      int64   // candidates were looked for from here on
	oldest     int64   // there is no event before it
	awaited    int64   // no destination waits for an event before it, except for deferred ones
	step       int64   // how many blocks to look at next
	candidates []int64 // that are still to be compared, the newest first
	chunk      int     // how many to compare next

	found []Summary // that no page has yet
}

// newFinder returns the finder of a search below a number.
func (q *eventLog) newFinder(ctx context.Context, s Search, before int64) (*finder, error) {
	if !q.isOpen() {
		return nil, errNotOpen
	}
	// Positions are read before deliveries: one that is settled meanwhile looks as if
	// it waited, and never the other way round.
	destinations, err := q.store.destinations(ctx)
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	f := &finder{ctx: ctx, q: q, search: newSearch(s, destinations, q.store), step: firstStep, chunk: firstChunk}
	if s.Destination != "" && len(f.places) == 0 {
		return nil, fmt.Errorf("%w: no destination %q", ErrUnknown, s.Destination)
	}
	var last int64
	err = q.query(ctx, `SELECT last, COALESCE((SELECT MIN(seq) FROM webhooks_events), last + 1) FROM webhooks_queue WHERE id = 1`, nil,
		func(rows *sql.Rows) error { return rows.Scan(&last, &f.oldest) })
	if f.below = last + 1; before > 0 {
		f.below = min(f.below, before)
	}
	f.awaited = f.firstAwaited(last)
	if f.isEmpty() {
		f.below = f.oldest
	}
	return f, err
}

// page returns the next events. Looking for one more shows whether there are more, but
// takes too long for a text.
func (f *finder) page(limit int) (page Found, err error) {
	want := limit + 1
	if f.Text != "" {
		want = limit
	}
	start := f.reached()
	f.isEarly = false
	for len(f.found) < want && !f.isDone() && !f.isEarly {
		if len(f.candidates) == 0 {
			err = f.lookFurther()
		} else {
			err = f.compare()
		}
		if err != nil {
			return page, unavailable(f.ctx, err)
		}
		f.isEarly = !f.deadline.IsZero() && f.q.now().After(f.deadline) && f.reached() < start
	}
	n := min(limit, len(f.found))
	page.Events, f.found = f.found[:n:n], f.found[n:]
	switch {
	case n == limit && (len(f.found) > 0 || !f.isDone()):
		f.isEarly = false
		page.Before = page.Events[n-1].Seq
	case f.isDone():
		f.isEarly = false
	case f.isEarly:
		page.Before = f.reached()
	}
	return page, nil
}

// isDone reports whether all events were compared.
func (f *finder) isDone() bool { return len(f.candidates) == 0 && f.below <= f.oldest }

// reached returns the number from which on all events were compared.
func (f *finder) reached() int64 {
	if len(f.candidates) > 0 {
		return f.candidates[0] + 1
	}
	return f.below
}

// searchedTo returns when the event came in at which a page ended early.
func (f *finder) searchedTo(before int64) (at time.Time, err error) {
	if !f.isEarly {
		return at, nil
	}
	err = f.q.store.query(f.ctx, `SELECT received FROM webhooks_events WHERE seq >= $1 ORDER BY seq LIMIT 1`, []any{before}, func(rows *sql.Rows) error {
		var received int64
		err = rows.Scan(&received)
		at = f.q.store.time(received).UTC()
		return err
	})
	return at, err
}

const (
	firstChunk = 64
	maxChunk   = 1024

	// A chunk takes about this long to compare, so that a search ends in time.
	quickChunk = 50 * time.Millisecond
	slowChunk  = 200 * time.Millisecond
)

// compare compares the next candidates with the events themselves, and keeps those that
// the search selects.
func (f *finder) compare() error {
	begun := f.q.now()
	n := min(f.chunk, len(f.candidates))
	seqs := f.candidates[:n]
	f.candidates = f.candidates[n:]
	events, err := f.load(seqs)
	if err != nil {
		return err
	}
	if err = f.addStates(events); err != nil {
		return err
	}
	for _, e := range events {
		if f.selectsStates(e.Destinations) {
			f.found = append(f.found, e)
		}
	}
	f.chunk = nextChunk(f.chunk, f.q.now().Sub(begun))
	return nil
}

// nextChunk returns how many candidates to compare after some took a time.
func nextChunk(n int, took time.Duration) int {
	switch {
	case took < quickChunk:
		return min(2*n, maxChunk)
	case took > slowChunk:
		return max(n/2, 1)
	}
	return n
}
