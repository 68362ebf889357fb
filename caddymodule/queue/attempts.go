package queue

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

// attemptsRow is a row of webhooks_attempts: attempts of one destination at events of
// one block of the log, which are written in one transaction.
type attemptsRow struct {
	block int64
	ended int64 // when the last of them ended, in microseconds
	encodedAttempts
}

const attemptsColumns = 5

// attemptsOverhead is about the number of bytes that a row takes beside the attempts.
const attemptsOverhead = 100

// size is about the number of bytes that the row takes on disk.
func (r *attemptsRow) size() int64 { return attemptsOverhead + int64(len(r.bytes)) }

// record schedules an attempt that has ended to be written.
func (w *worker) record(f finished, outcome Outcome) {
	s, seq := w.q.store, f.d.Seq
	a := endedAttempt{
		place: int(seq-1) % blockEvents, number: f.d.attempts, began: s.micros(f.begun), took: f.took.Microseconds(),
		status: f.result.Status, outcome: outcome, replay: f.d.Replay,
	}
	if outcome != OutcomeDelivered {
		a.error, a.excerpt = f.result.text(), string(f.result.excerpt())
	}
	row := w.next.attemptsAt(blockOf(seq))
	row.add(a)
	row.ended = max(row.ended, a.began+a.took)
}

// attemptsAt returns the row for attempts at events of a block.
func (p *progress) attemptsAt(block int64) *attemptsRow {
	for i := len(p.attempts) - 1; i >= 0; i-- { // most are of the last one
		if p.attempts[i].block == block {
			return p.attempts[i]
		}
	}
	row := &attemptsRow{block: block}
	p.attempts = append(p.attempts, row)
	return row
}

// insertAttempts inserts the attempts of a destination.
func (t *tx) insertAttempts(name string, all []*attemptsRow) error {
	args := make([]any, 0, len(all)*attemptsColumns)
	for _, r := range all {
		args = append(args, r.block, name, r.ended, r.size(), r.bytes)
	}
	return t.insert(`INSERT INTO webhooks_attempts (block, name, ended, size, attempts)`, attemptsColumns, "", args, nil)
}

// attemptsOf returns the attempts at an event that are remembered, by destination and
// in the order in which they ended.
func (q *eventLog) attemptsOf(ctx context.Context, seq int64) (map[string][]PastAttempt, error) {
	all, err := q.attemptsOfAll(ctx, []int64{seq})
	return all[seq], err
}

// attemptsOfAll returns the attempts at events that are remembered, by number and
// destination and in the order in which they ended. It leaves out rows that are damaged.
func (q *eventLog) attemptsOfAll(ctx context.Context, seqs []int64) (map[int64]map[string][]PastAttempt, error) {
	all := make(map[int64]map[string][]PastAttempt, len(seqs))
	blocks := make(map[int64]bool)
	for _, seq := range seqs {
		all[seq] = make(map[string][]PastAttempt)
		blocks[blockOf(seq)] = true
	}
	err := q.query(ctx, `SELECT id, block, name, attempts FROM webhooks_attempts WHERE block `+q.store.isListed(1)+` ORDER BY id`,
		[]any{q.store.list(slices.Collect(maps.Keys(blocks)))}, func(rows *sql.Rows) error {
			var id, block int64
			var name string
			var attempts []byte
			if err := rows.Scan(&id, &block, &name, &attempts); err != nil {
				return err
			}
			err := decodeAttempts(attempts, func(a endedAttempt) {
				of := all[block*blockEvents+1+int64(a.place)]
				if of == nil {
					return
				}
				// It is written twice if the commit succeeded and the worker was not told.
				if past := q.store.past(a); !slices.Contains(of[name], past) {
					of[name] = append(of[name], past)
				}
			})
			if err != nil { // what is known of the event is worth more than this row
				q.log().Error("cannot read a row of webhooks_attempts; run `caddy webhooks check`", zap.Int64("id", id), zap.Error(err))
			}
			return nil
		})
	return all, err
}

// past returns an attempt as others see it.
func (s *store) past(a endedAttempt) PastAttempt {
	took := time.Duration(a.took) * time.Microsecond
	return PastAttempt{
		Attempt: a.number, Began: s.time(a.began).UTC(), Took: took, TookMS: float64(a.took) / 1000,
		Status: a.status, Outcome: a.outcome, Replay: a.replay,
		Error: a.error, Excerpt: storable(a.excerpt),
	}
}
