package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
)

// gap is a range of the log, after From up to To, for which a destination's filter
// does not hold: its events came in while no configuration had the name, or while
// it had another source. To is 0 as long as no configuration has it.
type gap struct {
	From int64 `json:"from"`
	To   int64 `json:"to,omitempty"`

	// Source is the one that it had; empty for none.
	Source string `json:"source,omitempty"`
}

// destinationRow is what the database knows of a destination.
type destinationRow struct {
	name            string
	filter          Filter
	position, begun int64
	gaps            []gap
	paused          bool
	holder          string
	lease           int64
}

const destinationColumns = `name, filter, position, begun, gaps, paused, holder, lease`

func scanDestination(scan func(to ...any) error) (destinationRow, error) {
	var r destinationRow
	var filter, gaps []byte
	if err := scan(&r.name, &filter, &r.position, &r.begun, &gaps, &r.paused, &r.holder, &r.lease); err != nil {
		return r, err
	}
	return r, errors.Join(json.Unmarshal(filter, &r.filter), json.Unmarshal(gaps, &r.gaps))
}

// isOrphan reports whether no configuration has the name.
func (r *destinationRow) isOrphan() bool {
	return len(r.gaps) > 0 && r.gaps[len(r.gaps)-1].To == 0
}

// fill undoes what another gateway said, that no configuration has the name: this
// one's has had it all the time.
func (r *destinationRow) fill() { r.gaps = r.gaps[:len(r.gaps)-1] }

// skips reports whether an event came in while no configuration had the name.
func (r *destinationRow) skips(seq int64) bool {
	for _, g := range r.gaps {
		if g.From < seq && g.To != 0 && seq <= g.To && g.Source == "" {
			return true
		}
	}
	return false
}

// awaits reports whether a destination is still to take an event of the log.
func (r *destinationRow) awaits(seq int64, source, eventType string) bool {
	if seq <= r.position || !r.filter.TakesType(eventType) {
		return false
	}
	for _, g := range r.gaps {
		if g.From < seq && (g.To == 0 || seq <= g.To) {
			return g.Source == source // which is never empty
		}
	}
	return r.filter.Source == source
}

// destinations returns what the database knows of all destinations.
func (s *store) destinations(ctx context.Context) ([]destinationRow, error) {
	var all []destinationRow
	err := s.query(ctx, `SELECT `+destinationColumns+` FROM webhooks_destinations ORDER BY name`, nil, func(rows *sql.Rows) error {
		r, err := scanDestination(rows.Scan)
		all = append(all, r)
		return err
	})
	return all, err
}
