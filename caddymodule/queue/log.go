package queue

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// openTimeout limits how long a request, or Open itself, waits for the database.
	openTimeout = 5 * time.Second

	// readTimeout cancels a read that hangs.
	readTimeout = 30 * time.Second

	// pollInterval is how often a gateway looks for events that others have stored.
	pollInterval = 50 * time.Millisecond

	// stopTimeout is how long cancelled attempts may take to return.
	stopTimeout = 5 * time.Second
)

// eventLog is an open log: all tables of a queue, in one schema. Its methods may be called
// from any goroutine.
type eventLog struct {
	*common
	number int // from 0

	store   *store
	writer  *writer
	logger  atomic.Pointer[zap.Logger] // of the current generation
	now     func() time.Time
	members membership

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	opened chan struct{}
	wg     sync.WaitGroup

	ended atomic.Int64 // counts deferred deliveries that were removed, which may make room

	declaring     sync.Mutex      // guards previousNames, and serializes declare
	previousNames map[string]bool // of the destinations that were declared last

	mu          sync.Mutex
	retention   time.Duration
	generations []*logGeneration // the last one is current
	workers     map[string]*worker
	leaving     []*worker
	closed      bool

	counting sync.Mutex
	counters map[string]*counter // by destination

	verdicts verdicts

	indexer    indexer
	searching  chan struct{} // holds a value for each search under way
	searchTime time.Duration // how long a page may take; see searchTime
}

// newLog opens a log of a queue, by its number, at a PostgreSQL server, or in SQLite's
// file. An error means that the log cannot be used. A server that does not answer, or is
// not known yet, is not an error: the log keeps trying, and accepts no events until it
// succeeds.
func newLog(ctx context.Context, s Settings, number int, at *server, c *common) (*eventLog, error) {
	q := &eventLog{
		common: c, number: number, now: s.Now, retention: s.Retention,
		opened:   make(chan struct{}),
		workers:  make(map[string]*worker),
		counters: make(map[string]*counter),

		searching: make(chan struct{}, maxSearches), searchTime: searchTime,
	}
	q.indexer.kick = make(chan struct{}, 1)
	q.members.kick = make(chan struct{}, 1)
	q.logger.Store(s.Logger)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	var err error
	if s.Engine == PostgreSQL {
		q.store = newPostgres(number, s.tracer)
		q.store.server.Store(at)
	} else if q.store, err = openSQLite(ctx, Path(s.File)); err != nil {
		q.cancel()
		return nil, err
	}
	if q.store.file != nil {
		q.store.file.report = q.reportReplaced
		q.store.checkpoints.report = func(message string, err error) { q.logFailure(message, err) }
	}
	q.writer = newWriter(q.store, &c.budget, s.Now, q.checkCommit, q.notify)
	q.budget.limit.CompareAndSwap(0, s.Size) // a configuration may have set it for all logs
	err = q.open(ctx)
	if err == nil {
		return q, nil
	}
	if !q.store.shared {
		err = fmt.Errorf("%s: %w", s.File, err)
	}
	if !q.store.shared || !isTemporary(err) {
		q.cancel()
		_ = q.store.close()
		return nil, err
	}
	q.log().Error("queue database does not answer; retrying", zap.Error(err))
	q.wg.Go(q.keepOpening)
	return q, nil
}

// open migrates the schema, begins the first era and starts the goroutines.
func (q *eventLog) open(ctx context.Context) error {
	if err := q.store.migrate(ctx); err != nil {
		return err
	}
	q.store.file.noteWAL()
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := q.enter(ctx); err != nil {
		return err
	}
	close(q.opened)
	go q.writer.run() // ended by Close
	q.wg.Go(q.maintain)
	q.wg.Go(q.index)
	if q.store.shared {
		q.wg.Go(q.poll)
		q.wg.Go(q.keepMembership)
	}
	return nil
}

// enter reads the end of the log and begins the first era.
func (q *eventLog) enter(ctx context.Context) error {
	var s logState
	begun := q.now()
	err := q.store.query(ctx, `SELECT last, bytes, epoch, `+q.store.timeline+` FROM webhooks_queue WHERE id = 1`, nil, func(rows *sql.Rows) error {
		return rows.Scan(&s.last, &s.bytes, &s.epoch, &s.timeline)
	})
	if err == nil && q.store.shared {
		err = q.store.query(ctx, `SELECT `+q.store.serverTime, nil, func(rows *sql.Rows) error {
			var micros int64
			err = rows.Scan(&micros)
			q.store.adjust(begun, q.now(), micros)
			return err
		})
	}
	if err == nil {
		q.noteEpoch(q.number, s.epoch)
		q.beginEra(q.lastEra(), s)
	}
	return err
}

// keepOpening retries open until it succeeds or the queue is closed.
func (q *eventLog) keepOpening() {
	for wait(q.ctx, time.Second) {
		err := q.open(q.ctx)
		if err == nil {
			q.log().Info("queue database answers; the queue is open")
			q.pokeAll()
			return
		}
		if !isTemporary(err) {
			q.log().Error("cannot open the queue; retrying", zap.Error(err))
		}
	}
}

// wait sleeps for d. It returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (q *eventLog) isOpen() bool {
	select {
	case <-q.opened:
		return true
	default:
		return false
	}
}

func (q *eventLog) shared() bool { return q.store.shared }

func (q *eventLog) head() int64 { return q.writer.head.Load() }

// do runs a function in a transaction of the writer, and waits for the commit.
func (q *eventLog) do(run func(t *tx) error) error {
	ctx, cancel := context.WithTimeout(q.ctx, 2*commitTimeout)
	defer cancel()
	return q.writer.do(ctx, &change{run: run})
}

// log returns the logger of the current configuration.
func (q *eventLog) log() *zap.Logger { return q.logger.Load() }

// notify wakes the workers whose destinations take events of the same source, and the
// indexer.
func (q *eventLog) notify(events []*Event) {
	q.noteFilled(events)
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		source := w.current().Source
		for _, e := range events {
			if e.Source == source {
				w.poke()
				break
			}
		}
	}
}

func (q *eventLog) pokeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		w.poke()
	}
}

// close closes the log. All generations must have been stopped. A second call does
// nothing.
func (q *eventLog) close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.mu.Unlock()
	q.cancel()
	q.wg.Wait()
	if q.shared() {
		q.leaveMembership()
	}
	close(q.writer.stop)
	if q.isOpen() {
		<-q.writer.stopped
	}
	return q.store.close()
}

// Commits returns the number of transactions that were committed, each with an fsync.
func (q *eventLog) Commits() int64 { return q.writer.commits.Load() }
