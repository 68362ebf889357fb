package delivery

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

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/sampled"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

const (
	// startTimeout is how long a request waits for its configuration to start.
	startTimeout = 5 * time.Second

	// reloadGrace is how long attempts may go on with the handlers of the old
	// configuration, at most; attempts that are cut short are made again with the new
	// one.
	reloadGrace = 10 * time.Second
)

// Service is the part of one configuration in a queue: it stores events, delivers
// them to the destinations of that configuration, and reports on it.
type Service struct {
	ctx     caddy.Context
	logger  *zap.Logger
	metrics metrics
	alerts  *alerts
	memory  *journal.Memory
	journal map[string]*journal.DestinationMemory // by destination

	destinations []queue.Destination
	place        queue.Place
	queue        *queue.Queue
	generation   *queue.Generation
	spans        *spans
	started      chan struct{} // closed when generation is set
	releasing    *time.Timer   // releases generation, whatever happens
	failures     *sampled.Log[failingDestination]
	stopOnce     sync.Once
}

// NewService prepares the part of a configuration in a queue. It opens nothing.
// RegisterMetrics must follow. Attempts are reported to memory.
func NewService(ctx caddy.Context, logger *zap.Logger, memory *journal.Memory) (*Service, error) {
	events, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	s := &Service{
		ctx: ctx, logger: logger, memory: memory,
		journal:  make(map[string]*journal.DestinationMemory),
		alerts:   newAlerts(ctx, events.(*caddyevents.App), logger),
		started:  make(chan struct{}),
		failures: newFailureLog(logger),
	}
	return s, events.(*caddyevents.App).On("started", s)
}

// Handle begins to deliver once all apps of the configuration have started: if any
// app fails to start, no event may have reached a destination of that configuration.
// It implements caddyevents.Handler.
func (s *Service) Handle(context.Context, caddy.Event) error {
	if s.generation != nil {
		s.generation.Release()
	}
	return nil
}

// Add adds a destination, before Start.
func (s *Service) Add(destination queue.Destination) {
	destination.Deliver = s.traced(destination)
	s.destinations = append(s.destinations, destination)
	s.journal[destination.Name] = s.memory.OpenDestination(destination.Name)
}

// HasDestinations reports whether there are any.
func (s *Service) HasDestinations() bool { return len(s.destinations) > 0 }

// Start opens the queue, or uses the one that an earlier configuration has opened.
func (s *Service) Start(settings queue.Settings) error {
	settings.Logger, settings.Now = s.logger, time.Now
	opened, err := open(s.ctx, settings)
	if err != nil {
		return err
	}
	s.place = settings.Place()
	s.queue, s.spans = opened.Queue, opened.spans
	s.generation = s.queue.Serve(queue.Service{
		Destinations: s.destinations, Observer: s, Logger: settings.Logger, Retention: settings.Retention, Size: settings.Size, Held: true,
	})
	s.releasing = time.AfterFunc(startTimeout, s.generation.Release) // Caddy calls its event experimental
	close(s.started)
	s.alerts.start()
	return nil
}

// Store stores events; see queue.Generation.Store. A request that comes while the
// queue is being opened waits for it.
func (s *Service) Store(ctx context.Context, events []*queue.Event) (isNew []bool, err error) {
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
	s.spans.learn(ctx, events)
	return s.generation.Store(ctx, events)
}

// Queue returns the queue, nil if it is not open.
func (s *Service) Queue() *queue.Queue {
	select {
	case <-s.started:
		return s.queue
	default:
		return nil
	}
}

// Stop ends the attempts of this configuration: when Caddy exits, within its grace
// period.
func (s *Service) Stop() {
	if s.generation != nil {
		s.stopOnce.Do(s.stop)
	}
}

func (s *Service) stop() {
	ctx, cancel := context.WithCancel(context.Background())
	if grace := s.grace(); grace > 0 {
		ctx, cancel = context.WithTimeout(context.Background(), grace)
	}
	defer cancel()
	s.releasing.Stop()
	s.generation.Stop(ctx)
	s.alerts.stop()
	s.failures.Stop()
}

// grace returns how long attempts may go on; 0 is until they end by themselves.
func (s *Service) grace() time.Duration {
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

// Cleanup releases the queue. It stays open for the configuration that follows in a
// reload.
func (s *Service) Cleanup() error {
	for _, destination := range s.journal {
		destination.Close()
	}
	if s.queue == nil {
		return nil
	}
	s.Stop() // which Caddy leaves out if it fails after all apps have started
	return release(s.place)
}

// open returns the queue of a place, opened now or by an earlier configuration.
func open(ctx context.Context, settings queue.Settings) (pooled, error) {
	place := settings.Place()
	if err := checkSamePlace(place); err != nil {
		return pooled{}, err
	}
	opened, _, err := queues.LoadOrNew(place, func() (caddy.Destructor, error) {
		q, err := queue.Open(ctx, settings)
		return pooled{q, new(spans)}, err
	})
	if err != nil {
		return pooled{}, fmt.Errorf("webhooks: queue: %w", err)
	}
	return opened.(pooled), nil
}

// release gives up a queue that open has returned.
func release(place queue.Place) error {
	_, err := queues.Delete(place)
	return err
}

// queues holds the open queue, across reloads.
var queues = caddy.NewUsagePool()

// pooled makes a queue, with what lives as long, a caddy.Destructor.
type pooled struct {
	*queue.Queue
	spans *spans
}

// Destruct closes the queue.
func (p pooled) Destruct() error { return p.Close() }

// checkSamePlace returns an error if the queue of another place is open: its backlog
// and keys would stay behind.
func checkSamePlace(place queue.Place) (err error) {
	queues.Range(func(key, _ any) bool {
		switch other := key.(queue.Place); {
		case other == place:
		case other.String() == place.String():
			err = errors.New("webhooks: a reload cannot change a DSN of `queue postgres`; restart Caddy")
		default:
			err = fmt.Errorf("webhooks: a reload cannot change `queue` from %s to %s; restart Caddy", other, place)
		}
		return err == nil
	})
	return err
}

// Interface guards
var (
	_ caddyevents.Handler = (*Service)(nil)
	_ queue.Observer      = (*Service)(nil)
)
