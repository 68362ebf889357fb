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
	"time"
)

// declare writes the names of all generations to the database, and retries until that
// succeeds.
func (q *eventLog) declare() {
	q.declaring.Lock()
	defer q.declaring.Unlock()
	select {
	case <-q.opened:
	case <-q.ctx.Done():
		return
	}
	for {
		epoch := q.layout.Load().epoch
		q.mu.Lock()
		generations := slices.Clone(q.generations)
		q.mu.Unlock()
		if len(generations) == 0 {
			return
		}
		destinations := destinationsOf(generations)
		elsewhere, err := q.configuredElsewhere()
		if err == nil {
			err = q.do(func(t *tx) (err error) {
				if err = t.lockDeclaring(q.number, epoch); err != nil {
					return err
				}
				return t.declare(destinations, q.previousNames, elsewhere)
			})
		}
		if err == nil {
			had := q.previousNames
			q.previousNames = make(map[string]bool)
			for _, d := range destinations {
				q.previousNames[d.Name] = true
			}
			for _, g := range generations {
				g.noteDeclared()
			}
			q.pokeAll()
			if had == nil || !maps.Equal(had, q.previousNames) {
				q.logOrphans()
			}
			return
		}
		delay := retryDelay
		if errors.Is(err, errMoved) {
			delay = pollInterval // the gateway is about to follow
		} else {
			q.logFailure("queue database error; retrying", err)
		}
		if !wait(q.ctx, delay) {
			return
		}
	}
}

// lockDeclaring keeps a switch from ending until the transaction has ended: it copies the
// destinations of log 0 to the new logs. It returns errMoved if log 0 has switched already,
// and this gateway does not know yet.
func (t *tx) lockDeclaring(number int, epoch int64) error {
	if number > 0 || !t.store.shared {
		return nil
	}
	if err := t.exec(`SELECT pg_advisory_xact_lock_shared(` + declaring + `)`); err != nil {
		return err
	}
	var now int64
	if err := t.row(`SELECT epoch FROM webhooks_queue WHERE id = 1`, nil, &now); err != nil {
		return err
	}
	if now > epoch {
		return errMoved
	}
	return nil
}

// configuredElsewhere returns the names of the destinations that other gateways are
// configured with. One that is not in this log yet may be in another one.
func (q *eventLog) configuredElsewhere() (map[string]bool, error) {
	names := make(map[string]bool)
	if !q.shared() {
		return names, nil
	}
	err := q.addConfigured(q.ctx, names)
	for _, other := range *q.logs.Load() {
		if other.number != q.number && other.isOpen() && other.currentEra() != nil {
			ctx, cancel := context.WithTimeout(q.ctx, renewTimeout)
			_ = other.addConfigured(ctx, names) // but for a moment, it has the same gateways as this one
			cancel()
		}
	}
	return names, err
}

// addConfigured adds the names of the destinations that other gateways have in this log.
func (q *eventLog) addConfigured(ctx context.Context, names map[string]bool) error {
	living, err := q.livingGateways(ctx)
	delete(living, q.holder)
	for _, of := range living {
		for _, name := range of {
			names[name] = true
		}
	}
	return err
}

// waitUntilDeclared waits until the names are in the database, for at most openTimeout.
func (g *logGeneration) waitUntilDeclared(ctx context.Context) error {
	if g.isDeclared() {
		return nil
	}
	timer := time.NewTimer(openTimeout)
	defer timer.Stop()
	select {
	case <-g.declared:
		return nil
	case <-timer.C:
		return errNotOpen
	case <-g.q.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// noteDeclared notes that the names are in the database.
func (g *logGeneration) noteDeclared() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isDeclared() {
		close(g.declared)
	}
}

func (g *logGeneration) isDeclared() bool {
	select {
	case <-g.declared:
		return true
	default:
		return false
	}
}

// declare writes which destinations the configuration of a gateway has: a new one
// begins with the next event, one that returns goes on where it was, and one that is
// gone keeps its backlog, but gets no more. had are the names that the gateway had
// before, and elsewhere those in the configurations of other gateways.
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
	// Sorted, as in queueProgress: gateways must lock in the same order.
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

// keepSource adds gaps, so that the destination takes the events up to a number that
// it has not taken yet from the source that it had.
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
