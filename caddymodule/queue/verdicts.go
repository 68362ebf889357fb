package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// maxVerdicts is the maximum number of blocks of the log whose verdicts are remembered:
// those of 4 million events, in some 2 MB.
const maxVerdicts = 16384

// verdicts remembers for which events of the log the conditions of destinations hold, so
// that a backlog that is counted again and again is not read as often.
type verdicts struct {
	mu     sync.Mutex
	era    *era // in which the numbers belong to these events
	blocks map[verdictsKey]*verdictBlock
}

// verdictsKey names a block of the log and conditions, in JSON.
type verdictsKey struct {
	when  string
	block int64
}

// verdictBlock has two bits for each event of a block.
type verdictBlock struct{ known, holds [blockEvents / 64]uint64 }

// place returns where the bit of an event is.
func place(seq int64) (word int, bit uint64) {
	i := (seq - 1) % blockEvents
	return int(i / 64), 1 << (i % 64)
}

// enter forgets everything if the numbers may belong to other events.
func (v *verdicts) enter(e *era) {
	if v.era != e || len(v.blocks) >= maxVerdicts {
		v.era, v.blocks = e, make(map[verdictsKey]*verdictBlock)
	}
}

// recall adds what is remembered of some events to held, and returns the others.
func (v *verdicts) recall(e *era, when string, seqs []int64, held map[int64]bool) (unknown []int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.enter(e)
	for _, seq := range seqs {
		b := v.blocks[verdictsKey{when, blockOf(seq)}]
		word, bit := place(seq)
		if b != nil && b.known[word]&bit != 0 {
			held[seq] = b.holds[word]&bit != 0
		} else {
			unknown = append(unknown, seq)
		}
	}
	return unknown
}

// note remembers for which events conditions hold.
func (v *verdicts) note(e *era, when string, held map[int64]bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.enter(e)
	for seq, holds := range held {
		key := verdictsKey{when, blockOf(seq)}
		b := v.blocks[key]
		if b == nil {
			b = new(verdictBlock)
			v.blocks[key] = b
		}
		word, bit := place(seq)
		b.known[word] |= bit
		if holds {
			b.holds[word] |= bit
		}
	}
}

// holding returns for each of some events whether conditions hold. It leaves out events
// that are not stored any more, or not at a server with the history of the last era.
func (q *eventLog) holding(ctx context.Context, when []envelope.Condition, seqs []int64) (map[int64]bool, error) {
	held := make(map[int64]bool, len(seqs))
	if len(seqs) == 0 {
		return held, nil
	}
	text, err := json.Marshal(when)
	if err != nil {
		return nil, err
	}
	e := q.lastEra()
	filter := Filter{When: when}
	for part := range slices.Chunk(q.verdicts.recall(e, string(text), seqs, held), blockEvents) {
		read := make(map[int64]bool, len(part))
		err = q.store.query(ctx, `SELECT seq, original, body FROM webhooks_events WHERE seq `+q.store.isListed(1)+` AND (SELECT `+q.store.timeline+`) = $2`,
			[]any{q.store.list(part), e.timeline}, func(rows *sql.Rows) error {
				var event Event
				var body sql.RawBytes
				scanErr := rows.Scan(&event.Seq, &event.Original, &body)
				event.Body = body
				read[event.Seq] = filter.holds(event.envelope())
				return scanErr
			})
		if err != nil {
			return nil, err
		}
		q.verdicts.note(e, string(text), read)
		for seq, holds := range read {
			held[seq] = holds
		}
	}
	return held, nil
}
