package delivery

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

const (
	// emitTimeout is how long handlers of alerts may take when Caddy stops.
	emitTimeout = 5 * time.Second

	// maxAlerts is how many alerts may wait for their handlers.
	maxAlerts = 1000
)

// Names of the alerts.
const (
	alertDeadLetter      = "webhooks.dead_letter"
	alertDestinationDown = "webhooks.destination_down"
)

// alerts are emitted through Caddy's events app, without a delivery waiting for
// their handlers.
type alerts struct {
	ctx    caddy.Context
	app    *caddyevents.App
	logger *zap.Logger

	waiting chan alert
	stopped chan struct{} // closed when no more alerts come
	emitted sync.WaitGroup
}

// alert is one event for Caddy's events app.
type alert struct {
	name string
	data map[string]any
}

func newAlerts(ctx caddy.Context, app *caddyevents.App, logger *zap.Logger) *alerts {
	return &alerts{ctx: ctx, app: app, logger: logger, waiting: make(chan alert, maxAlerts), stopped: make(chan struct{})}
}

// start begins to emit; stop must follow.
func (a *alerts) start() { a.emitted.Go(a.emit) }

// send sends an alert. If too many wait already, it is logged instead.
func (a *alerts) send(name string, data map[string]any) {
	select {
	case a.waiting <- alert{name, data}:
	default:
		a.logger.Error("event handlers are too slow; an event was dropped", zap.String("event", name), zap.Any("data", data))
	}
}

// emit emits alerts until stop, and then those that wait.
func (a *alerts) emit() {
	for {
		select {
		case next := <-a.waiting:
			a.app.Emit(a.ctx, next.name, next.data)
		case <-a.stopped:
			if len(a.waiting) == 0 {
				return
			}
		}
	}
}

// stop waits for the handlers, but not for ever: Caddy waits, too.
func (a *alerts) stop() {
	close(a.stopped)
	done := make(chan struct{})
	go func() {
		a.emitted.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(emitTimeout):
		a.logger.Error("event handlers are too slow; some events were dropped")
	}
}
