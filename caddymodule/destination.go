package caddymodule

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// maxConcurrency is how many attempts at a time may be asked for: each holds a
// connection and an event in memory.
const maxConcurrency = 1000

// destinationName is what a name may be: it is a label of metrics, an argument of
// commands and a segment of the API's paths.
var destinationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Destination is a destination of the events of a handler. They are stored before
// the provider is answered, and tried until the destination takes them or its
// attempts are used up. Its own progress, attempts and backlog make it
// independent of the others.
type Destination struct {
	// What its progress is kept under, and what commands, metrics and logs call
	// it: 1 to 64 letters, digits, `_`, `.` and `-`. It is unique in the whole
	// configuration. Another name is another destination, which starts with the
	// next event; what the old one has not delivered stays until that name returns
	// or is forgotten. Required.
	Name string `json:"name"`

	// Patterns of the canonical types that it takes, `*` as a whole segment or
	// the tail, such as `message.*`. Events of other types pass it by. Only with
	// the format `cloudevents`. Default: all.
	Types []string `json:"types,omitempty"`

	// How often an event is tried before it is a dead letter, at least 1.
	// Default: 24.
	Attempts int `json:"attempts,omitempty"`

	// How long to wait between two attempts. Default: from 5s to 6h, which with 24
	// attempts is two days in all.
	Backoff Backoff `json:"backoff,omitzero"`

	// What ends an attempt that has got no answer; it counts as failed.
	// Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many attempts go on at a time, 1 to 1000. Default: 16.
	Concurrency int `json:"concurrency,omitempty"`

	// How many attempts begin per unit of time. Default: no limit.
	Rate *Rate `json:"rate,omitempty"`

	// Deliver the events of one partition key one at a time and in the order of
	// their arrival. An event that fails holds up the later ones of its key until
	// it is delivered or a dead letter. Default: in no particular order.
	Ordered bool `json:"ordered,omitempty"`

	// What it gets: `cloudevents` or `original`. Default: the handler's.
	Format string `json:"format,omitempty"`

	// The keys with which each attempt is signed as Standard Webhooks, in the form
	// `whsec_<base64>`. With several, all signatures are sent. Placeholders are
	// resolved when the configuration loads. Default: the handler's.
	Sign []string `json:"signing_keys,omitempty"`

	// The routes that each attempt runs through, usually one with a
	// `reverse_proxy`. What they answer decides: 2xx is delivered. Required.
	To caddyhttp.RouteList `json:"to,omitempty"`

	signer *envelope.Signer
	chain  caddyhttp.Handler // To
	server *caddyhttp.Server // that the chain sees

	// block is what stands in the Caddyfile, and toBlock its `to`; nil in JSON.
	block, toBlock *caddyfile.Dispenser
}

// Backoff is how long to wait between two attempts: it begins with First and
// doubles up to Max, and each wait is shortened at random by up to half, so that
// what failed together does not come back together.
type Backoff struct {
	// The wait after the first attempt. Default: 5s.
	First caddy.Duration `json:"first,omitempty"`

	// The longest wait, also for a destination that asks for a longer one in
	// `Retry-After`. Default: 6h.
	Max caddy.Duration `json:"max,omitempty"`
}

// Rate is a number per unit of time.
type Rate struct {
	// The number, at least 1.
	N int `json:"n"`

	// The unit, such as 1s.
	Per caddy.Duration `json:"per"`
}

// String names it in errors.
func (d *Destination) String() string {
	if destinationName.MatchString(d.Name) {
		return "destination " + d.Name
	}
	return fmt.Sprintf("destination %.80q", d.Name)
}

// destinationError is what is wrong with one destination.
type destinationError struct {
	destination *Destination
	err         error
}

func (e *destinationError) Error() string { return e.destination.String() + ": " + e.err.Error() }

func (e *destinationError) Unwrap() error { return e.err }

func (e *destinationError) firstLine() *caddyfile.Dispenser { return e.destination.firstLine() }

// completeDestinations checks the destinations and fills in their defaults.
func (h *Handler) completeDestinations(p *provider.Provider) error {
	if len(h.Destinations) > 0 && p.Spec().Reply == provider.ReplyAnswer {
		return fmt.Errorf("%s reads the application's answer, which is not there yet when an event is queued; "+
			"remove `destination`, and let the next handler be the application", h.Provider)
	}
	names := make(map[string]bool, len(h.Destinations))
	for _, d := range h.Destinations {
		if d == nil {
			return errors.New("a `destination` is null; remove it")
		}
		if err := d.complete(h.Format); err != nil {
			return &destinationError{d, err}
		}
		if names[d.Name] {
			return &destinationError{d, errors.New("it stands in this block twice; names are unique in a configuration, give one another name")}
		}
		names[d.Name] = true
		if p.IsBatch() && d.Format != h.Destinations[0].Format {
			return errMixedBatch
		}
	}
	return nil
}

// complete checks the settings and fills in the defaults; format is the
// handler's.
func (d *Destination) complete(format string) error {
	if !destinationName.MatchString(d.Name) {
		return errors.New("its name is 1 to 64 letters, digits, `_`, `.` and `-`, and begins with a letter or a digit")
	}
	d.Format = cmp.Or(d.Format, format)
	for _, step := range []func() error{d.checkEvents, d.completeTries, d.completePace, d.checkTo} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkEvents checks what it takes, and in which form.
func (d *Destination) checkEvents() error {
	if err := checkFormat(d.Format); err != nil {
		return err
	}
	if len(d.Types) > 0 && d.Format == formatOriginal {
		return errors.New("`types` selects events, and `format original` is a whole request; remove `types`, or say `format cloudevents`")
	}
	for _, pattern := range d.Types {
		if _, err := envelope.ParseTypePattern(pattern); err != nil {
			return fmt.Errorf("`types`: %w", err)
		}
	}
	return nil
}

// completeTries completes how often, when and how long it is tried.
func (d *Destination) completeTries() error {
	d.Attempts = cmp.Or(d.Attempts, queue.DefaultAttempts)
	d.Timeout = cmp.Or(d.Timeout, caddy.Duration(queue.DefaultTimeout))
	d.Backoff.First = cmp.Or(d.Backoff.First, caddy.Duration(queue.DefaultFirst))
	d.Backoff.Max = cmp.Or(d.Backoff.Max, caddy.Duration(queue.DefaultMax))
	first, longest := time.Duration(d.Backoff.First), time.Duration(d.Backoff.Max)
	switch {
	case d.Attempts < 1:
		return errors.New("`attempts` is at least 1")
	case d.Timeout < 0:
		return errors.New("`timeout` must be positive")
	case first < 0 || longest < 0:
		return errors.New("the durations of `backoff` must be positive")
	case first > longest:
		return fmt.Errorf("`backoff` begins with %s, which is longer than its longest wait of %s; put the shorter one first", first, longest)
	}
	return nil
}

// completePace completes how much goes on at a time.
func (d *Destination) completePace() error {
	d.Concurrency = cmp.Or(d.Concurrency, queue.DefaultConcurrency)
	if d.Concurrency < 1 || d.Concurrency > maxConcurrency {
		return fmt.Errorf("`concurrency` is 1 to %d", maxConcurrency)
	}
	if d.Rate != nil && (d.Rate.N < 1 || d.Rate.Per <= 0) {
		return errors.New("`rate` is at least 1 per unit of time, such as 10/s; leave it out for no limit")
	}
	return nil
}

func (d *Destination) checkTo() error {
	hasHandler := func(r caddyhttp.Route) bool { return len(r.HandlersRaw) > 0 }
	if !slices.ContainsFunc(d.To, hasHandler) {
		return errors.New("a `to` block with handlers, such as reverse_proxy, is missing")
	}
	return nil
}

// onlyOriginals reports whether all that is handed over are the provider's own
// bytes.
func (h *Handler) onlyOriginals() bool {
	if len(h.Destinations) == 0 {
		return h.Format == formatOriginal
	}
	return !slices.ContainsFunc(h.Destinations, func(d *Destination) bool { return d.Format != formatOriginal })
}

// provisionDestinations resolves the keys of the destinations; those without take
// the handler's.
func (h *Handler) provisionDestinations() error {
	for _, d := range h.Destinations {
		d.signer = h.signer
		if len(d.Sign) == 0 {
			continue
		}
		signing, err := resolveAll("sign", d.Sign)
		if err != nil {
			return &destinationError{d, err}
		}
		if d.signer, err = envelope.NewSigner(signing); err != nil {
			return &destinationError{d, fmt.Errorf("`sign`: %w", err)}
		}
	}
	return nil
}

// destinationConflictError says that two handlers, named by where they stand, have
// a destination of one name.
func destinationConflictError(d *Destination, first, second string) error {
	return fmt.Errorf("%s stands in two blocks: %s, and %s; names are unique in a configuration, give one another name", d, first, second)
}

// adaptedGroup is a group of routes as the Caddyfile adapter names it, by
// counting.
var adaptedGroup = regexp.MustCompile(`"group":"group\d+"`)

// settingsOf returns the settings of a handler by their names in JSON, for
// comparison. It is too late once a route is provisioned: that empties it.
func settingsOf(h *Handler) (map[string]any, error) {
	serving := *h
	serving.Subscribe = nil // changes nothing in how it serves
	text, err := json.Marshal(serving)
	if err != nil {
		return nil, err
	}
	// Equal blocks have unequal groups: the adapter counts through the whole file.
	groups := make(map[string]string)
	text = adaptedGroup.ReplaceAllFunc(text, func(group []byte) []byte {
		if groups[string(group)] == "" {
			groups[string(group)] = fmt.Sprintf(`"group":"group%d"`, len(groups))
		}
		return []byte(groups[string(group)])
	})
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a float64 has not all digits of a duration
	var settings map[string]any
	err = decoder.Decode(&settings)
	return settings, err
}
