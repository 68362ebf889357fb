// Package console is the handler `webhooks_console`: pages on which operators see what
// the gateway received, delivered and refused, and replay, discard and pause.
package console

import (
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler serves the console of this gateway: its events, destinations, dead letters
// and refusals. Authentication goes before it: a request without a user, in the
// placeholder `{http.auth.user.id}`, or a verified client certificate gets 403. The log
// names the user who replays, discards or pauses.
//
// It works under any path, stripped (`handle_path`) or not (`handle`).
type Handler struct {
	// Serve the console to anyone who reaches it. Bodies of events hold personal data,
	// and everyone can then read, replay and discard them. Default: false.
	Insecure bool `json:"insecure,omitempty"`

	ending  <-chan struct{} // closed when the server of this handler shuts down
	process *process
	source  func() (reader, error)
	log     func() *zap.Logger
	now     func() time.Time

	patience time.Duration // how long a page waits for the queue
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhooks_console",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up the handler.
func (h *Handler) Provision(ctx caddy.Context) (err error) {
	if h.Insecure {
		ctx.Logger().Warn("`insecure` serves the console to anyone who reaches it: they can read, replay and discard events")
	}
	h.ending = endOf(ctx)
	h.source, h.log, h.now, h.patience = runningSource, runningLog, time.Now, readTimeout
	h.process, err = openProcess()
	return err
}

// endOf returns a channel that is closed when the server that ctx belongs to begins to
// shut down. Caddy then waits for requests, and cancels ctx only after that.
func endOf(ctx caddy.Context) <-chan struct{} {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return ctx.Done()
	}
	ending := make(chan struct{})
	end := sync.OnceFunc(func() { close(ending) })
	server.RegisterOnShutdown(end)
	return ending
}

// runningLog returns the logger of the running configuration. A job can outlive that
// in which it began.
func runningLog() *zap.Logger { return caddy.ActiveContext().Logger(Handler{}) }

// Cleanup ends what runs in the background, unless another handler goes on with it.
func (h *Handler) Cleanup() error {
	if h.process == nil {
		return nil
	}
	return closeProcess()
}

// ServeHTTP serves one page, or makes one change.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	v := &visit{Handler: h, w: w, r: r, route: parseRoute(r.URL.Path)}
	v.serve()
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
