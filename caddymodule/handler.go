// Package caddymodule is a Caddy module that receives webhooks: it proves who
// sent one, turns it into a CloudEvents envelope, lets each event through once,
// and hands it to the next handler.
package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func init() {
	caddy.RegisterModule(Handler{})
	httpcaddyfile.RegisterHandlerDirective("webhooks", parseDirective)
	// Before the handlers that answer or hand over: respond, reverse_proxy, handle
	// and route among them.
	httpcaddyfile.RegisterDirectiveOrder("webhooks", httpcaddyfile.Before, "invoke")
}

// DefaultMaxBody is the largest body that is read when nothing else is said, in
// bytes.
const DefaultMaxBody = 1 << 20

// Formats of what is forwarded.
const (
	formatCloudEvents = "cloudevents"
	formatOriginal    = "original"
)

// Handler receives the webhooks of one provider. It proves who sent a request,
// splits it into events, lets each event through once, and passes it to the
// next handler as a CloudEvents envelope; or stores it, and delivers it from
// there.
//
// It sets these placeholders for the handlers and logs after it:
//
// Placeholder | Description
// ------------|------------
// `{http.webhooks.provider}` | The name of the provider
// `{http.webhooks.id}` | The id of the event in its envelope
// `{http.webhooks.type}` | The canonical type of the event
// `{http.webhooks.subject}` | What the event is about
// `{http.webhooks.outcome}` | What became of the request: `accepted`, `duplicate`, `handshake`, or why it was refused
type Handler struct {
	// The provider that sends to this handler: a built-in one (`notifly`,
	// `wotnot`, `chatbot`, `ndoto`, `oneroute`) or one of your own. Required.
	Provider string `json:"provider"`

	// The keys that the provider signs with, or its public keys. Any may match,
	// so that a key can be rotated. Placeholders are resolved when the
	// configuration loads; an empty one is an error.
	Secrets []string `json:"secrets,omitempty"`

	// The tokens that the provider presents. Any may match. Placeholders are
	// resolved like those of secrets.
	Tokens []string `json:"tokens,omitempty"`

	// A user name and password that the provider was told to send.
	BasicAuth *BasicAuth `json:"basic_auth,omitempty"`

	// Headers that the provider was told to send, each with its value.
	Headers []StaticHeader `json:"headers,omitempty"`

	// Accept what nothing proves. Whoever knows the URL can then forge events.
	Unverified bool `json:"unverified,omitempty"`

	// The allowed age of a signed timestamp, past and future. Default: 5m. Only
	// for providers that sign one.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// The largest body, in bytes; a larger one is refused with 413.
	// Default: 1048576 (1 MiB).
	MaxBody int64 `json:"max_body,omitempty"`

	// The CloudEvents source of the events, a URI-reference, and the scope in
	// which an event is a duplicate. Handlers with one source must be equal, and
	// what one of them accepted is a duplicate for the others: give those in
	// front of different applications a source each.
	// Default: `/webhooks/` and the name of the provider.
	Source string `json:"source,omitempty"`

	// How long, and how many, accepted events are remembered.
	Dedup *Dedup `json:"dedup,omitempty"`

	// What the next handler gets, and each destination that has no format of its
	// own: `cloudevents`, one envelope per event; or `original`, the provider's
	// own bytes, one request per request. Default: cloudevents.
	Format string `json:"format,omitempty"`

	// The keys with which the forwarded request is signed as Standard Webhooks,
	// in the form `whsec_<base64>`. With several, all signatures are sent.
	// Placeholders are resolved like those of secrets. Default: not signed.
	Sign []string `json:"signing_keys,omitempty"`

	// Where events are delivered to from the queue. With any, the provider is
	// answered once an event is on disk, and the next handler gets nothing.
	// Default: none; the next handler is the destination, and the provider waits
	// for its answer.
	Destinations []*Destination `json:"destinations,omitempty"`

	// What the provider is to be told, if it has an API for that, by
	// `caddy webhooks subscriptions`. It changes nothing in how this handler
	// serves.
	Subscribe *Subscribe `json:"subscribe,omitempty"`

	app      *App
	provider *provider.Provider
	verifier verify.Verifier
	// challenger proves the GET of a challenge, which has a proof of its own.
	challenger verify.Verifier
	challenge  *verify.Handshake
	signer     *envelope.Signer
	memory     *dedup.Memory
	credential credentialPlaces
	methods    string // for the Allow header
	handling   prometheus.Observer
	number     int            // among the handlers of its configuration, from 1
	settings   map[string]any // as settingsOf returns them

	destinations []queue.Destination // of Destinations

	// applySettings makes memory follow this handler when its first event comes:
	// a configuration that fails to load must not change what the running one
	// remembers.
	applySettings *sync.Once
	now           func() time.Time
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

	// Its value. Placeholders are resolved when the configuration loads.
	Value string `json:"value"`
}

// Dedup is how long and how many accepted events are remembered. It is kept in
// memory, across reloads, but not across restarts; with a `destination`, on disk
// beside the events.
type Dedup struct {
	// Let every event through, also when it comes again.
	Off bool `json:"off,omitempty"`

	// How long. Default: 24h; 5m for a provider whose events are identified by
	// their content only.
	Window caddy.Duration `json:"window,omitempty"`

	// How many; the oldest are forgotten first. An entry takes about 120 bytes.
	// Only without a `destination`: keys on disk need no such bound. Default: 500000.
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
	app, err := ctx.App("webhooks")
	if err != nil {
		return err
	}
	if err := h.provision(app.(*App)); err != nil {
		return err
	}
	for _, d := range h.Destinations {
		if err := d.provisionTo(ctx); err != nil {
			return fmt.Errorf("webhooks %s: %w", h.Provider, err)
		}
		h.destinations = append(h.destinations, d.destination(h))
	}
	h.app.serving.add(h)
	return nil
}

// provision sets up the handler as part of app.
func (h *Handler) provision(app *App) (err error) {
	h.app = app
	h.now = time.Now
	h.applySettings = new(sync.Once)
	if h.provider, err = findProvider(h.Provider, h.app.providers); err != nil {
		return err
	}
	if err := h.complete(h.provider); err != nil {
		return err
	}
	if err := h.app.claimSource(h); err != nil {
		return err
	}
	if err := h.provisionProof(); err != nil {
		return fmt.Errorf("webhooks %s: %w", h.Provider, err)
	}
	if err := h.provisionDestinations(); err != nil {
		return fmt.Errorf("webhooks %s: %w", h.Provider, err)
	}
	h.credential = h.credentialPlaces()
	if fields := h.credential.logged(); len(fields) > 0 {
		h.app.warnOnce(h.Provider, fields)
	}
	h.handling = app.metrics.handling.WithLabelValues(h.Provider)
	if h.Dedup.Off || len(h.Destinations) > 0 {
		return nil
	}
	h.memory, err = openMemory(h.Source, h.dedupSettings())
	return err
}

// Cleanup lets go of what the source remembers; the handler that takes its place
// after a reload holds on to it.
func (h *Handler) Cleanup() error {
	if h.memory == nil {
		return nil
	}
	return closeMemory(h.Source)
}

// complete checks the settings against what the provider is, and fills in the
// defaults. The Caddyfile's parser calls it too, so that an error has a line.
func (h *Handler) complete(p *provider.Provider) error {
	for _, step := range []func(*provider.Provider) error{
		h.completeProof, h.completeInput, h.completeOutput, h.completeDestinations, h.completeDedup, h.completeSubscribe,
	} {
		if err := step(p); err != nil {
			return fmt.Errorf("webhooks %s: %w", h.Provider, err)
		}
	}
	return nil
}

func (h *Handler) completeProof(p *provider.Provider) error {
	needs := p.Needs()
	if h.Unverified {
		if len(h.Secrets) > 0 || len(h.Tokens) > 0 || h.BasicAuth != nil || len(h.Headers) > 0 {
			return errors.New("`unverified` accepts what nothing proves: remove it, or the credentials beside it")
		}
		if h.Tolerance != 0 {
			return errors.New("`tolerance` has no meaning with `unverified`; remove it")
		}
		return nil
	}
	for _, need := range []struct {
		word  string
		needs bool
		has   bool
	}{
		{"secret", needs.Secret, len(h.Secrets) > 0},
		{"token", needs.Token, len(h.Tokens) > 0},
		{"basic_auth", needs.BasicAuth, h.BasicAuth != nil},
	} {
		switch {
		case need.needs && !need.has:
			return fmt.Errorf("a `%s` is missing: without it anyone could send events; say `unverified` if that is meant", need.word)
		case need.has && !need.needs && need.word != "basic_auth":
			return fmt.Errorf("`%s` is not how %s proves itself, which is by %s; remove it", need.word, h.Provider, needs)
		}
	}
	for _, header := range h.Headers {
		if err := verify.CheckHeaderName(header.Name); err != nil {
			return fmt.Errorf("`header`: %w", err)
		}
	}
	switch {
	case h.Tolerance < 0:
		return errors.New("`tolerance` must be positive")
	case h.Tolerance > 0 && !needs.Timestamp:
		return fmt.Errorf("`tolerance` is for providers that sign a timestamp, and %s does not; remove it", h.Provider)
	case h.Tolerance == 0:
		h.Tolerance = caddy.Duration(verify.DefaultTolerance)
	}
	return nil
}

func (h *Handler) completeInput(*provider.Provider) error {
	if h.MaxBody < 0 {
		return errors.New("`max_body` must be positive")
	}
	if h.MaxBody == 0 {
		h.MaxBody = DefaultMaxBody
	}
	if h.Source == "" {
		h.Source = "/webhooks/" + h.Provider
	}
	if _, err := url.Parse(h.Source); err != nil || !envelope.Carries(h.Source) || strings.ContainsAny(h.Source, " {}") {
		return fmt.Errorf("`source` %q is not a URI-reference, such as /webhooks/%s or https://example.com/%s", h.Source, h.Provider, h.Provider)
	}
	return nil
}

func (h *Handler) completeDedup(p *provider.Provider) error {
	if h.Dedup == nil {
		h.Dedup = new(Dedup)
	}
	d := h.Dedup
	if d.Off {
		if d.Window != 0 || d.Entries != 0 {
			return errors.New("`dedup off` takes no window and no entries")
		}
		return nil
	}
	if d.Window == 0 {
		d.Window = caddy.Duration(dedup.DefaultWindow)
		if p.KeyIsHash() || h.isWholeBatch(p) {
			d.Window = caddy.Duration(dedup.DefaultHashWindow)
		}
	}
	switch {
	case len(h.Destinations) > 0 && d.Entries != 0:
		return errors.New("the entries of `dedup` bound what is kept in memory, and with `destination` it is kept on disk for the whole window; leave the entries out")
	case len(h.Destinations) == 0 && d.Entries == 0:
		d.Entries = dedup.DefaultEntries
	}
	if time.Duration(d.Window) < time.Second {
		return errors.New("the window of `dedup` is at least 1s; say `dedup off` for none")
	}
	if d.Entries < 0 {
		return errors.New("the entries of `dedup` are at least 1; say `dedup off` for none")
	}
	return nil
}

func (h *Handler) completeOutput(*provider.Provider) error {
	h.Format = cmp.Or(h.Format, formatCloudEvents)
	return checkFormat(h.Format)
}

func checkFormat(format string) error {
	if format != formatCloudEvents && format != formatOriginal {
		return fmt.Errorf("unknown `format` %q: use cloudevents or original", format)
	}
	return nil
}

// isWholeBatch reports whether a batch is one event, because nobody gets an
// envelope.
func (h *Handler) isWholeBatch(p *provider.Provider) bool {
	return p.IsBatch() && h.onlyOriginals()
}

func (h *Handler) dedupSettings() dedup.Settings {
	return dedup.Settings{
		Window:      time.Duration(h.Dedup.Window),
		Entries:     h.Dedup.Entries,
		KeepAnswers: h.passesAnswers(),
	}
}

// passesAnswers reports whether the provider reads the application's answer.
func (h *Handler) passesAnswers() bool { return h.provider.Spec().Reply == provider.ReplyAnswer }

// provisionProof resolves the credentials and makes what checks and signs.
func (h *Handler) provisionProof() error {
	secrets, err := resolveAll("secret", h.Secrets)
	if err != nil {
		return err
	}
	tokens, err := resolveAll("token", h.Tokens)
	if err != nil {
		return err
	}
	signing, err := resolveAll("sign", h.Sign)
	if err != nil {
		return err
	}
	if h.signer, err = envelope.NewSigner(signing); err != nil {
		return fmt.Errorf("`sign`: %w", err)
	}
	h.methods = http.MethodPost
	if err := h.provisionChallenge(tokens); err != nil {
		return err
	}
	if h.Unverified {
		h.verifier = verify.All{}
		return nil
	}
	var all verify.All
	spec := h.provider.Spec().Verify
	if spec.Signature != nil {
		v, err := verify.NewSignatureVerifier(*spec.Signature, secrets, time.Duration(h.Tolerance))
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	if spec.Token != nil {
		v, err := verify.NewTokenVerifier(*spec.Token, tokens)
		if err != nil {
			return err
		}
		all = append(all, v)
	}
	static, err := h.staticVerifiers()
	h.verifier = append(all, static...)
	return err
}

// provisionChallenge makes what proves the GET of a challenge.
func (h *Handler) provisionChallenge(tokens []string) error {
	handshakes := h.provider.Spec().Handshakes
	i := slices.IndexFunc(handshakes, isChallenge)
	if i < 0 {
		return nil
	}
	h.challenge = &handshakes[i]
	h.methods = "GET, POST"
	if h.Unverified {
		h.challenger = verify.All{}
		return nil
	}
	v, err := verify.NewTokenVerifier(verify.Token{From: []verify.Place{{Query: h.challenge.Token}}}, tokens)
	h.challenger = v
	return err
}

// staticVerifiers returns what checks basic auth and headers; each is required
// once it is configured.
func (h *Handler) staticVerifiers() ([]verify.Verifier, error) {
	var static []verify.Verifier
	if h.BasicAuth != nil {
		both, err := resolveAll("basic_auth", []string{h.BasicAuth.Username, h.BasicAuth.Password})
		if err != nil {
			return nil, err
		}
		static = append(static, verify.BasicAuth{Username: both[0], Password: both[1]})
	}
	for _, header := range h.Headers {
		value, err := resolve("header", header.Value)
		if err != nil {
			return nil, err
		}
		static = append(static, verify.StaticHeader{Name: header.Name, Value: value})
	}
	return static, nil
}

// resolveAll resolves the placeholders of several credentials.
func resolveAll(word string, values []string) ([]string, error) {
	resolved := make([]string, len(values))
	for i, value := range values {
		var err error
		if resolved[i], err = resolve(word, value); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

// resolve resolves the placeholders of a credential. The error names the word of
// the directive, and never a value: what looks like a placeholder may be part of
// a secret.
func resolve(word, value string) (string, error) {
	resolved, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err == nil && strings.TrimSpace(resolved) != "" {
		return resolved, nil
	}
	name, isPlaceholder := strings.CutSuffix(value, "}")
	isPlaceholder = isPlaceholder && strings.LastIndexAny(name, "{}") == 0
	switch {
	case isPlaceholder && strings.HasPrefix(name, "{env."):
		return "", fmt.Errorf("`%s`: %s is not set, or empty; set that variable in the environment of this process", word, value)
	case isPlaceholder && strings.HasPrefix(name, "{file."):
		return "", fmt.Errorf("`%s`: %s cannot be read, or is empty; write the file, and let Caddy read it", word, value)
	}
	return "", fmt.Errorf("`%s`: it is empty, or a placeholder in it is; use {env.NAME} or {file./path}, and \\{ for a brace that is meant as it is", word)
}

// credentialPlaces is where a provider's credentials travel.
type credentialPlaces struct {
	headers []string // in canonical form
	query   []string
}

// credentialPlaces returns every place, whether or not it is used.
func (h *Handler) credentialPlaces() credentialPlaces {
	var c credentialPlaces
	spec := h.provider.Spec()
	if s := spec.Verify.Signature; s != nil {
		c.addHeader(s.Header)
	}
	if t := spec.Verify.Token; t != nil {
		for _, place := range t.From {
			switch {
			case place.Bearer:
				c.addHeader("Authorization")
			case place.Header != "":
				c.addHeader(place.Header)
			case place.Query != "":
				c.addQuery(place.Query)
			}
		}
	}
	if h.challenge != nil {
		c.addQuery(h.challenge.Token)
	}
	if h.BasicAuth != nil {
		c.addHeader("Authorization")
	}
	for _, header := range h.Headers {
		c.addHeader(header.Name)
	}
	return c
}

func (c *credentialPlaces) addHeader(name string) {
	name = http.CanonicalHeaderKey(name)
	if !slices.Contains(c.headers, name) {
		c.headers = append(c.headers, name)
	}
}

func (c *credentialPlaces) addQuery(name string) {
	if !slices.Contains(c.query, name) {
		c.query = append(c.query, name)
	}
}

// logged returns the places that Caddy's own logs do not redact.
func (c credentialPlaces) logged() []zap.Field {
	var fields []zap.Field
	headers := slices.DeleteFunc(slices.Clone(c.headers), func(name string) bool { return name == "Authorization" })
	if len(headers) > 0 {
		sort.Strings(headers)
		fields = append(fields, zap.Strings("headers", headers))
	}
	if len(c.query) > 0 {
		fields = append(fields, zap.Strings("query", c.query))
	}
	return fields
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
