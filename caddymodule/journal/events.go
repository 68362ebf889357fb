package journal

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Event is an event, and what became of it.
type Event struct {
	queue.Summary

	// Direct is the answer to an event that went to the next handler. It is nil for an
	// event in the queue.
	Direct *Direct `json:"direct,omitempty"`
}

// Events is a page of events, the latest first.
type Events struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"` // the cursor of the page that follows, if there may be one

	// SearchedTo is set if a search for a text ended early: it is when the last event
	// came in that was looked at. Next goes on from there.
	SearchedTo time.Time `json:"searched_to,omitzero"`
}

// source is a log of events. Each of them has a number, from 1, and the latest has the
// highest.
type source interface {
	// name names the log in cursors. Numbers have a meaning only within a name.
	name() string

	// search returns the latest events that have a number below before, or the latest
	// of all with 0; at most limit of them.
	search(ctx context.Context, s queue.Search, before int64, limit int) (queuePage, error)
}

// queuePage is what a source has found.
type queuePage struct {
	events     []Event   // the latest first, with their numbers in Seq
	before     int64     // where the search goes on, 0 if there are no more
	searchedTo time.Time // see queue.Found
}

// sources returns the logs that the journal merges.
func (j *Journal) sources() []source {
	var all []source
	if j.stored != nil {
		for _, number := range j.stored.LogNumbers() {
			all = append(all, storedLog{j.stored, number})
		}
	}
	return append(all, directLogs{j.memory})
}

// Events returns a page of events, the latest first: those of all logs by the time at
// which they came in, and those of one log in its order. Its cursor stays good while
// events come in: each event is on one page, and none is left out.
func (j *Journal) Events(ctx context.Context, s queue.Search, p Page) (Events, error) {
	at, err := parseCursor(p.Cursor)
	if err != nil {
		return Events{}, err
	}
	parts, err := searchAll(ctx, j.sources(), s, at, p.Limit)
	if err != nil {
		return Events{}, err
	}
	return merge(parts, p.Limit), nil
}

// searchAll searches all logs that have more, at the same time.
func searchAll(ctx context.Context, logs []source, s queue.Search, at cursor, limit int) ([]*part, error) {
	var parts []*part
	var wg sync.WaitGroup
	for _, log := range logs {
		before, isThere := at.before(log.name())
		if !isThere {
			continue
		}
		p := &part{name: log.name()}
		parts = append(parts, p)
		wg.Go(func() { p.queuePage, p.err = log.search(ctx, s, before, limit) })
	}
	wg.Wait()
	for _, p := range parts {
		if p.err != nil {
			return nil, p.err
		}
	}
	return parts, nil
}

// part is what one source contributes to a page.
type part struct {
	name string
	queuePage
	err   error // of the search
	taken int
}

// rest returns the events that were not taken yet.
func (p *part) rest() []Event { return p.events[p.taken:] }

// next returns where the source goes on after what was taken; 0 if it has no more.
func (p *part) next() int64 {
	switch {
	case len(p.rest()) == 0:
		return p.before
	case p.taken == 0:
		return p.events[0].Seq + 1 // what comes in from now on is not on a later page
	default:
		return p.events[p.taken-1].Seq
	}
}

// merge returns the latest events of all parts.
func merge(parts []*part, limit int) Events {
	page := Events{Events: []Event{}}
	for len(page.Events) < limit {
		latest := latestOf(parts)
		if latest == nil {
			break
		}
		page.Events = append(page.Events, latest.rest()[0])
		latest.taken++
	}
	at := make(cursor)
	for _, p := range parts {
		if next := p.next(); next > 0 {
			at[p.name] = next
		}
		if len(p.rest()) == 0 && p.searchedTo.After(page.SearchedTo) {
			page.SearchedTo = p.searchedTo
		}
	}
	if len(at) > 0 {
		page.Next = at.String()
	}
	return page
}

// latestOf returns the part whose next event is the latest, nil if there is none, or if
// a part may have a later one that its search did not come to.
func latestOf(parts []*part) *part {
	var latest *part
	for _, p := range parts {
		if rest := p.rest(); len(rest) > 0 && (latest == nil || rest[0].Received.After(latest.rest()[0].Received)) {
			latest = p
		}
	}
	if latest == nil {
		return nil
	}
	for _, p := range parts {
		if len(p.rest()) > 0 || p.before == 0 {
			continue
		}
		if p.searchedTo.IsZero() || latest.rest()[0].Received.Before(p.searchedTo) {
			return nil
		}
	}
	return latest
}

// storedLog is a log of the queue as a source.
type storedLog struct {
	stored
	number int
}

// stored is what the journal reads from the queue.
type stored interface {
	LogNumbers() []int
	Search(ctx context.Context, log int, s queue.Search, before int64, limit int) (queue.Found, error)
	History(ctx context.Context, key envelope.Key) (*queue.History, error)
}

// name implements source. Cursors of a queue that had only one log are still good.
func (l storedLog) name() string {
	if l.number == 0 {
		return "queue"
	}
	return "queue/" + strconv.Itoa(l.number)
}

func (l storedLog) search(ctx context.Context, s queue.Search, before int64, limit int) (queuePage, error) {
	found, err := l.Search(ctx, l.number, s, before, limit)
	page := queuePage{before: found.Before, searchedTo: found.SearchedTo}
	for _, summary := range found.Events {
		page.events = append(page.events, Event{Summary: summary})
	}
	return page, err
}

// directLogs are the events of direct delivery in memory as a source.
type directLogs struct{ *Memory }

func (l directLogs) name() string { return "direct/" + l.epoch }

func (l directLogs) search(_ context.Context, s queue.Search, before int64, limit int) (queuePage, error) {
	if s.Destination != "" || s.State != "" {
		return queuePage{}, nil // these are about the queue
	}
	found := l.find(&s, before)
	page := queuePage{}
	for i := range min(len(found), limit) {
		page.events = append(page.events, found[i].event())
	}
	if len(found) > limit {
		page.before = found[limit-1].n
	}
	return page, nil
}
