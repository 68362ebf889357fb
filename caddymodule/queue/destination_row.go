package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
)

// gap is a range of the log, after From up to To, to which the filter of a destination
// does not apply: the events came in while no configuration had the name, or while it
// had another source. To is 0 while no configuration has the name.
type gap struct {
	From int64 `json:"from"`
	To   int64 `json:"to,omitempty"`

	// Source is the one that the destination had then; empty if no configuration had it.
	Source string `json:"source,omitempty"`
}

// destinationRow is a row of webhooks_destinations.
type destinationRow struct {
	name            string
	filter          Filter
	position, begun int64
	gaps            []gap
	paused          bool
	holder          string
	lease           int64
	latest          latest
}

const destinationColumns = `name, filter, position, begun, gaps, paused, holder, lease, delivered, failed, failed_since, last_status, last_error`

func scanDestination(scan func(to ...any) error) (destinationRow, error) {
	var r destinationRow
	var filter, gaps []byte
	if err := scan(&r.name, &filter, &r.position, &r.begun, &gaps, &r.paused, &r.holder, &r.lease,
		&r.latest.delivered, &r.latest.failed, &r.latest.failedSince, &r.latest.status, &r.latest.text); err != nil {
		return r, err
	}
	return r, errors.Join(json.Unmarshal(filter, &r.filter), json.Unmarshal(gaps, &r.gaps))
}

// isOrphan reports whether no configuration has the name.
func (r *destinationRow) isOrphan() bool {
	return len(r.gaps) > 0 && r.gaps[len(r.gaps)-1].To == 0
}

// fill removes the open gap of an orphan: another gateway wrote it while this gateway's
// configuration had the name.
func (r *destinationRow) fill() { r.gaps = r.gaps[:len(r.gaps)-1] }

// skips reports whether an event came in while no configuration had the name, so that
// the destination never gets it by itself.
func (r *destinationRow) skips(seq int64) bool {
	for _, g := range r.gaps {
		if g.From < seq && g.To != 0 && seq <= g.To && g.Source == "" {
			return true
		}
	}
	return false
}

// mayAwait reports whether a destination has still to take an event from the log, if
// its conditions hold.
func (r *destinationRow) mayAwait(seq int64, source, eventType string) bool {
	return seq > r.position && r.mayTake(seq, source, eventType)
}

// mayTake reports whether a destination takes an event, or has taken it, if its
// conditions hold.
func (r *destinationRow) mayTake(seq int64, source, eventType string) bool {
	return r.filter.takesType(eventType) && r.sourceAt(seq) == source
}

// hasConditions reports whether the body of an event decides, too.
func (r *destinationRow) hasConditions() bool { return len(r.filter.When) > 0 }

// sourceAt returns the source of the events that the destination takes at a number,
// empty for none.
func (r *destinationRow) sourceAt(seq int64) string {
	for _, g := range r.gaps {
		if g.From < seq && (g.To == 0 || seq <= g.To) {
			return g.Source
		}
	}
	return r.filter.Source
}

// destinations reads all destinations, sorted by name.
func (s *store) destinations(ctx context.Context) ([]destinationRow, error) {
	var all []destinationRow
	err := s.query(ctx, `SELECT `+destinationColumns+` FROM webhooks_destinations ORDER BY name`, nil, func(rows *sql.Rows) error {
		r, err := scanDestination(rows.Scan)
		all = append(all, r)
		return err
	})
	return all, err
}
