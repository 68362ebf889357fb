// Package ingress serves one request of a provider: it reads and verifies it,
// answers a handshake, splits it into events, and hands these over, directly to the
// next handler or to the queue.
package ingress

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/journal"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Receiver serves the requests of one provider. Its fields are set before the first
// request and do not change.
type Receiver struct {
	// Provider is the provider that sends.
	Provider *provider.Provider

	// Source is the CloudEvents source of the events, and the scope in which an event
	// is a duplicate.
	Source string

	// MaxBody is the size of the largest body, in bytes.
	MaxBody int64

	// Format is the format of the events that the next handler gets.
	Format string

	// Verifier proves who sent a request: the provider's own proof first.
	Verifier verify.All

	// Challengers prove who sent the GET of a handshake, by the query parameter of its
	// token.
	Challengers map[string]verify.Verifier

	// Sign returns the MAC of a text with one of the secrets, for the answer to a
	// handshake; nil if the provider does not sign. The MAC is nil if there is none.
	Sign func(ordinal int, text []byte) []byte

	// URL is the public URL, without placeholders. "": that of each request.
	URL string

	// ReadsURL is whether the provider reads the public URL.
	ReadsURL bool

	// Credentials are the places in a request that the proof comes from.
	Credentials Credentials

	// Signer signs the events that the next handler gets. With a nil one they are not
	// signed.
	Signer *envelope.Signer

	// Memory remembers accepted events; nil if nothing is remembered, or if the queue
	// does.
	Memory *dedup.Memory

	// Dedup are the settings of Memory.
	Dedup dedup.Settings

	// Queue stores the events. Without one, the next handler gets them.
	Queue *Queue

	// Metrics count requests and events.
	Metrics *Metrics

	// Handling observes the gateway's own work on each request, in seconds.
	Handling prometheus.Observer

	// Journal records the result of each request.
	Journal *journal.BlockMemory

	// Refusals logs refused requests.
	Refusals *RefusalLog

	// Logger logs each request, at the level debug.
	Logger *zap.Logger

	// Now returns the time.
	Now func() time.Time

	// applyDedup makes Memory follow Dedup when the first event comes: a configuration
	// that fails to load must not change what the running one remembers.
	applyDedup sync.Once
}

// Queue is where a Receiver stores events.
type Queue struct {
	// Store stores events, all of them or none, and reports which ones are new.
	Store func(ctx context.Context, events []*queue.Event) (isNew []bool, err error)

	// Window is how long a stored event makes others of its key duplicates; 0 for
	// not at all.
	Window time.Duration

	// WholeRequest makes a request one event, kept as it came: every destination gets the
	// original.
	WholeRequest bool

	// IsRouted reports whether a destination takes an event.
	IsRouted func(e *queue.Event) bool

	// Unrouted logs events that no destination takes.
	Unrouted *UnroutedLog
}

// ServeHTTP serves one request of the provider. It implements
// caddyhttp.MiddlewareHandler.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	x := rc.begin(w, r, next)
	defer func() { err = x.end(err) }()

	if err = x.read(); err != nil {
		return err
	}
	if r.Method != http.MethodPost {
		return x.tryURL()
	}
	if err = x.verify(rc.Verifier); err != nil {
		return x.unlessUnproved(err)
	}
	answered, err := x.handshake()
	if answered || err != nil {
		return err
	}
	events, err := x.split()
	switch {
	case err != nil:
		return err
	case len(events) == 0:
		return x.acknowledge(outcomeHandshake)
	case rc.Queue != nil:
		return x.store(events)
	case len(events) == 1 || rc.Format == envelope.FormatOriginal:
		return x.forward(x.only(events))
	default:
		return x.forwardBatch(events)
	}
}

// methods lists the methods that are served, for the header Allow.
func (rc *Receiver) methods() string { return strings.Join(rc.Provider.Methods(), ", ") }

// passesAnswers reports whether the provider reads the application's answer.
func (rc *Receiver) passesAnswers() bool { return rc.Provider.Spec().Reply.Answer }

// keepsRequests reports whether requests are handed over as they came.
func (rc *Receiver) keepsRequests() bool {
	if rc.Queue != nil {
		return rc.Queue.WholeRequest
	}
	return rc.Format == envelope.FormatOriginal
}

// answersItself reports whether the provider gets the gateway's answer instead of the
// application's 2xx.
func (rc *Receiver) answersItself() bool {
	reply := rc.Provider.Spec().Reply
	_, isConstant := reply.Constant()
	return reply.Token || isConstant
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Receiver)(nil)
