// Package webhooks is the configuration: the `webhooks` directive, the app with the
// global options, their defaults, rules and lifecycle. It serves no request; package
// ingress does that.
package webhooks

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/ingress"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// DefaultMaxBody is the size of the largest body by default, in bytes.
const DefaultMaxBody = 1 << 20

// Handler receives the webhooks of one provider. It proves who sent a request,
// splits it into events, and lets each event through once: to the next handler, as a
// CloudEvents envelope, or to a durable queue, which delivers it to destinations.
//
// It sets these placeholders for the handlers and logs after it:
//
// Placeholder | Description
// ------------|------------
// `{http.webhooks.provider}` | The name of the provider
// `{http.webhooks.id}` | The id of the event in its envelope, as the provider gave it
// `{http.webhooks.message_id}` | The name of the event in commands and API: `msg_` and 32 letters and digits
// `{http.webhooks.type}` | The canonical type of the event
// `{http.webhooks.subject}` | The subject of the event
// `{http.webhooks.outcome}` | The result of the request: `accepted`, `duplicate`, `handshake`, or the reason for its refusal
type Handler struct {
	// The name of the provider: a built-in one, as `caddy webhooks providers` lists
	// them, or one of your own. Required.
	Provider string `json:"provider"`

	// The keys that the provider signs with. Any of them may match, so that a key can be
	// rotated. Placeholders are resolved when the configuration loads; an empty one is an
	// error.
	Secrets []string `json:"secrets,omitempty"`

	// The public keys of a provider that signs with a private one. Any of them may match.
	// Placeholders are resolved when the configuration loads.
	PublicKeys []string `json:"public_keys,omitempty"`

	// The tokens that the provider presents. Any of them may match. Placeholders are
	// resolved when the configuration loads.
	Tokens []string `json:"tokens,omitempty"`

	// A user name and password that the provider must send.
	BasicAuth *BasicAuth `json:"basic_auth,omitempty"`

	// Headers that the provider must send, each with its value.
	Headers []StaticHeader `json:"headers,omitempty"`

	// Accept unauthenticated requests. Anyone who knows the URL can then forge events.
	// Default: false.
	Unverified bool `json:"unverified,omitempty"`

	// The maximum age of a signed timestamp, and how far in the future it may be. Only
	// for providers that sign one. Default: that of the provider's file, or 5m.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// The URL of the handler as the provider reaches it, for providers that sign it.
	// Scheme, host and path count; the query is that of each request. Placeholders are
	// resolved when the configuration loads. Default: as Caddy knows the URL of the
	// request, through trusted proxies if there are any.
	URL string `json:"url,omitempty"`

	// The maximum size of a body, in bytes. A request with a larger one is refused
	// with 413. Default: 1048576 (1 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// The CloudEvents source of the events, a URI reference, and the scope in which an
	// event is a duplicate. Handlers with one source share deduplication and must be
	// equal; give handlers in front of different applications a source each.
	// Default: `/webhooks/` and the name of the provider.
	Source string `json:"source,omitempty"`

	// How long, and how many, accepted events are remembered.
	Dedup *Dedup `json:"dedup,omitempty"`

	// The format of events for the next handler, and for each destination without a
	// format of its own: `cloudevents`, one envelope per event; or `original`, the
	// provider's own bytes, one request per request. Default: cloudevents.
	Format string `json:"format,omitempty"`

	// The keys that sign the forwarded request as Standard Webhooks, in the form
	// `whsec_<base64>`. With several, all signatures are sent. Placeholders are
	// resolved when the configuration loads. Default: not signed.
	SigningKeys []string `json:"signing_keys,omitempty"`

	// The destinations that events are delivered to from the queue. With any, the
	// provider is answered once an event is on disk, and the next handler gets
	// nothing. Default: none; the next handler is the destination, and the provider
	// waits for its answer.
	Destinations []*Destination `json:"destinations,omitempty"`

	// The subscription that `caddy webhooks subscriptions` keeps at the provider, if
	// the provider has an API for it. It has no effect on requests.
	Subscribe *Subscribe `json:"subscribe,omitempty"`

	app      *App
	logger   *zap.Logger
	provider *provider.Provider
	receiver *ingress.Receiver

	block block // in a Caddyfile
}

// BasicAuth is a user name and password.
type BasicAuth struct {
	// The user name. Placeholders are resolved when the configuration loads.
	Username string `json:"username"`

	// The password. Placeholders are resolved when the configuration loads.
	Password string `json:"password"`
}

// StaticHeader is a header with a value that proves the sender.
type StaticHeader struct {
	// The name of the header.
	Name string `json:"name"`

	// The value. Placeholders are resolved when the configuration loads.
	Value string `json:"value"`
}

// Dedup is how long and how many accepted events are remembered: in memory, across
// reloads but not across restarts; with a destination, on disk beside the events.
type Dedup struct {
	// Let every event through, however often it comes. Default: false.
	Off bool `json:"off,omitempty"`

	// How long an accepted event is remembered. Default: that of the provider's file, or
	// 24h; 5m for a provider whose events are identified by their content only.
	Window caddy.Duration `json:"window,omitempty"`

	// How many events are remembered; the oldest are forgotten first. An entry takes
	// about 120 bytes. Only without destinations: keys on disk need no such bound.
	// Default: 500000.
	Entries int `json:"entries,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhooks",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up the handler.
func (h *Handler) Provision(ctx caddy.Context) error {
	if ctx.Value(insideToKey{}) != nil {
		return errInsideTo
	}
	app, err := ctx.App("webhooks")
	if err != nil {
		return err
	}
	if err := h.provision(app.(*App), ctx.Logger()); err != nil {
		return err
	}
	if err := h.provisionDestinations(ctx); err != nil {
		return h.named(err)
	}
	return nil
}

// ProvisionAlone sets up a handler outside of a configuration: without destinations,
// logs and the other handlers. own are providers beside the built-in ones, and now
// returns the time.
func (h *Handler) ProvisionAlone(own map[string]*provider.Provider, now func() time.Time) error {
	app, err := newLoneApp(own)
	if err != nil {
		return err
	}
	if err = h.provision(app, zap.NewNop()); err != nil {
		return err
	}
	h.receiver.Now = now
	return nil
}

// provision sets up everything but the destinations' handlers. The rules are checked
// first, because the rest relies on them.
func (h *Handler) provision(app *App, logger *zap.Logger) (err error) {
	h.app, h.logger = app, logger
	if h.provider, err = provider.Find(h.Provider, app.providers); err != nil {
		return err
	}
	if err := h.Complete(h.provider); err != nil {
		return err
	}
	if err := app.claim(h); err != nil {
		return err
	}
	if err := h.provisionReceiver(); err != nil {
		return h.named(err)
	}
	app.addBlock(h)
	return nil
}

// named adds the handler's name to an error.
func (h *Handler) named(err error) error { return fmt.Errorf("webhooks %s: %w", h.Provider, err) }

// provisionReceiver makes the value that serves requests.
func (h *Handler) provisionReceiver() error {
	credentials, err := h.resolveCredentials()
	if err != nil {
		return err
	}
	h.receiver = &ingress.Receiver{
		Provider: h.provider, Source: h.Source, MaxBody: h.MaxBody, Format: h.Format,
		Credentials: h.credentialPlaces(),
		URL:         credentials.url,
		ReadsURL:    h.provider.ReadsURL(),
		Dedup:       h.dedupSettings(),
		Metrics:     h.app.requests, Handling: h.app.requests.Handling(h.Provider),
		Refusals: h.app.refusals, Logger: h.logger,
		Journal: h.app.memory.OpenBlock(h.Provider, h.Source),
		Now:     time.Now,
	}
	h.app.exposed.add(h.Provider, h.receiver.Credentials)
	if h.Unverified {
		h.logger.Warn("`unverified` accepts unauthenticated requests: anyone who knows the URL can forge events",
			zap.String("provider", h.Provider), zap.String("source", h.Source))
	}
	if h.receiver.Signer, err = envelope.NewSigner(credentials.signing); err != nil {
		return wrong("sign", "`sign`: %w", err)
	}
	if err = h.provisionProof(credentials); err != nil {
		return err
	}
	switch {
	case len(h.Destinations) > 0:
		h.receiver.Queue = h.ingressQueue()
	case !h.Dedup.Off:
		h.receiver.Memory, err = openMemory(h.Source, h.receiver.Dedup)
	}
	return err
}

// dedupSettings returns the settings of the memory of accepted events.
func (h *Handler) dedupSettings() dedup.Settings {
	return dedup.Settings{
		Window:      time.Duration(h.Dedup.Window),
		Entries:     h.Dedup.Entries,
		KeepAnswers: h.provider.Spec().Reply.Answer,
	}
}

// ingressQueue returns the queue as the receiver sees it.
func (h *Handler) ingressQueue() *ingress.Queue {
	q := &ingress.Queue{
		Store:        h.app.service.Store,
		WholeRequest: h.keepsRequests(h.provider),
		IsRouted:     h.isRouted,
		Unrouted:     h.app.unrouted,
	}
	if !h.Dedup.Off {
		q.Window = time.Duration(h.Dedup.Window)
	}
	return q
}

// isRouted reports whether a destination takes an event.
func (h *Handler) isRouted(e *queue.Event) bool {
	return slices.ContainsFunc(h.Destinations, func(d *Destination) bool { return d.filter.Takes(e) })
}

// provisionDestinations makes the destinations ready, and adds them to the queue,
// unless an equal handler has.
func (h *Handler) provisionDestinations(ctx caddy.Context) error {
	isFirst := h.app.claims.isFirst(h)
	for _, d := range h.Destinations {
		q, err := d.provision(ctx, h)
		if err != nil {
			return &destinationError{d, err}
		}
		if isFirst {
			d.warnOfTypes(h)
			h.app.service.Add(q)
		}
	}
	return nil
}

// Cleanup releases the memory of accepted events, and that of the journal. They stay for
// the handler that takes this one's place in a reload.
func (h *Handler) Cleanup() error {
	if h.receiver == nil {
		return nil
	}
	h.receiver.Journal.Close()
	if h.receiver.Memory == nil {
		return nil
	}
	return closeMemory(h.Source)
}

// ServeHTTP serves one request of the provider.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return h.receiver.ServeHTTP(w, r, next)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
