package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// errLost says that another gateway works a destination now.
var errLost = errors.New("another gateway works this destination now")

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

// declare notes which names the configuration of a gateway has: a new one begins
// with the next event, one that returns goes on where it was, and one that is gone
// keeps what it has, but gets no more. had are the names that it had already, and
// elsewhere those in the configurations of other gateways.
func (t *tx) declare(destinations []Destination, had, elsewhere map[string]bool) error {
	var last int64
	if err := t.row(`SELECT last FROM webhooks_queue WHERE id = 1`, nil, &last); err != nil {
		return err
	}
	known := make(map[string]destinationRow)
	if err := t.rows(`SELECT `+destinationColumns+` FROM webhooks_destinations`, nil, func(rows *sql.Rows) error {
		r, err := scanDestination(rows.Scan)
		known[r.name] = r
		return err
	}); err != nil {
		return err
	}
	// In the order in which workers write, so that gateways do not wait for each other.
	for _, d := range slices.SortedFunc(slices.Values(destinations), func(a, b Destination) int { return strings.Compare(a.Name, b.Name) }) {
		if err := t.declareOne(d, known, had[d.Name], last); err != nil {
			return err
		}
		delete(known, d.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		r := known[name]
		if r.isOrphan() || elsewhere[r.name] {
			continue
		}
		r.gaps = append(r.gaps, gap{From: max(last, r.position)})
		if err := t.setGaps(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) declareOne(d Destination, known map[string]destinationRow, had bool, last int64) error {
	filter, err := json.Marshal(d.Filter)
	if err != nil {
		return err
	}
	r, ok := known[d.Name]
	if !ok {
		return t.exec(`INSERT INTO webhooks_destinations (name, filter, position, begun, gaps, paused, holder, lease)
			VALUES ($1, $2, $3, $3, '[]', 0, '', 0) ON CONFLICT (name) DO UPDATE SET filter = excluded.filter`,
			d.Name, string(filter), last)
	}
	before := r
	before.gaps = slices.Clone(r.gaps)
	switch {
	case r.isOrphan() && had:
		r.fill()
	case r.isOrphan():
		r.gaps[len(r.gaps)-1].To = last
	}
	if r.filter.Source != d.Source {
		r.keepSource(last)
	}
	r.gaps = slices.DeleteFunc(r.gaps, func(g gap) bool { return g.To != 0 && (g.To <= r.position || g.From >= g.To) })
	if !slices.Equal(r.gaps, before.gaps) {
		if err := t.setGaps(r); err != nil {
			return err
		}
	}
	if reflect.DeepEqual(r.filter, d.Filter) {
		return nil
	}
	return t.exec(`UPDATE webhooks_destinations SET filter = $1 WHERE name = $2`, string(filter), d.Name)
}

// keepSource notes that what a destination has not taken yet, up to a number, it is
// to take from the source that it had.
func (r *destinationRow) keepSource(last int64) {
	var all []gap
	from := r.position
	for _, g := range r.gaps {
		all = append(all, gap{From: from, To: g.From, Source: r.filter.Source}, g)
		from = max(from, g.To)
	}
	r.gaps = append(all, gap{From: from, To: last, Source: r.filter.Source})
}

func (t *tx) setGaps(r destinationRow) error {
	gaps, err := json.Marshal(r.gaps)
	if err != nil {
		return err
	}
	return t.exec(`UPDATE webhooks_destinations SET gaps = $1 WHERE name = $2`, string(gaps), r.name)
}

// acquire makes a gateway the one that works a destination, unless another one
// does, which is errLost. The lease is good for the era's timeline only.
func (t *tx) acquire(name, holder string, e *era) (destinationRow, error) {
	if err := t.checkEra(e); err != nil {
		return destinationRow{}, err
	}
	var last int64
	if err := t.row(`SELECT last FROM webhooks_queue WHERE id = 1`, nil, &last); err != nil {
		return destinationRow{}, err
	}
	isFree := `TRUE`
	if t.store.shared {
		// The row is locked first, so that the statement that takes it sees who has joined
		// while this one waited: it would go by an older snapshot if it waited itself.
		if err := t.row(`SELECT lease FROM webhooks_destinations WHERE name = $1 FOR UPDATE`, []any{name}, new(int64)); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return destinationRow{}, err
		}
		isFree = `(holder IN ('', $1) OR NOT EXISTS (SELECT 1 FROM webhooks_gateways g WHERE g.holder = webhooks_destinations.holder AND g.until > ` + t.store.serverTime + `))`
	}
	r, err := scanDestination(func(to ...any) error {
		return t.row(`UPDATE webhooks_destinations SET holder = $1, lease = lease + 1
			WHERE name = $2 AND `+isFree+` RETURNING `+destinationColumns, []any{holder, name}, to...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return r, errLost
	}
	if err != nil {
		return r, err
	}
	// A server that took over may lack what the one before had.
	r.position, r.begun = min(r.position, last), min(r.begun, last)
	if r.isOrphan() {
		r.fill() // it had the name when it began to try
		if err := t.setGaps(r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// resume returns the deferred deliveries above the position: those of events that ended, or
// were found to take long, while an older one went on. A worker that reads on from
// the position is to skip those in known. When ordered it is to come by the others
// in their place: their attempts are in resumed, and they are no deferred deliveries any
// more.
func (t *tx) resume(name string, position int64, ordered bool) (known map[int64]bool, resumed map[int64]int, err error) {
	known, resumed = make(map[int64]bool), make(map[int64]int)
	err = t.rows(`SELECT seq, attempts, replay, state, partition_key FROM webhooks_deliveries WHERE name = $1 AND seq > $2`, []any{name, position},
		func(rows *sql.Rows) error {
			var seq int64
			var attempts int
			var replay bool
			var state, key string
			if err := rows.Scan(&seq, &attempts, &replay, &state, &key); err != nil {
				return err
			}
			if !ordered || replay || state == stateDead || key == "" {
				known[seq] = true
				return nil
			}
			resumed[seq] = attempts
			return nil
		})
	if err != nil {
		return nil, nil, err
	}
	return known, resumed, t.remove(name, slices.Collect(maps.Keys(resumed)))
}

// settleStates makes the states of a destination's deferred deliveries fit for whoever
// begins to work it: what was being tried, by a gateway that died, is due. When
// ordered, only the oldest of a key is not parked.
func (t *tx) settleStates(name string, ordered bool, now int64) error {
	if err := t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1 WHERE name = $2 AND state = 'running'`, now, name); err != nil {
		return err
	}
	if !ordered {
		return t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1 WHERE name = $2 AND state = 'parked'`, now, name)
	}
	const older = `(SELECT 1 FROM webhooks_deliveries AS older WHERE older.name = webhooks_deliveries.name
		AND older.partition_key = webhooks_deliveries.partition_key AND older.seq < webhooks_deliveries.seq
		AND older.replay = 0 AND older.state <> 'dead')`
	if err := t.exec(`UPDATE webhooks_deliveries SET state = 'parked'
		WHERE name = $1 AND state = 'retry' AND replay = 0 AND partition_key <> '' AND EXISTS `+older, name); err != nil {
		return err
	}
	return t.exec(`UPDATE webhooks_deliveries SET state = 'retry', due = $1
		WHERE name = $2 AND state = 'parked' AND NOT EXISTS `+older, now, name)
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
