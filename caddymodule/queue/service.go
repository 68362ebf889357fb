package queue

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Service is what a configuration asks of a queue.
type Service struct {
	// Destinations are those of the configuration, with unique names.
	Destinations []Destination

	// Observer is called for every attempt, and must not be nil.
	Observer Observer

	// Logger is used while this configuration is current. Default: that of Settings.
	Logger *zap.Logger

	// Retention is how long delivered events and dead letters are kept, while this
	// configuration is current.
	Retention time.Duration

	// Size is the maximum number of bytes that all events may take, while this
	// configuration is current.
	Size int64

	// Held delays all attempts until Release: if any part of the new configuration
	// fails to start, no event may have reached one of its destinations.
	Held bool
}

// Generation is the use that one configuration makes of a queue. During a reload there
// are two: the old one until Stop, and the new one.
type Generation struct {
	q       *Queue
	service Service

	// logs are its uses of the logs, by number. q.mu is held to replace them.
	logs atomic.Pointer[[]*logGeneration]
}

// Serve makes a configuration the current one: its destinations get the events from
// now on. Stop must follow. If the configuration before is still there then, as after
// a reload that failed, it is current again.
func (q *Queue) Serve(s Service) *Generation {
	g := &Generation{q: q, service: s}
	g.logs.Store(new([]*logGeneration))
	q.mu.Lock()
	g.use(q.logs())
	q.generations = append(q.generations, g)
	q.mu.Unlock()
	each(g.uses(), func(_ int, use *logGeneration) { use.wait() })
	return g
}

// use has the generation use more logs, the next ones by number. q.mu must be held.
func (g *Generation) use(logs []*eventLog) {
	uses := slices.Clone(g.uses())
	for _, l := range logs {
		uses = append(uses, l.use(g.service))
	}
	g.logs.Store(&uses)
}

// uses returns the uses of the logs, by number. There is one for each log of a layout
// that was read before.
func (g *Generation) uses() []*logGeneration { return *g.logs.Load() }

// Release ends Held: attempts may begin.
func (g *Generation) Release() {
	g.q.mu.Lock()
	defer g.q.mu.Unlock()
	g.service.Held = false
	for _, use := range g.uses() {
		use.release()
	}
}

// Stop begins no more attempts and waits for those under way. When ctx ends, it
// cancels them; they are made again later.
func (g *Generation) Stop(ctx context.Context) {
	g.q.mu.Lock()
	g.q.generations = slices.DeleteFunc(g.q.generations, func(other *Generation) bool { return other == g })
	g.q.mu.Unlock()
	each(g.uses(), func(_ int, use *logGeneration) { use.stop(ctx) })
}
