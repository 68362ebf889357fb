package queue

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// A log that had a slot before a switch has the keys of its events, for as long as their
// windows last. No event of the slot is stored there any more, so that a key that a query
// does not find there does not come later.

// dropKnown drops events of which an earlier log has the key. They are duplicates, and are
// counted there.
func (s *storing) dropKnown(ctx context.Context, l *layout, isStrict bool) error {
	asked := s.formerLogs(l, isStrict)
	if isStrict {
		if err := s.addPlaces(ctx, l, asked); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	known := make(map[int]bool)
	err := inLogs(ctx, s.Generation, asked, func(use *logGeneration, indexes []int) error {
		found, err := use.q.findKeys(ctx, l.epoch, s.keys(indexes))
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		var repeats []duplicate
		for _, i := range indexes {
			if e := s.events[i]; found[e.Key] && !known[i] {
				known[i] = true
				repeats = append(repeats, duplicate{e.Key, 1, e.Received})
				use.q.logDuplicate(e)
			}
		}
		if repeats != nil {
			use.q.writer.handOver(&change{repeats: repeats})
		}
		return nil
	})
	s.drop(known)
	return err
}

// formerLogs returns the logs that may have the keys of events that are left, each with
// the indexes of these events.
func (s *storing) formerLogs(l *layout, isStrict bool) map[int][]int {
	now, asked := s.q.settings.Now(), make(map[int][]int)
	for _, i := range s.left {
		e := s.events[i]
		if e.Window == 0 {
			continue
		}
		slot := slotOf(e)
		for _, p := range l.past {
			// With places, the event may get into another log than that of its slot.
			if former := p.logOf(slot); (isStrict || former != l.logOf(slot)) && s.isNeeded(p, former, now) {
				askFor(asked, former, i)
			}
		}
	}
	return asked
}

// askFor adds the index of an event to those for a log, unless it is the last one there.
func askFor(asked map[int][]int, log, index int) {
	if all := asked[log]; len(all) == 0 || all[len(all)-1] != index {
		asked[log] = append(all, index)
	}
}

// isNeeded reports whether the windows of a log have not all ended that it had when a
// layout ended.
func (s *storing) isNeeded(p pastLayout, number int, now time.Time) bool {
	if number >= len(p.until) {
		return false
	}
	micros := now.UnixMicro()
	if q := s.q.logAt(number); q != nil {
		micros = q.store.micros(now)
	}
	return p.until[number] > micros
}

// addPlaces adds the logs that places name. Those of the present layout count too: they
// may name a log that is not in it.
func (s *storing) addPlaces(ctx context.Context, l *layout, asked map[int][]int) error {
	now, byLog := s.q.settings.Now(), make(map[int][]int)
	for _, i := range s.left {
		e := s.events[i]
		if e.Window == 0 {
			continue
		}
		slot, isNeeded := placeSlot(e.Key), false
		for _, p := range l.past {
			for number := range p.until {
				isNeeded = isNeeded || s.isNeeded(p, number, now)
			}
			if former := p.logOf(slot); s.isNeeded(p, former, now) {
				askFor(byLog, former, i)
			}
		}
		if isNeeded {
			askFor(byLog, l.logOf(slot), i)
		}
	}
	var mu sync.Mutex
	return inLogs(ctx, s.Generation, byLog, func(use *logGeneration, indexes []int) error {
		places, err := use.q.findPlaces(ctx, l.epoch, s.keys(indexes))
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, i := range indexes {
			if log, ok := places[s.events[i].Key]; ok {
				askFor(asked, log, i)
			}
		}
		return nil
	})
}

// keys returns the keys of events by their indexes.
func (s *storing) keys(indexes []int) [][]byte {
	return column(indexes, func(i int) []byte { return s.events[i].Key[:] })
}

// findKeys returns those of some keys whose windows have not ended.
func (q *eventLog) findKeys(ctx context.Context, epoch int64, keys [][]byte) (map[envelope.Key]bool, error) {
	found := make(map[envelope.Key]bool)
	now := q.now()
	err := q.findIn(ctx, epoch, `SELECT epoch, webhooks_keys.key, 0 FROM webhooks_queue LEFT JOIN webhooks_keys
		ON webhooks_keys.key `+q.store.isListedKey(1)+` AND `+isForgotten("$2", "$3")+` IS NOT TRUE WHERE id = 1`,
		[]any{q.store.keyList(keys), q.store.micros(now), q.store.micros(now.Add(clockSlack))},
		func(key envelope.Key, _ int) { found[key] = true })
	return found, err
}

// findPlaces returns the places of keys, unless they have ended.
func (q *eventLog) findPlaces(ctx context.Context, epoch int64, keys [][]byte) (map[envelope.Key]int, error) {
	found := make(map[envelope.Key]int)
	err := q.findIn(ctx, epoch, `SELECT webhooks_queue.epoch, p.key, COALESCE(p.log, 0) FROM webhooks_queue LEFT JOIN webhooks_places p
		ON p.key `+q.store.isListedKey(1)+` AND p.expires > $2 WHERE id = 1`,
		[]any{q.store.keyList(keys), q.store.micros(q.now())},
		func(key envelope.Key, log int) { found[key] = log })
	return found, err
}

// findIn calls found for every row of a query, which returns the epoch of the log, a key
// or NULL, and a number. A server that does not have the layout yet, such as one that was
// replaced, lacks keys.
func (q *eventLog) findIn(ctx context.Context, epoch int64, query string, args []any, found func(key envelope.Key, number int)) error {
	return q.query(ctx, query, args, func(rows *sql.Rows) error {
		var has int64
		var key []byte
		var number int
		if err := rows.Scan(&has, &key, &number); err != nil {
			return err
		}
		switch {
		case has < epoch:
			return fmt.Errorf("%w: the server lacks the present layout", errStale)
		case has > epoch:
			return errMoved
		case key != nil:
			found(envelope.Key(key), number)
		}
		return nil
	})
}

// logDuplicate logs at level debug that an event is a duplicate.
func (q *eventLog) logDuplicate(e *Event) {
	if line := q.log().Check(zap.DebugLevel, "duplicate event"); line != nil {
		line.Write(zap.Stringer("id", e.Key), zap.String("source", e.Source))
	}
}
