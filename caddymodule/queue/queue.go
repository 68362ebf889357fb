// Package queue keeps accepted events on disk and delivers them in the end: in
// SQLite, or in a PostgreSQL that any number of gateways share.
//
// Events are a log in order of arrival. Each destination has a position in it:
// what is at or below is settled, or is a deferred delivery, which is a row of its own
// with attempts, state and next try. So a delivery that goes well costs no row.
// One goroutine writes, whatever is waiting in one transaction; one goroutine
// for each destination reads ahead and keeps the attempts going.
//
// At least once: an attempt that was under way when the process died, or whose
// end was not written yet (see commitInterval), is made again.
package queue

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// Defaults of Settings and Destination.
const (
	DefaultRetention   = 7 * 24 * time.Hour
	DefaultSize        = 1 << 30 // bytes
	DefaultAttempts    = 24
	DefaultFirst       = 5 * time.Second
	DefaultMax         = 6 * time.Hour // with 24 attempts, two days in all
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 16
)

const (
	// openTimeout is how long a request waits for the queue to open.
	openTimeout = 5 * time.Second

	// readTimeout ends a read that does not end by itself.
	readTimeout = 30 * time.Second

	// pollInterval is how often a gateway looks for what others have stored.
	pollInterval = 50 * time.Millisecond

	// stopTimeout is how long attempts that were cancelled may take to end.
	stopTimeout = 5 * time.Second
)

// Settings say where the events are kept, and how long.
type Settings struct {
	// Engine is SQLite or PostgreSQL.
	Engine string

	// File is SQLite's file. It is made, with its directory, if it is not there.
	File string

	// DSN says where PostgreSQL is.
	DSN string

	// Retention is how long delivered events and dead letters are kept.
	Retention time.Duration

	// Size is how many bytes all events may take.
	Size int64

	Logger *zap.Logger
	Now    func() time.Time

	tracer pgx.QueryTracer // of PostgreSQL, for tests
}

// Queue is an open queue.
type Queue struct {
	store  *store
	writer *writer
	logger atomic.Pointer[zap.Logger] // of the current generation
	now    func() time.Time
	holder string // names this gateway among those that share the queue

	members membership

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	opened chan struct{}
	wg     sync.WaitGroup

	ended atomic.Int64 // deferred deliveries that were removed, so that there may be room

	declaring     sync.Mutex      // one at a time
	previousNames map[string]bool // names that were declared last

	mu          sync.Mutex
	retention   time.Duration
	generations []*Generation // the last one is current
	workers     map[string]*worker
	leaving     []*worker
	closed      bool

	counting sync.Mutex
	counters map[string]*counter // by destination
}

// Open opens a queue. An error means that it cannot be used; a server that does
// not answer is none: the queue opens when it does, and until then takes no
// events.
func Open(ctx context.Context, s Settings) (*Queue, error) {
	q := &Queue{
		now: s.Now, holder: newHolder(), retention: s.Retention,
		opened:   make(chan struct{}),
		workers:  make(map[string]*worker),
		counters: make(map[string]*counter),
	}
	q.members.kick = make(chan struct{}, 1)
	q.logger.Store(s.Logger)
	q.ctx, q.cancel = context.WithCancel(context.Background())
	var err error
	if s.Engine == PostgreSQL {
		q.store, err = openPostgres(s.DSN, s.tracer)
	} else {
		q.store, err = openSQLite(ctx, Path(s.File))
	}
	if err != nil {
		q.cancel()
		return nil, err
	}
	if q.store.file != nil {
		q.store.file.report = q.reportReplaced
	}
	q.writer = newWriter(q.store, s.Now, q.checkCommit, q.notify)
	q.writer.limit.Store(s.Size)
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
	q.log().Error("the queue's server does not answer; trying again until it does", zap.Error(err))
	q.wg.Go(q.keepOpening)
	return q, nil
}

// newHolder returns a name for this gateway: that of its host, for people, and
// something that no other process has.
func newHolder() string {
	host, _ := os.Hostname()
	return strings.ToValidUTF8(host, "") + "-" + strings.ToLower(rand.Text()[:8])
}

// open makes the database ready and starts what works with it.
func (q *Queue) open(ctx context.Context) error {
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
	if q.store.shared {
		q.wg.Go(q.poll)
		q.wg.Go(q.keepMembership)
	}
	return nil
}

// enter begins the first era.
func (q *Queue) enter(ctx context.Context) error {
	var s logState
	begun := q.now()
	err := q.store.query(ctx, `SELECT last, bytes, `+q.store.timeline+` FROM webhooks_queue WHERE id = 1`, nil, func(rows *sql.Rows) error {
		return rows.Scan(&s.last, &s.bytes, &s.timeline)
	})
	if err == nil && q.store.shared {
		err = q.store.query(ctx, `SELECT `+q.store.serverTime, nil, func(rows *sql.Rows) error {
			var micros int64
			err := rows.Scan(&micros)
			q.store.adjust(begun, q.now(), micros)
			return err
		})
	}
	if err == nil {
		q.beginEra(q.lastEra(), s)
	}
	return err
}

// keepOpening tries to open until that succeeds.
func (q *Queue) keepOpening() {
	for wait(q.ctx, time.Second) {
		err := q.open(q.ctx)
		if err == nil {
			q.log().Info("the queue is open")
			q.pokeAll()
			return
		}
		if !isTemporary(err) {
			q.log().Error("the queue cannot be opened; trying again", zap.Error(err))
		}
	}
}

// wait waits, and returns false if ctx ends before.
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

func (q *Queue) isOpen() bool {
	select {
	case <-q.opened:
		return true
	default:
		return false
	}
}

func (q *Queue) shared() bool { return q.store.shared }

func (q *Queue) head() int64 { return q.writer.head.Load() }

// do has something written and waits for it.
func (q *Queue) do(run func(t *tx) error) error {
	ctx, cancel := context.WithTimeout(q.ctx, 2*commitTimeout)
	defer cancel()
	return q.writer.do(ctx, &change{run: run})
}

// log returns the logger of the current configuration.
func (q *Queue) log() *zap.Logger { return q.logger.Load() }

// notify lets the destinations know that events were stored.
func (q *Queue) notify(events []*Event) {
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

func (q *Queue) pokeAll() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		w.poke()
	}
}

// Close closes the queue. All generations must have been stopped.
func (q *Queue) Close() error {
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

// Commits returns how many transactions were committed, each with an fsync.
func (q *Queue) Commits() int64 { return q.writer.commits.Load() }
