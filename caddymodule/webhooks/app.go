package webhooks

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/delivery"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is shared by the `webhooks` handlers of a configuration: providers of your own,
// the queue, metrics, and the check that no two handlers swallow each other's events.
// It needs no configuration.
type App struct {
	// Providers of your own, beside the built-in ones. A handler refers to one by its
	// name.
	Providers []*provider.Spec `json:"providers,omitempty"`

	// The queue that keeps events until they are delivered. Default: SQLite, in
	// `webhooks/queue.db` in Caddy's data directory.
	Queue *QueueConfig `json:"queue,omitempty"`

	// How long, and how many bytes of, delivered events are kept for a replay.
	// Default: 7d and 1 GiB.
	Retention *Retention `json:"retention,omitempty"`

	logger        *zap.Logger
	providers     map[string]*provider.Provider
	queueSettings queue.Settings
	requests      *ingress.Metrics
	refusals      *ingress.RefusalLog
	unrouted      *ingress.UnroutedLog
	service       *delivery.Service
	memory        *journal.Memory
	blocks        []journal.BlockConfig
	recall        *recall
	claims        *claims
	exposed       *exposure
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "webhooks",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision compiles the providers, resolves the settings of the queue, and registers
// the metrics. It opens nothing: `caddy validate` comes here, too.
func (a *App) Provision(ctx caddy.Context) (err error) {
	a.prepare(ctx.Logger())
	if a.memory, err = openJournal(); err != nil {
		return err
	}
	if a.providers, err = provider.CompileAll(a.Providers); err != nil {
		return err
	}
	a.warnOfUnsigned()
	if a.queueSettings, err = a.QueueSettings(); err != nil {
		return err
	}
	if a.requests, err = ingress.NewMetrics(ctx.GetMetricsRegistry(), a.memory); err != nil {
		return err
	}
	if a.service, err = delivery.NewService(ctx, a.logger, a.memory); err != nil {
		return err
	}
	return a.service.RegisterMetrics(ctx.GetMetricsRegistry(), a.reportedQueue)
}

// warnOfUnsigned warns about providers of the user's own whose signature covers the body,
// but not all that their events are identified by. The built-in ones cannot do better.
func (a *App) warnOfUnsigned() {
	for _, p := range a.Providers {
		if parts := a.providers[p.Name].Unsigned(); parts != nil {
			a.logger.Warn("the signature does not cover all that identifies an event; a captured request can be sent again as another event, or as one of another type",
				zap.String("provider", p.Name), zap.Strings("unsigned", parts))
		}
	}
}

// prepare makes everything that does not depend on the configuration.
func (a *App) prepare(logger *zap.Logger) {
	a.logger = logger
	a.refusals = ingress.NewRefusalLog(logger)
	a.unrouted = ingress.NewUnroutedLog(logger)
	a.claims = newClaims()
	a.exposed = new(exposure)
	a.recall = new(recall)
}

// newLoneApp returns an app for a handler outside of a configuration.
func newLoneApp(own map[string]*provider.Provider) (*App, error) {
	a := &App{providers: own, memory: journal.NewMemory(time.Now)}
	a.prepare(zap.NewNop())
	var err error
	a.requests, err = ingress.NewMetrics(prometheus.NewRegistry(), a.memory)
	return a, err
}

// Start opens the queue, if a handler has destinations or `queue` is configured, and
// begins to deliver.
func (a *App) Start() error {
	a.exposed.warn(a.logger)
	if !a.service.HasDestinations() && a.Queue == nil {
		return nil
	}
	if err := a.service.Start(a.queueSettings); err != nil {
		return err
	}
	a.recall.start(a.journal())
	return nil
}

// Stop ends the deliveries, and logs the numbers of refusals and of unrouted events that
// the sampling left out.
func (a *App) Stop() error {
	a.recall.stop()
	a.service.Stop()
	a.refusals.Stop()
	a.unrouted.Stop()
	return nil
}

// Cleanup releases the queue, and the journal's memory.
func (a *App) Cleanup() error {
	if a.memory == nil {
		return nil // Provision failed
	}
	a.recall.stop() // Caddy may have left Stop out
	var err error
	if a.service != nil {
		err = a.service.Cleanup()
	}
	return errors.Join(err, closeJournal())
}

// openQueue returns the queue, nil if this configuration has none open.
func (a *App) openQueue() *queue.Queue {
	if a.service == nil {
		return nil
	}
	return a.service.Queue()
}

// reportedQueue returns the queue for metrics. Caddy keeps the collectors of a
// configuration that failed to load, although the one before goes on.
func (a *App) reportedQueue() *queue.Queue {
	if q := a.openQueue(); q != nil {
		return q
	}
	q, _ := RunningQueue()
	return q
}

// Interface guards
var (
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ caddy.App          = (*App)(nil)
)
