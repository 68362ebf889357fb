package queue

import (
	"cmp"
	"database/sql"
	"math"
	"slices"
)

const (
	// firstStep is how many blocks a search looks at first, and maxIndexStep how many at
	// most at a time.
	firstStep    = 16
	maxIndexStep = 4096

	// fewCandidates are compared with the events themselves at once, and many end a step.
	fewCandidates  = 256
	manyCandidates = 16384

	// maxRuns is the maximum number of parts of the log without an index that a search
	// looks at in one step.
	maxRuns = 4
)

// lookFurther looks for candidates below f.below, and lowers it.
func (f *finder) lookFurther() (err error) {
	switch f.State {
	case StateDead:
		err = f.lookAtDeferred(stateDead)
	case StateParked:
		err = f.lookAtDeferred(stateParked)
	case StateRetrying:
		err = f.lookAtDeferred(stateRetry, stateRunning)
	case StateWaiting:
		if f.below <= f.awaited {
			err = f.lookAtDeferred(stateRetry, stateRunning)
			break
		}
		fallthrough
	default:
		err = f.lookAtBlocks()
	}
	if len(f.candidates) <= fewCandidates {
		f.step = min(4*f.step, maxIndexStep)
	}
	return err
}

// stepRows returns how many rows to read in a step, apart from those of the index.
func (f *finder) stepRows() int { return int(min(fewCandidates*f.step/firstStep, manyCandidates)) }

// lookAtDeferred looks for candidates among deferred deliveries in some states, one of
// which each event has that the search selects.
func (f *finder) lookAtDeferred(states ...string) error {
	seqs, from, err := f.deferredBelow(f.oldest, f.below, f.stepRows(), states...)
	if err != nil {
		return err
	}
	f.below = from
	if len(seqs) <= fewCandidates || !f.hasAttributes() {
		f.candidates = seqs
		return nil
	}
	// The index says which of them need not be compared.
	var blocks []int64
	byBlock := make(map[int64][]int64)
	for _, seq := range seqs {
		block := blockOf(seq)
		if byBlock[block] == nil {
			blocks = append(blocks, block)
		}
		byBlock[block] = append(byBlock[block], seq)
	}
	err = f.readIndex(`block `+f.q.store.isListed(1), []any{f.q.store.list(blocks)}, func(b *indexBlock) error {
		may := f.matches(b, math.MinInt64, math.MaxInt64, byBlock[b.block])
		byBlock[b.block] = slices.DeleteFunc(byBlock[b.block], func(seq int64) bool { return !isIn(may, seq) })
		return nil
	})
	for _, block := range blocks {
		f.candidates = append(f.candidates, byBlock[block]...)
	}
	return err
}

// deferredBelow returns the events from one number to below another with deferred
// deliveries in some states, or in any, the last event first. If there are too many, the
// second result is the number from which on these are all.
func (f *finder) deferredBelow(from, below int64, limit int, states ...string) (seqs []int64, _ int64, err error) {
	if len(states) == 0 {
		states = []string{""}
	}
	for _, state := range states {
		query, args := `SELECT seq FROM webhooks_deliveries WHERE seq >= $1 AND seq < $2`, []any{from, below, limit}
		switch {
		case state != "" && f.Destination != "":
			query, args = query+` AND state = $4 AND name = $5`, append(args, state, f.Destination)
		case state != "":
			query, args = query+` AND state = $4`, append(args, state)
		default: // in the order of seq, rather than all of the destination
			query, args = query+` AND name || '' = $4`, append(args, f.Destination)
		}
		n, last := 0, int64(0)
		err = f.q.store.query(f.ctx, query+` ORDER BY seq DESC`+limitTo("$3"), args, func(rows *sql.Rows) error {
			err = rows.Scan(&last)
			n, seqs = n+1, append(seqs, last)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		if n == limit {
			from = max(from, last)
		}
	}
	seqs = slices.DeleteFunc(seqs, func(seq int64) bool { return seq < from })
	slices.SortFunc(seqs, descending)
	return slices.Compact(seqs), from, nil
}

func descending(a, b int64) int { return cmp.Compare(b, a) }

// isIn reports whether a number is in a list, the largest first.
func isIn(list []int64, seq int64) bool {
	_, found := slices.BinarySearchFunc(list, seq, descending)
	return found
}

// logRun is a part of the log that a search looks at in one go, from a number to below
// another: a block, or blocks without an index.
type logRun struct {
	from, below int64
	isIndexed   bool
	candidates  []int64 // if it is
}

// lookAtBlocks looks for candidates in the index, and in the log where that has none.
func (f *finder) lookAtBlocks() (err error) {
	from := max(f.oldest, (blockOf(f.below-1)-f.step+1)*blockEvents+1)
	var deferred []int64
	switch {
	case f.State == StateWaiting:
		deferred, from, err = f.deferredBelow(max(from, f.awaited), f.below, manyCandidates, stateRetry, stateRunning)
	case f.State == "" && f.Destination != "":
		deferred, from, err = f.deferredBelow(from, f.below, manyCandidates)
	}
	if err != nil {
		return err
	}
	runs, err := f.indexed(from, deferred)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.isIndexed {
			f.candidates, f.below = append(f.candidates, r.candidates...), r.from
			continue
		}
		if f.below, err = f.lookAtLog(r.from, r.below, deferred); err != nil || f.below > r.from {
			return err
		}
	}
	return nil
}

// indexed divides the log from a number to f.below into blocks, with their candidates,
// and parts without an index. If there are too many of either, it leaves the rest out.
func (f *finder) indexed(from int64, deferred []int64) (runs []logRun, err error) {
	next, candidates, gaps := f.below, 0, 0
	addGap := func(to int64) {
		if to < next {
			runs = append(runs, logRun{from: to, below: next})
			next = to
			gaps++
		}
	}
	isCut := false
	err = f.readIndex(`block >= $1 AND block <= $2 ORDER BY block DESC`, []any{blockOf(from), blockOf(f.below - 1)}, func(b *indexBlock) error {
		addGap((b.block+1)*blockEvents + 1)
		if isCut = gaps >= maxRuns || candidates >= manyCandidates; isCut {
			return errEnough
		}
		r := logRun{from: max(from, b.block*blockEvents+1), below: next, isIndexed: true}
		r.candidates = f.matches(b, r.from, r.below, deferred)
		candidates += len(r.candidates)
		runs = append(runs, r)
		next = r.from
		return nil
	})
	if !isCut {
		addGap(from)
	}
	return runs, err
}

// readIndex calls each for some blocks of the index. It skips those that are damaged,
// and schedules them to be indexed again.
func (f *finder) readIndex(where string, args []any, each func(b *indexBlock) error) error {
	return f.q.store.query(f.ctx, `SELECT block, entries FROM webhooks_index WHERE `+where, args, func(rows *sql.Rows) error {
		var block int64
		var row sql.RawBytes
		if err := rows.Scan(&block, &row); err != nil {
			return err
		}
		b, ok := decodeIndex(block, row)
		if !ok {
			f.q.indexer.add(block)
			return nil
		}
		return each(&b)
	})
}

// lookAtLog looks for candidates in a part of the log. If it has many events, the result
// is the number from which on it has looked at them.
func (f *finder) lookAtLog(from, below int64, deferred []int64) (int64, error) {
	limit, n, last := f.stepRows(), 0, from
	err := f.q.store.query(f.ctx, `SELECT seq, provider, source, type, subject, partition_key, event_id, received FROM webhooks_events
		WHERE seq >= $1 AND seq < $2 ORDER BY seq DESC`+limitTo("$3"), []any{from, below, limit}, func(rows *sql.Rows) error {
		var e Summary
		var received int64
		err := rows.Scan(&e.Seq, &e.Provider, &e.Source, &e.Type, &e.Subject, &e.PartitionKey, &e.EventID, &received)
		n, last = n+1, e.Seq
		if f.selects(&e, received) && (f.mayBePlaced(e.Seq, &kind{e.Provider, e.Source, e.Type}) || isIn(deferred, e.Seq)) {
			f.candidates = append(f.candidates, e.Seq)
		}
		return err
	})
	if n < limit {
		last = from
	}
	return last, err
}

const columnsOfSummary = `e.seq, e.key, e.provider, e.source, e.type, e.subject, e.partition_key, e.event_id, e.received, length(e.body), e.size`

// scanSummary scans columnsOfSummary. It also returns when the event came in as the
// database has it.
func (s *store) scanSummary(rows *sql.Rows) (e Summary, received int64, err error) {
	var key []byte
	err = rows.Scan(&e.Seq, &key, &e.Provider, &e.Source, &e.Type, &e.Subject, &e.PartitionKey, &e.EventID, &received, &e.Size, &e.stored)
	e.ID, e.Received = nameOf(key), s.time(received).UTC()
	return e, received, err
}

// load reads candidates, and returns those that the search selects, the last one first,
// apart from their states.
func (f *finder) load(seqs []int64) (events []Summary, err error) {
	query, args := `SELECT `+columnsOfSummary+` FROM webhooks_events e WHERE e.seq `+f.q.store.isListed(1), []any{f.q.store.list(seqs)}
	for i, text := range f.texts {
		args = append(args, text)
		query += []string{` AND (`, ` OR `}[i] + f.q.store.holds("e.body", len(args))
	}
	if len(f.texts) > 0 {
		query += `)`
	}
	err = f.q.store.query(f.ctx, query, args, func(rows *sql.Rows) error {
		e, received, failed := f.q.store.scanSummary(rows)
		if failed == nil && f.selects(&e, received) {
			events = append(events, e)
		}
		return failed
	})
	slices.SortFunc(events, func(a, b Summary) int { return descending(a.Seq, b.Seq) })
	return events, err
}
