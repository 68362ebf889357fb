package queue

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

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

// Release lets attempts begin.
func (g *Generation) Release() {
	g.mu.Lock()
	g.held = false
	g.mu.Unlock()
	g.q.pokeAll()
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
