package queue

import (
	"slices"
	"strings"
)

// The parameters of the statements that write a commit in PostgreSQL: arrays, one for each
// column of the rows.

// column returns what f returns for each row.
func column[R, T any](rows []R, f func(R) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = f(row)
	}
	return all
}

// progressRows are the rows that the progress of workers writes.
type progressRows struct {
	removed, put []deferredRow
	attempts     []*attemptsRow
	attempted    []string // the destination of each of the attempts
}

// progressRows sorts the progress of workers, because gateways must lock in the same
// order, even if one has lost its leases, and returns the rows that it writes.
func (s *store) progressRows(all []*progress) (rows progressRows) {
	slices.SortFunc(all, func(a, b *progress) int { return strings.Compare(a.name, b.name) })
	for _, p := range all {
		for _, r := range p.attempts {
			rows.attempts, rows.attempted = append(rows.attempts, r), append(rows.attempted, p.name)
		}
		for seq := range p.remove {
			rows.removed = append(rows.removed, deferredRow{seq: seq, name: p.name})
		}
		for _, d := range p.put {
			rows.put = append(rows.put, d.row(p.name, s))
		}
	}
	return rows
}

func columnsOfRemoved(removed []deferredRow) []any {
	return []any{
		column(removed, func(d deferredRow) string { return d.name }),
		column(removed, func(d deferredRow) int64 { return d.seq }),
	}
}

func columnsOfPut(put []deferredRow) []any {
	return []any{
		column(put, func(d deferredRow) int64 { return d.seq }),
		column(put, func(d deferredRow) string { return d.name }),
		column(put, func(d deferredRow) string { return d.state }),
		column(put, func(d deferredRow) int64 { return d.due }),
		column(put, func(d deferredRow) int { return d.attempts }),
		column(put, func(d deferredRow) int { return d.replay }),
		column(put, func(d deferredRow) int64 { return d.tried }),
		column(put, func(d deferredRow) int { return d.status }),
		column(put, func(d deferredRow) string { return d.text }),
		column(put, func(d deferredRow) []byte { return d.excerpt }),
		column(put, func(d deferredRow) string { return d.partitionKey }),
		column(put, func(d deferredRow) int64 { return d.received }),
		column(put, func(d deferredRow) int64 { return d.size }),
	}
}

func (r *progressRows) columnsOfAttempts() []any {
	return []any{
		column(r.attempts, func(r *attemptsRow) int64 { return r.block }),
		r.attempted,
		column(r.attempts, func(r *attemptsRow) int64 { return r.ended }),
		column(r.attempts, (*attemptsRow).size),
		column(r.attempts, func(r *attemptsRow) []byte { return r.bytes }),
	}
}

func columnOfKeys(events []*Event) [][]byte {
	return column(events, func(e *Event) []byte { return e.Key[:] })
}

func (s *store) columnOfExpires(events []*Event) []int64 {
	return column(events, func(e *Event) int64 { return s.micros(e.Received.Add(e.Window)) })
}

// columnsOfEvents returns the columns of events but for the key and its end. The first
// says which events are stored even if their key is not new.
func (s *store) columnsOfEvents(c *commit) []any {
	events, shared := c.events, make([]int64, len(c.events))
	for _, r := range c.requests {
		for i := r.first; i <= r.last; i++ {
			shared[i] = int64(r.first) + 1 // counted from 1, as the server does
		}
	}
	return []any{
		column(events, func(e *Event) bool { return e.Window == 0 }),
		column(events, func(e *Event) string { return e.Source }),
		column(events, func(e *Event) string { return e.Provider }),
		column(events, func(e *Event) string { return e.Type }),
		column(events, func(e *Event) string { return e.Subject }),
		column(events, func(e *Event) string { return e.PartitionKey }),
		column(events, func(e *Event) string { return e.ID }),
		column(events, func(e *Event) int64 { return s.micros(e.Received) }),
		column(events, (*Event).size),
		column(events, func(e *Event) int { return e.Original }),
		shared,
		column(events, (*Event).ownRequest),
		column(events, func(e *Event) []byte { return e.Body }),
	}
}

func columnsOfRequests(requests []sharedRequest) []any {
	return []any{
		column(requests, func(r sharedRequest) int { return r.first + 1 }),
		column(requests, func(r sharedRequest) int { return r.last + 1 }),
		column(requests, func(r sharedRequest) int64 { return r.size() }),
		column(requests, func(r sharedRequest) []byte { return r.encoded() }),
	}
}
