package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// startTimeout is how long a request waits for its configuration to start.
	startTimeout = 5 * time.Second

	// reloadGrace is how long attempts may go on with the handlers of the old
	// configuration, at the most; those not done are made again with the new one.
	reloadGrace = 10 * time.Second

	// emitTimeout is how long those who handle them may take when Caddy stops.
	emitTimeout = 5 * time.Second

	// maxAlerts is how many events for Caddy's events app may wait.
	maxAlerts = 1000
)

// Names of what is emitted through Caddy's events app.
const (
	deadLetterAlert      = "webhooks.dead_letter"
	destinationDownAlert = "webhooks.destination_down"
)

// serving is a configuration's part in a queue.
type serving struct {
	app    *App
	ctx    caddy.Context
	events *caddyevents.App

	destinations []queue.Destination
	key          queueKey
	queue        *queue.Queue
	generation   *queue.Generation
	started      chan struct{} // closed when generation is there
	releasing    *time.Timer   // releases generation, whatever happens
	failures     *sampledLog

	alerts   chan alert
	stopped  chan struct{} // closed when no more alerts are emitted
	stopOnce sync.Once
	emitted  sync.WaitGroup
}

// alert is one event for Caddy's events app.
type alert struct {
	name string
	data map[string]any
}

// queueKey says which queue it is, however that is configured otherwise.
type queueKey struct{ engine, place string }

func (k queueKey) String() string {
	if k.engine == queue.SQLite {
		return "sqlite " + k.place
	}
	return k.engine // its place may hold a password
}

func keyOf(s queue.Settings) queueKey {
	if s.Engine == queue.PostgreSQL {
		return queueKey{s.Engine, s.DSN}
	}
	return queueKey{s.Engine, queue.Path(s.File)}
}

// queues holds the open queue, across reloads.
var queues = caddy.NewUsagePool()

// pooledQueue makes a queue a caddy.Destructor.
type pooledQueue struct{ *queue.Queue }

func (q pooledQueue) Destruct() error { return q.Close() }

// newServing prepares the part of app in a queue.
func newServing(app *App, ctx caddy.Context) (*serving, error) {
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	s := &serving{
		app: app, ctx: ctx, events: events.(*caddyevents.App),
		started:  make(chan struct{}),
		failures: newSampledLog(app.logger, "delivery failed", "more deliveries failed", "destination"),
		alerts:   make(chan alert, maxAlerts),
		stopped:  make(chan struct{}),
	}
	return s, s.events.On("started", s)
}

// Handle begins to deliver once all apps of the configuration have started: one
// that fails to must not have handed an event to destinations that are not to be.
// It implements caddyevents.Handler.
func (s *serving) Handle(context.Context, caddy.Event) error {
	if s.generation != nil {
		s.generation.Release()
	}
	return nil
}

// add adds the destinations of a handler, unless an equal one has.
func (s *serving) add(h *Handler) {
	if s.app.sources[h.Source] == h {
		s.destinations = append(s.destinations, h.destinations...)
	}
}

// start opens the queue, or goes on with the one that is open.
func (s *serving) start() error {
	if len(s.destinations) == 0 && s.app.Queue == nil {
		return nil
	}
	settings := s.app.queueSettings
	settings.Logger, settings.Now = s.app.logger, time.Now
	key := keyOf(settings)
	if err := checkSameQueue(key); err != nil {
		return err
	}
	opened, _, err := queues.LoadOrNew(key, func() (caddy.Destructor, error) {
		q, err := queue.Open(s.ctx, settings)
		return pooledQueue{q}, err
	})
	if err != nil {
		return fmt.Errorf("webhooks: queue: %w", err)
	}
	s.key = key
	s.queue = opened.(pooledQueue).Queue
	s.generation = s.queue.Serve(queue.Service{
		Destinations: s.destinations, Observer: s, Logger: settings.Logger, Retention: settings.Retention, Size: settings.Size, Held: true,
	})
	s.releasing = time.AfterFunc(startTimeout, s.generation.Release) // Caddy calls its event experimental
	close(s.started)
	s.emitted.Go(s.emit)
	return nil
}

// checkSameQueue returns an error if another queue is open: its backlog and keys
// would stay behind.
func checkSameQueue(key queueKey) (err error) {
	queues.Range(func(k, _ any) bool {
		if other := k.(queueKey); other != key {
			err = fmt.Errorf("webhooks: `queue` is %s, and was %s: it cannot be changed by a reload; restart Caddy", key, other)
		}
		return err == nil
	})
	return err
}

// store stores events; see queue.Generation.Store.
func (s *serving) store(ctx context.Context, events []*queue.Event) ([]bool, error) {
	select {
	case <-s.started:
	default:
		// Caddy starts apps in no order: http may be there first.
		timer := time.NewTimer(startTimeout)
		defer timer.Stop()
		select {
		case <-s.started:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errors.New("the queue has not started")
		}
	}
	return s.generation.Store(ctx, events)
}

// open returns the queue, nil if there is none.
func (s *serving) open() *queue.Queue {
	select {
	case <-s.started:
		return s.queue
	default:
		return nil
	}
}

// stop ends the attempts of this configuration: when Caddy exits, within its
// grace period.
func (s *serving) stop() {
	if s.generation != nil {
		s.stopOnce.Do(s.stopGeneration)
	}
}

func (s *serving) stopGeneration() {
	ctx, cancel := context.WithCancel(context.Background())
	if grace := s.grace(); grace > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), grace)
	}
	defer cancel()
	s.releasing.Stop()
	s.generation.Stop(ctx)
	close(s.stopped)
	s.waitForEmitted()
	s.failures.stop()
}

// waitForEmitted waits for those who handle alerts, but not for ever: Caddy waits
// too.
func (s *serving) waitForEmitted() {
	done := make(chan struct{})
	go func() {
		s.emitted.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(emitTimeout):
		s.app.logger.Error("those who handle events are too slow: some were not emitted")
	}
}

// grace is how long attempts may go on; 0 is until they end by themselves.
func (s *serving) grace() time.Duration {
	var grace time.Duration
	if app, err := s.ctx.AppIfConfigured("http"); err == nil {
		grace = time.Duration(app.(*caddyhttp.App).GracePeriod)
	}
	if caddy.Exiting() {
		return grace
	}
	if grace <= 0 {
		return reloadGrace
	}
	return min(grace, reloadGrace)
}

// cleanup lets go of the queue; the configuration that comes after a reload holds
// on to it.
func (s *serving) cleanup() error {
	if s.queue == nil {
		return nil
	}
	s.stop() // which Caddy leaves out when it fails after all apps have started
	_, err := queues.Delete(s.key)
	return err
}

// Attempted counts an attempt, and says what went wrong.
func (s *serving) Attempted(a queue.Attempt) {
	m := s.app.metrics
	m.deliveries.WithLabelValues(a.Destination, string(a.Outcome)).Inc()
	if a.Took > 0 {
		m.delivering.WithLabelValues(a.Destination).Observe(a.Took.Seconds())
	}
	if a.Outcome == queue.Delivered || a.Outcome == queue.HandedBack {
		return
	}
	id := a.Key.String()
	fields := []zap.Field{
		zap.String("outcome", string(a.Outcome)), zap.String("id", id), zap.String("event_id", a.ID), zap.String("type", a.Type),
		zap.Int("attempt", a.Delivery.Attempt), zap.Int("status", a.Status), zap.NamedError("cause", a.Err),
	}
	if !a.Next.IsZero() {
		fields = append(fields, zap.Time("next", a.Next))
	}
	s.failures.log(a.Destination, fields...)
	if a.Outcome == queue.Dead {
		s.alert(deadLetterAlert, map[string]any{
			"destination": a.Destination, "id": id, "provider": a.Provider, "event_id": a.ID, "type": a.Type,
			"attempts": a.Delivery.Attempt, "last_status": a.Status,
		})
	}
}

// Down says that a destination is down.
func (s *serving) Down(destination string, failures int, last queue.Result) {
	s.app.logger.Error("a destination is down: it is probed with one event at a time until it answers again",
		zap.String("destination", destination), zap.Int("failures", failures), zap.Int("status", last.Status), zap.NamedError("cause", last.Err))
	s.alert(destinationDownAlert, map[string]any{"destination": destination, "failures": failures, "last_status": last.Status})
}

// Up says that it is not any more.
func (s *serving) Up(destination string) {
	s.app.logger.Info("a destination answers again", zap.String("destination", destination))
}

// Discarded counts dead letters that were discarded.
func (s *serving) Discarded(destination string, n int) {
	s.app.metrics.deliveries.WithLabelValues(destination, discarded).Add(float64(n))
}

// alert has an event emitted, without waiting for those who handle it.
func (s *serving) alert(name string, data map[string]any) {
	select {
	case s.alerts <- alert{name, data}:
	default:
		s.app.logger.Error("an event was not emitted: those who handle them are too slow", zap.String("event", name), zap.Any("data", data))
	}
}

// emit emits events until stop, and then those that wait.
func (s *serving) emit() {
	for {
		select {
		case a := <-s.alerts:
			s.events.Emit(s.ctx, a.name, a.data)
		case <-s.stopped:
			if len(s.alerts) == 0 {
				return
			}
		}
	}
}
