package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/delivery"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// maxConcurrency is the maximum of `concurrency`: each attempt holds a connection and
// an event in memory.
const maxConcurrency = 1000

// destinationName matches the name of a destination: a label of metrics, an argument
// of commands and a segment of the API's paths.
var destinationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Destination gets events of a handler from the queue. They are stored before the
// provider is answered, and tried until the destination takes them or its attempts
// are used up. Each destination has its own progress, attempts and backlog.
type Destination struct {
	// The name under which progress is stored, and which commands, metrics and logs
	// use: 1 to 64 letters, digits, `_`, `.` and `-`. Names are unique in the whole
	// configuration. A new name receives only new events; the backlog of a name that
	// has gone is kept until the name returns or is forgotten. Required.
	Name string `json:"name"`

	// Patterns of the canonical types that it takes, `*` as a whole segment or the
	// tail, such as `message.*`. Other events are skipped. Only with the format
	// `cloudevents`. Default: all.
	Types []string `json:"types,omitempty"`

	// Conditions on the envelope, all of which must hold. Other events are skipped. Only
	// with the format `cloudevents`. Default: none.
	When []envelope.Condition `json:"when,omitempty"`

	// The maximum number of attempts before an event becomes a dead letter, at least
	// 1. Default: 24.
	Attempts int `json:"attempts,omitempty"`

	// The waits between attempts. Default: from 5s to 6h, which with 24 attempts is
	// two days in all.
	Backoff Backoff `json:"backoff,omitzero"`

	// The time after which an attempt without an answer is ended; it counts as failed.
	// Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The maximum number of attempts at a time, 1 to 1000. Default: 16.
	Concurrency int `json:"concurrency,omitempty"`

	// The maximum number of attempts that begin per unit of time. Default: no limit.
	Rate *Rate `json:"rate,omitempty"`

	// Deliver the events of one partition key one at a time, in the order of their
	// arrival. An event that fails holds up the later ones of its key until it is
	// delivered or a dead letter. Default: false.
	Ordered bool `json:"ordered,omitempty"`

	// The format of its events: `cloudevents` or `original`. Default: the handler's.
	Format string `json:"format,omitempty"`

	// The keys that sign each attempt as Standard Webhooks, in the form
	// `whsec_<base64>`. With several, all signatures are sent. Placeholders are
	// resolved when the configuration loads. Default: the handler's.
	SigningKeys []string `json:"signing_keys,omitempty"`

	// The routes that each attempt runs through, usually one with a `reverse_proxy`.
	// An event is delivered when they answer 2xx. Required.
	To caddyhttp.RouteList `json:"to,omitempty"`

	filter queue.Filter

	// In a Caddyfile: the block, and its `to`.
	block block
	to    *blocks.Line
}

// Backoff is the wait between two attempts: it begins with First and doubles up to
// Max. Each wait is shortened at random by up to half, so that events that failed
// together do not come back together.
type Backoff struct {
	// The wait after the first attempt. Default: 5s.
	First caddy.Duration `json:"first,omitempty"`

	// The longest wait, also if a destination asks for a longer one in `Retry-After`.
	// Default: 6h.
	Max caddy.Duration `json:"max,omitempty"`
}

// Rate is a number per unit of time.
type Rate struct {
	// The number, at least 1.
	N int `json:"n"`

	// The unit, such as 1s.
	Per caddy.Duration `json:"per"`
}

// String names the destination in errors.
func (d *Destination) String() string {
	if destinationName.MatchString(d.Name) {
		return "destination " + d.Name
	}
	return fmt.Sprintf("destination %.80q", d.Name)
}

// setDefaults fills in every setting that is not there; format is the handler's.
func (d *Destination) setDefaults(format string) {
	d.Format = cmp.Or(d.Format, format)
	d.Attempts = cmp.Or(d.Attempts, queue.DefaultAttempts)
	d.Timeout = cmp.Or(d.Timeout, caddy.Duration(queue.DefaultTimeout))
	d.Backoff.First = cmp.Or(d.Backoff.First, caddy.Duration(queue.DefaultFirst))
	d.Backoff.Max = cmp.Or(d.Backoff.Max, caddy.Duration(queue.DefaultMax))
	d.Concurrency = cmp.Or(d.Concurrency, queue.DefaultConcurrency)
}

// validate checks the settings, with their defaults.
func (d *Destination) validate() error {
	if !destinationName.MatchString(d.Name) {
		return errors.New("a name has 1 to 64 letters, digits, `_`, `.` and `-`, and begins with a letter or a digit")
	}
	if err := d.validateFilter(); err != nil {
		return err
	}
	first, longest := time.Duration(d.Backoff.First), time.Duration(d.Backoff.Max)
	hasHandler := func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 }
	switch {
	case d.Attempts < 1:
		return wrong("attempts", "`attempts` must be at least 1")
	case time.Duration(d.Timeout) < time.Millisecond:
		return wrong("timeout", "`timeout` must be at least 1ms; a number without a unit in JSON is in nanoseconds")
	case first < 0 || longest < 0:
		return wrong("backoff", "the durations of `backoff` must be positive")
	case first > longest:
		return wrong("backoff", "the first wait of `backoff`, %s, is longer than the longest, %s; put the shorter one first", first, longest)
	case d.Concurrency < 1 || d.Concurrency > maxConcurrency:
		return wrong("concurrency", "`concurrency` must be from 1 to %d", maxConcurrency)
	case d.Rate != nil && (d.Rate.N < 1 || d.Rate.Per <= 0):
		return wrong("rate", "`rate` must be at least 1 per unit of time, such as 10/s; for no limit, leave it out")
	case !slices.ContainsFunc(d.To, hasHandler):
		return wrong("to", "a `to` block with handlers, such as reverse_proxy, is required")
	}
	return nil
}

// provision makes the handlers of `to` ready, and returns the destination as the
// queue sees it.
func (d *Destination) provision(ctx caddy.Context, h *Handler) (queue.Destination, error) {
	attempt, err := d.delivery(h)
	if err != nil {
		return queue.Destination{}, err
	}
	inside := ctx
	inside.Context = context.WithValue(ctx.Context, insideToKey{}, true)
	if err := d.To.Provision(inside); err != nil {
		return queue.Destination{}, err
	}
	attempt.Server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if attempt.Server == nil {
		attempt.Server = new(caddyhttp.Server) // reverse_proxy reads it
	}
	last := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	attempt.Chain = d.To.Compile(last)

	d.filter = d.newFilter(h.Source)
	q := queue.Destination{
		Name:        d.Name,
		Filter:      d.filter,
		Attempts:    d.Attempts,
		Backoff:     queue.Backoff{First: time.Duration(d.Backoff.First), Max: time.Duration(d.Backoff.Max)},
		Timeout:     time.Duration(d.Timeout),
		Concurrency: d.Concurrency,
		Ordered:     d.Ordered,
		Deliver:     attempt.Attempt,
	}
	if d.Rate != nil {
		q.Rate = queue.Rate{N: d.Rate.N, Per: time.Duration(d.Rate.Per)}
	}
	return q, nil
}

// delivery returns the value that makes attempts, without its handlers. A
// destination without keys has the handler's.
func (d *Destination) delivery(h *Handler) (*delivery.Destination, error) {
	attempt := &delivery.Destination{Format: d.Format, Signer: h.receiver.Signer}
	if len(d.SigningKeys) == 0 {
		return attempt, nil
	}
	signing, err := resolveAll("sign", d.SigningKeys)
	if err != nil {
		return nil, err
	}
	warnOfMistakes(h.logger, h.Provider, "sign", d.SigningKeys, signing)
	if attempt.Signer, err = envelope.NewSigner(signing); err != nil {
		return nil, wrong("sign", "`sign`: %w", err)
	}
	return attempt, nil
}
