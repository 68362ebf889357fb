package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// keyPlace is the log that has the event of a key, if there is such an event. It is
// committed before the event is stored. So copies that are routed to different logs get
// into one, which finds that they are duplicates; and a crash between the two commits
// leaves a place without an event, where the next copy is stored.
type keyPlace struct {
	key     envelope.Key
	log     int // the one to take; after the commit, the one that has been taken
	expires time.Time
}

// takePlaces takes a log for the key of each event, and changes routed to these logs.
func (s *storing) takePlaces(ctx context.Context, l *layout, events []*Event, routed []int) error {
	places := make(map[envelope.Key]*keyPlace, len(events))
	byLog := make(map[int][]*keyPlace)
	for i, e := range events {
		if e.Window == 0 || places[e.Key] != nil {
			continue
		}
		p := &keyPlace{key: e.Key, log: routed[i], expires: e.Received.Add(e.Window)}
		places[e.Key] = p
		of := l.logOf(placeSlot(e.Key))
		byLog[of] = append(byLog[of], p)
	}
	if err := inLogs(ctx, s.Generation, byLog, func(use *logGeneration, places []*keyPlace) error {
		err := use.q.writer.do(ctx, &change{places: places, epoch: l.epoch})
		return storeError(ctx, err)
	}); err != nil {
		return err
	}
	for i, e := range events {
		if p := places[e.Key]; p != nil && e.Window > 0 {
			routed[i] = p.log
		}
	}
	return nil
}

// takePlaces commits places, one after the other. It returns true if the log has another
// epoch.
func (t *tx) takePlaces(c *commit, now time.Time) (moved bool, err error) {
	if len(c.places) == 0 {
		return false, nil
	}
	err = t.row(`SELECT epoch FROM webhooks_queue WHERE id = 1 AND epoch = $1`, []any{c.epoch}, new(int64))
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	for _, p := range c.places {
		if err != nil {
			return false, err
		}
		err = t.row(`INSERT INTO webhooks_places (key, log, expires, epoch) VALUES ($1, $2, $3, $4)`+keepPlace("max", "$5")+` RETURNING log`,
			[]any{p.key[:], p.log, t.micros(p.expires), c.epoch, t.micros(now)}, &p.log)
	}
	return false, err
}

// keepPlace ends an INSERT of places. One that is there is kept, unless it has ended, or
// is of an earlier layout: an event that was stored under that one has been looked up, and
// any other belongs where the present layout has its partition key. later is the function
// that returns the later of two times.
func keepPlace(later, now string) string {
	return fmt.Sprintf(` ON CONFLICT (key) DO UPDATE SET expires = %s(webhooks_places.expires, excluded.expires), epoch = excluded.epoch,
		log = CASE WHEN webhooks_places.expires <= %s OR webhooks_places.epoch < excluded.epoch THEN excluded.log ELSE webhooks_places.log END`, later, now)
}

// pgPlaces does the same, after a lock on the counter, as that of pgStore: gateways must
// lock in the same order, and a switch of layouts comes before or after.
var pgPlaces = `INSERT INTO webhooks_places (key, log, expires, epoch)
	SELECT p.key, p.log, p.expires, q.epoch FROM unnest($2::bytea[], $3::integer[], $4::bigint[]) AS p (key, log, expires), webhooks_queue q
	WHERE q.id = 1 AND q.epoch = $1` + keepPlace("GREATEST", "$5") + ` RETURNING key, log`

// queuePlaces adds places to a batch.
func (s *store) queuePlaces(batch *pgx.Batch, c *commit, now time.Time, result *stored) {
	if len(c.places) == 0 {
		return
	}
	byKey := make(map[envelope.Key]*keyPlace, len(c.places))
	var unique []*keyPlace // a statement must not change a row twice
	for _, p := range c.places {
		if first := byKey[p.key]; first != nil {
			first.expires = later(first.expires, p.expires)
			continue
		}
		byKey[p.key] = p
		unique = append(unique, p)
	}
	batch.Queue(`SELECT ` + s.timeline + ` FROM webhooks_queue WHERE id = 1 FOR UPDATE`).QueryRow(func(row pgx.Row) error {
		var timeline string
		if err := row.Scan(&timeline); err != nil {
			return err
		}
		return s.checkTimeline(timeline)
	})
	batch.Queue(pgPlaces, c.epoch,
		column(unique, func(p *keyPlace) []byte { return p.key[:] }),
		column(unique, func(p *keyPlace) int { return p.log }),
		column(unique, func(p *keyPlace) int64 { return s.micros(p.expires) }),
		s.micros(now),
	).Query(func(rows pgx.Rows) error {
		var key []byte
		var log int
		result.moved = true
		_, err := pgx.ForEachRow(rows, []any{&key, &log}, func() error {
			result.moved = false
			byKey[envelope.Key(key)].log = log
			return nil
		})
		for _, p := range c.places {
			p.log = byKey[p.key].log
		}
		return err
	})
}

// forgetPlaces removes places that have ended.
func (q *eventLog) forgetPlaces(ctx context.Context) error {
	now := q.store.micros(q.now())
	_, err := q.inSteps(ctx, func(t *tx) (int64, error) {
		// A gateway that is using one of them has locked it, and makes it last longer.
		return t.changed(`DELETE FROM webhooks_places WHERE key IN (
			SELECT key FROM webhooks_places WHERE expires <= $1 ORDER BY expires LIMIT `+stepRows+t.store.skipLocked+`)`, now)
	})
	return err
}
