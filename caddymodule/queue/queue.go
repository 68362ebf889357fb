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
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// Errors of a queue.
var (
	// ErrFull says that what is not delivered yet leaves no room.
	ErrFull = errors.New("the queue is full")

	// ErrClosed says that the queue was closed.
	ErrClosed = errors.New("the queue is closed")

	// ErrUnavailable says that the database does not do what it should.
	ErrUnavailable = errors.New("the queue is unavailable")

	// ErrUnknown says that there is no such name or event.
	ErrUnknown = errors.New("unknown")

	// ErrConfigured says that a name is in use and cannot be forgotten.
	ErrConfigured = errors.New("it is part of the configuration")
)

// errNotOpen says that the database has not answered since the queue was opened.
var errNotOpen = fmt.Errorf("%w: it is not open yet", ErrUnavailable)

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

// Path returns the one path of a file that may be reached by several, also when
// it, or its directory, is not there yet.
func Path(file string) string {
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	for existing, rest := file, ""; ; {
		if real, err := filepath.EvalSymlinks(existing); err == nil {
			return filepath.Join(real, rest)
		}
		parent := filepath.Dir(existing)
		if parent == existing {
			return file
		}
		existing, rest = parent, filepath.Join(filepath.Base(existing), rest)
	}
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

// checkCommit returns the era that a commit of events belongs to, before which the
// log was known to reach up to head. A server with another history may have lost
// what was there; one with an older history is about to.
func (q *Queue) checkCommit(s stored, head int64) (*era, error) {
	e := q.currentEra()
	if err := q.store.checkTimeline(s.timeline); err != nil {
		return nil, err
	}
	switch {
	case e == nil: // the next one reads where the log ends
		return nil, nil
	case s.timeline != e.timeline, s.last-int64(len(s.accepted)) < head:
		q.log().Warn("the database has lost what was stored last, as it may at a failover; those events are not delivered",
			zap.String("timeline", s.timeline))
		e = q.beginEra(e, s.logState)
		q.pokeAll()
	}
	return e, nil
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
func (q *Queue) head() int64  { return q.writer.head.Load() }

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

// Generation is one configuration's use of a queue.
type Generation struct {
	Service
	q        *Queue
	declared chan struct{} // closed when the database knows the names

	ctx    context.Context // of the attempts
	cancel context.CancelFunc

	mu       sync.Mutex
	held     bool // until Release
	stopping bool
	attempts int
	idle     chan struct{} // closed when stopping and no attempt goes on
}

// Service is what a configuration asks of a queue.
type Service struct {
	Destinations []Destination
	Observer     Observer

	// Logger is used as long as this configuration is current. Default: that of
	// Settings.
	Logger *zap.Logger

	// Retention is how long delivered events and dead letters are kept.
	Retention time.Duration

	// Size is how many bytes all events may take.
	Size int64

	// Held lets no attempt begin before Release.
	Held bool
}

// Serve delivers to the destinations of a configuration, instead of those of the
// one before. Stop must follow; then those of the one before, if that goes on,
// have their turn again.
func (q *Queue) Serve(s Service) *Generation {
	g := &Generation{q: q, Service: s, held: s.Held, declared: make(chan struct{}), idle: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	q.mu.Lock()
	q.generations = append(q.generations, g)
	q.apply()
	q.mu.Unlock()
	q.wg.Go(q.declare)
	if q.isOpen() {
		// So that its names are there for whoever asks; if not, it goes on trying.
		_ = g.waitUntilDeclared(context.Background())
	}
	return g
}

// apply makes the workers follow the current generation.
func (q *Queue) apply() {
	wanted := make(map[string]target)
	if n := len(q.generations); n > 0 {
		g := q.generations[n-1]
		q.retention = g.Retention
		if g.Logger != nil {
			q.logger.Store(g.Logger)
		}
		q.writer.limit.Store(g.Size)
		for i := range g.Destinations {
			wanted[g.Destinations[i].Name] = target{&g.Destinations[i], g}
		}
	}
	for name, w := range q.workers {
		t, ok := wanted[name]
		if now := w.current(); ok && t.Ordered == now.Ordered && t.Source == now.Source {
			w.configure(t)
			delete(wanted, name)
			continue
		}
		delete(q.workers, name)
		q.leaving = append(q.leaving, w)
		close(w.quit)
	}
	for name, t := range wanted {
		w := newWorker(q, name)
		w.target = t
		var before <-chan struct{}
		for _, leaving := range q.leaving {
			if leaving.name == name {
				before = leaving.done
			}
		}
		q.workers[name] = w
		go w.run(before) // ended by apply; Stop waits
	}
	q.kickMembership()
}

// destinationsOf returns the destinations of the current generation, and those of
// the ones before that it does not have: as long as these have not stopped, events
// for them come in, and a new one that fails gives them their turn again.
func destinationsOf(generations []*Generation) (all []Destination) {
	names := make(map[string]bool)
	for _, g := range slices.Backward(generations) {
		for _, d := range g.Destinations {
			if !names[d.Name] {
				all = append(all, d)
			}
			names[d.Name] = true
		}
	}
	return all
}

// declare lets the database know the names of the generations.
func (q *Queue) declare() {
	q.declaring.Lock()
	defer q.declaring.Unlock()
	select {
	case <-q.opened:
	case <-q.ctx.Done():
		return
	}
	for {
		q.mu.Lock()
		generations := slices.Clone(q.generations)
		q.mu.Unlock()
		if len(generations) == 0 {
			return
		}
		destinations := destinationsOf(generations)
		elsewhere, err := q.configuredElsewhere()
		if err == nil {
			err = q.do(func(t *tx) error { return t.declare(destinations, q.previousNames, elsewhere) })
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
		q.logFailure("the queue cannot be written; trying again", err)
		if !wait(q.ctx, retryDelay) {
			return
		}
	}
}

// configuredElsewhere returns the destinations in the configurations of other
// gateways.
func (q *Queue) configuredElsewhere() (map[string]bool, error) {
	names := make(map[string]bool)
	if !q.shared() {
		return names, nil
	}
	living, err := q.livingGateways(q.ctx)
	delete(living, q.holder)
	for _, of := range living {
		for _, name := range of {
			names[name] = true
		}
	}
	return names, err
}

// Store stores the new events of a request, all of them or none, and returns after
// they are on disk. accepted reports which were not duplicates. While the queue is
// opening, Store waits for at most 5 s.
func (g *Generation) Store(ctx context.Context, events []*Event) (accepted []bool, err error) {
	if !g.isDeclared() {
		if err := g.waitUntilDeclared(ctx); err != nil {
			return nil, err
		}
	}
	for _, e := range events {
		e.clean()
		if e.Request != nil {
			e.Request.encoded()
		}
	}
	c := &change{events: events}
	if c.shared() != nil {
		for _, e := range events {
			e.shared = inCommon
		}
	}
	g.q.writer.health.noteSize(c.size())
	switch err := g.q.writer.do(ctx, c); {
	case err == nil:
		return c.accepted, nil
	case errors.Is(err, ErrFull), errors.Is(err, ErrClosed), ctx.Err() != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

func (g *Generation) waitUntilDeclared(ctx context.Context) error {
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

// Release lets attempts begin.
func (g *Generation) Release() {
	g.mu.Lock()
	g.held = false
	g.mu.Unlock()
	g.q.pokeAll()
}

// noteDeclared notes that the database knows the names.
func (g *Generation) noteDeclared() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isDeclared() {
		close(g.declared)
	}
}

func (g *Generation) isDeclared() bool {
	select {
	case <-g.declared:
		return true
	default:
		return false
	}
}

// begin notes that an attempt begins, unless none may.
func (g *Generation) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping || g.held {
		return false
	}
	g.attempts++
	return true
}

func (g *Generation) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.attempts--; g.stopping && g.attempts == 0 {
		close(g.idle)
	}
}

// Stop begins no attempt any more and waits for those under way, until ctx ends;
// then it cancels them, and they will be made again.
func (g *Generation) Stop(ctx context.Context) {
	g.mu.Lock()
	g.stopping = true
	if g.attempts == 0 {
		close(g.idle)
	}
	g.mu.Unlock()

	q := g.q
	q.mu.Lock()
	for i, other := range q.generations {
		if other == g {
			q.generations = append(q.generations[:i:i], q.generations[i+1:]...)
			break
		}
	}
	q.apply()
	declared := make(chan struct{})
	if len(q.generations) > 0 {
		q.wg.Go(func() {
			defer close(declared)
			q.declare()
		})
	} else {
		close(declared)
	}
	q.mu.Unlock()

	select {
	case <-g.idle:
	case <-ctx.Done():
		g.cancel()
		timer := time.NewTimer(stopTimeout)
		defer timer.Stop()
		select {
		case <-g.idle:
		case <-timer.C:
			q.log().Error("an attempt does not end, although it was cancelled")
		}
	}
	g.cancel()
	q.waitForLeaving()
	if !q.isOpen() {
		return
	}
	// So that names that are gone get no more.
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-declared:
	case <-timer.C:
	}
}

// waitForLeaving waits until the workers that were told to have left.
func (q *Queue) waitForLeaving() {
	q.mu.Lock()
	leaving := slices.Clone(q.leaving)
	q.mu.Unlock()
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	for _, w := range leaving {
		select {
		case <-w.done:
		case <-timer.C:
			return
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.leaving = slices.DeleteFunc(q.leaving, func(w *worker) bool { return slices.Contains(leaving, w) })
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
