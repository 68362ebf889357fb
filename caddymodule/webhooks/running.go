package webhooks

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// ErrNotRunning is the error before the first configuration runs, and while Caddy
// shuts down.
var ErrNotRunning = errors.New("no configuration is running; try again in a moment")

// RunningQueue returns the queue of the running configuration, nil if none of its
// handlers has destinations.
func RunningQueue() (*queue.Queue, error) {
	app, err := runningApp()
	if app == nil || err != nil {
		return nil, err
	}
	return app.openQueue(), nil
}

// RunningJournal returns the journal of the running configuration. It has no blocks if
// that has no `webhooks` handler.
func RunningJournal() (*journal.Journal, error) {
	app, err := runningApp()
	if err != nil {
		return nil, err
	}
	if app == nil {
		return journal.New(nil, journal.NewMemory(time.Now), nil), nil
	}
	return app.journal(), nil
}

// journal returns the journal of this configuration.
func (a *App) journal() *journal.Journal {
	return journal.New(a.openQueue(), a.memory, a.blocks)
}

// runningApp returns the app of the running configuration, nil if that has none.
//
// The context that Caddy provisions an admin module with does not serve for that:
// that module serves requests while the apps of its configuration are still being
// made, which would race with them, and goes on if that configuration fails to load
// and the one before stays.
func runningApp() (*App, error) {
	running := caddy.ActiveContext()
	if running.Context == nil {
		return nil, ErrNotRunning
	}
	app, err := running.AppIfConfigured("webhooks")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}
