package queue

import (
	"context"
	"slices"
	"sync"
	"time"
)

// logGeneration is the use that one configuration makes of a log. During a reload there
// are two: the old one until Stop, and the new one.
type logGeneration struct {
	Service
	q        *eventLog
	declared chan struct{} // closed when the names are in the database

	ctx    context.Context // of its attempts
	cancel context.CancelFunc

	mu       sync.Mutex
	held     bool // until Release
	stopping bool
	attempts int           // under way
	idle     chan struct{} // closed when stopping and attempts is 0
}

// wait waits for the names to be in the database, so that Status shows them at once. If
// that fails, declare keeps trying.
func (g *logGeneration) wait() {
	if g.q.isOpen() {
		_ = g.waitUntilDeclared(context.Background())
	}
}

// use makes a configuration the current one of the log, as Serve does of the queue. It
// does not wait for the database.
func (q *eventLog) use(s Service) *logGeneration {
	g := &logGeneration{q: q, Service: s, held: s.Held, declared: make(chan struct{}), idle: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	q.mu.Lock()
	q.generations = append(q.generations, g)
	q.apply()
	q.mu.Unlock()
	q.wg.Go(q.declare)
	return g
}

// apply makes the workers follow the current generation. q.mu must be held.
func (q *eventLog) apply() {
	wanted := make(map[string]target)
	if n := len(q.generations); n > 0 {
		g := q.generations[n-1]
		q.retention = g.Retention
		if g.Logger != nil {
			q.logger.Store(g.Logger)
		}
		q.budget.limit.Store(g.Size)
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

// destinationsOf returns the destinations of all generations, the newest of each
// name: until an older generation has stopped, events for it still come in, and it
// may become current again.
func destinationsOf(generations []*logGeneration) (all []Destination) {
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

// release ends Held: attempts may begin.
func (g *logGeneration) release() {
	g.mu.Lock()
	g.held = false
	g.mu.Unlock()
	g.q.pokeAll()
}

// begin counts an attempt as under way. It returns false if none may begin.
func (g *logGeneration) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping || g.held {
		return false
	}
	g.attempts++
	return true
}

// end counts an attempt as ended.
func (g *logGeneration) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.attempts--; g.stopping && g.attempts == 0 {
		close(g.idle)
	}
}

// stop begins no more attempts and waits for those under way. When ctx ends, it
// cancels them; they are made again later.
func (g *logGeneration) stop(ctx context.Context) {
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
			q.log().Error("delivery attempt did not return after being cancelled")
		}
	}
	g.cancel()
	q.waitForLeaving()
	if !q.isOpen() {
		return
	}
	// Names that have left the configuration must get no more events after this.
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-declared:
	case <-timer.C:
	}
}

// waitForLeaving waits until the workers that must leave have ended.
func (q *eventLog) waitForLeaving() {
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
