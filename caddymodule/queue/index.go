package queue

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// indexInterval is how often the indexer looks for blocks without a row: after a
	// crash or an upgrade, or of a gateway that died.
	indexInterval = time.Minute

	// indexBatch is the maximum number of blocks that are indexed in one transaction.
	indexBatch = 16

	// indexDelay is how long rows may wait for others, so that they are written together.
	indexDelay = 500 * time.Millisecond

	// maxFilled is the maximum number of blocks that wait for the indexer. It finds
	// others when it looks for blocks without a row.
	maxFilled = 1024
)

// indexer writes webhooks_index, which follows behind the log.
type indexer struct {
	kick chan struct{} // holds one value: there are blocks to index

	mu     sync.Mutex
	blocks []int64 // to be indexed

	// The rest belongs to the indexer's goroutine.
	swept int64    // the block where the next sweep begins
	era   *era     // of the rows
	ready []int64  // blocks whose rows are to be written
	rows  [][]byte // these
}

// add schedules blocks to be indexed.
func (x *indexer) add(blocks ...int64) {
	x.mu.Lock()
	x.blocks = append(x.blocks, blocks[:min(len(blocks), max(0, maxFilled-len(x.blocks)))]...)
	x.mu.Unlock()
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// take returns some of the blocks to index.
func (x *indexer) take() []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := min(len(x.blocks), indexBatch)
	taken := slices.Clone(x.blocks[:n])
	x.blocks = append(x.blocks[:0], x.blocks[n:]...)
	slices.Sort(taken)
	return slices.Compact(taken)
}

// noteFilled schedules the blocks that a commit has filled. A block that several
// gateways have filled is indexed by the one that stored its last event.
func (q *eventLog) noteFilled(events []*Event) {
	first, last := events[0].Seq, events[len(events)-1].Seq
	for block := blockOf(first); block < last/blockEvents; block++ {
		q.indexer.add(block)
	}
}

// index runs the indexer until the queue is closed.
func (q *eventLog) index() {
	timer, delay := time.NewTimer(0), time.NewTimer(0)
	defer timer.Stop()
	defer delay.Stop()
	for {
		select {
		case <-q.ctx.Done():
			return
		case <-q.indexer.kick:
			if len(q.indexer.ready) == 0 {
				delay.Reset(indexDelay)
			}
			q.indexFilled()
		case <-delay.C:
			q.writeReady()
		case <-timer.C:
			// A read that ended with its era is not an error.
			if err := q.tendIndex(); err != nil && !errors.Is(err, context.Canceled) {
				q.logFailure("cannot index events for searches, which take longer meanwhile; retrying", err)
			}
			q.writeReady()
			timer.Reset(indexInterval)
		}
	}
}

// indexFilled encodes the blocks that wait for it, while their events are in memory, and
// writes the rows when there are enough. If that fails, tendIndex finds them.
func (q *eventLog) indexFilled() {
	x := &q.indexer
	for blocks := x.take(); len(blocks) > 0; blocks = x.take() {
		e := q.currentEra()
		if e == nil {
			return
		}
		if x.era != e {
			x.era, x.ready, x.rows = e, nil, nil
		}
		blocks = slices.DeleteFunc(blocks, func(block int64) bool { return slices.Contains(x.ready, block) })
		rows, err := q.encodeBlocks(e, blocks)
		if err != nil {
			q.log().Debug("cannot index events for searches; retrying", zap.Error(err))
			continue
		}
		x.ready, x.rows = append(x.ready, blocks...), append(x.rows, rows...)
		if len(x.ready) >= indexBatch {
			q.writeReady()
		}
	}
}

// writeReady writes the rows that are ready.
func (q *eventLog) writeReady() {
	x := &q.indexer
	if len(x.ready) > 0 {
		if err := q.writeIndex(x.era, x.ready, x.rows); err != nil {
			q.log().Debug("cannot index events for searches; retrying", zap.Error(err))
		}
	}
	x.ready, x.rows = nil, nil
}

// tendIndex removes what the index has of events that are gone, and adds blocks that it
// lacks, the newest first. It works a fifth of the time at most.
func (q *eventLog) tendIndex() error {
	e := q.currentEra()
	if e == nil {
		return nil
	}
	oldest, err := q.sweepIndex(e)
	if err != nil {
		return err
	}
	for to := q.head() / blockEvents; to > oldest; { // the block there is not full
		begun := q.now()
		from := max(oldest, to-maxIndexStep)
		missing, err := q.missingBlocks(e, from, to)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			to = from
			continue
		}
		missing = missing[max(0, len(missing)-indexBatch):]
		if err := q.indexBlocks(e, missing); err != nil {
			return err
		}
		to = missing[0]
		q.indexFilled()
		if !wait(q.ctx, 4*q.now().Sub(begun)) {
			return nil
		}
	}
	return nil
}

// missingBlocks returns the blocks between two, excluding to, that have no row.
func (q *eventLog) missingBlocks(e *era, from, to int64) (missing []int64, err error) {
	next := from
	err = q.read(e, `SELECT block FROM webhooks_index WHERE block >= $1 AND block < $2 AND `+q.store.isPrimary+` ORDER BY block`,
		[]any{from, to}, func(rows *sql.Rows) error {
			var block int64
			err = rows.Scan(&block)
			for ; next < block; next++ {
				missing = append(missing, next)
			}
			next = block + 1
			return err
		})
	for ; next < to; next++ {
		missing = append(missing, next)
	}
	return missing, err
}

// indexBlocks writes the rows of full blocks.
func (q *eventLog) indexBlocks(e *era, blocks []int64) error {
	rows, err := q.encodeBlocks(e, blocks)
	if err != nil {
		return err
	}
	return q.writeIndex(e, blocks, rows)
}

// encodeBlocks returns the rows of full blocks.
func (q *eventLog) encodeBlocks(e *era, blocks []int64) ([][]byte, error) {
	rows := make([][]byte, len(blocks))
	for i, block := range blocks {
		if (block+1)*blockEvents > q.head() {
			return nil, errStale // of an era that has ended
		}
		events, ok := q.writer.recent.block(block)
		received := func(event *Event) int64 { return q.store.micros(event.Received) }
		if !ok {
			times := make(map[int64]int64)
			var err error
			if events, err = q.readBlock(e, block, times); err != nil {
				return nil, err
			}
			received = func(event *Event) int64 { return times[event.Seq] }
		}
		rows[i] = encodeIndex(block, events, received)
	}
	return rows, nil
}

// block returns the events of a block. ok is false if they are not all in memory.
func (r *recent) block(block int64) (events []*Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, last := block*blockEvents+1, (block+1)*blockEvents
	if first <= r.from || last > r.to {
		return nil, false
	}
	for _, e := range r.events {
		if e.Seq >= first && e.Seq <= last {
			events = append(events, e)
		}
	}
	return events, true
}

// readBlock reads the attributes of the events of a block, and when they came in.
func (q *eventLog) readBlock(e *era, block int64, times map[int64]int64) (events []*Event, err error) {
	err = q.read(e, `SELECT seq, provider, source, type, subject, partition_key, event_id, received FROM webhooks_events
		WHERE seq > $1 AND seq <= $2 AND `+q.store.isPrimary+` ORDER BY seq`,
		[]any{block * blockEvents, (block + 1) * blockEvents}, func(rows *sql.Rows) error {
			event := new(Event)
			var received int64
			err = rows.Scan(&event.Seq, &event.Provider, &event.Source, &event.Type, &event.Subject, &event.PartitionKey, &event.ID, &received)
			events, times[event.Seq] = append(events, event), received
			return err
		})
	return events, err
}

// writeIndex writes rows of blocks, unless the server has another history than that of
// the era in which their events were read. In PostgreSQL, it stays out of the way of the
// connection that stores events.
func (q *eventLog) writeIndex(e *era, blocks []int64, rows [][]byte) error {
	const replace = ` ON CONFLICT (block) DO UPDATE SET entries = excluded.entries`
	if !q.shared() {
		args := make([]any, 0, 2*len(blocks))
		for i, block := range blocks {
			args = append(args, block, rows[i])
		}
		return q.do(func(t *tx) error {
			return t.insert(`INSERT INTO webhooks_index (block, entries)`, 2, replace, args, nil)
		})
	}
	ctx, cancel := context.WithTimeout(e, renewTimeout/2)
	defer cancel()
	return q.store.keepQuery(ctx, `INSERT INTO webhooks_index (block, entries)
		SELECT block, entries FROM unnest($1::bigint[], $2::bytea[]) AS i (block, entries) WHERE `+q.store.timeline+` = $3`+replace,
		[]any{blocks, rows, e.timeline}, func(*sql.Rows) error { return nil })
}

// sweepIndex removes the blocks before the first event, which it returns the block of,
// and empties blocks that have no events any more.
func (q *eventLog) sweepIndex(e *era) (oldest int64, err error) {
	var first sql.NullInt64
	if err = q.read(e, `SELECT COALESCE((SELECT MIN(seq) FROM webhooks_events), last + 1), (SELECT MIN(block) FROM webhooks_index)
			FROM webhooks_queue WHERE id = 1 AND `+q.store.isPrimary, nil,
		func(rows *sql.Rows) error { return rows.Scan(&oldest, &first) }); err != nil {
		return 0, err
	}
	oldest = blockOf(oldest)
	if first.Valid && first.Int64 < oldest {
		if _, err = q.inSteps(q.ctx, func(t *tx) (int64, error) {
			return t.changed(`DELETE FROM webhooks_index WHERE block IN (SELECT block FROM webhooks_index WHERE block < $1 LIMIT `+stepRows+`)`, oldest)
		}); err != nil {
			return 0, err
		}
	}
	from := max(oldest, q.indexer.swept)
	q.indexer.swept = from + maxIndexStep
	if q.indexer.swept >= q.head()/blockEvents {
		q.indexer.swept = 0
	}
	var empty []int64
	if err = q.read(e, `SELECT block FROM webhooks_index i WHERE block >= $1 AND block < $2 AND length(entries) > 0 AND `+q.store.isPrimary+`
			AND NOT EXISTS (SELECT 1 FROM webhooks_events e WHERE e.seq > i.block * 256 AND e.seq <= (i.block + 1) * 256)`,
		[]any{from, from + maxIndexStep}, func(rows *sql.Rows) error {
			var block int64
			err = rows.Scan(&block)
			empty = append(empty, block)
			return err
		}); err != nil {
		return 0, err
	}
	for part := range slices.Chunk(empty, indexBatch) {
		if err = q.writeIndex(e, part, slices.Repeat([][]byte{{}}, len(part))); err != nil {
			return 0, err
		}
	}
	return oldest, nil
}
