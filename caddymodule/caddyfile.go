package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhooks", parseGlobalOption)
}

// parseDirective parses the `webhooks` directive. What can be checked without
// resolving placeholders is checked here, so that its error has a line.
func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	if err := checkNotNested(h); err != nil {
		return nil, err
	}
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if err := handler.parseRoutes(h); err != nil {
		return nil, err
	}
	// What follows is about the block as a whole: errors name its first line.
	h.Reset()
	h.Next()
	app, err := appOption(h)
	if err != nil {
		return nil, err
	}
	own, err := compileProviders(app.Providers)
	if err != nil {
		return nil, h.Errf("%v", err)
	}
	p, err := findProvider(handler.Provider, own)
	if err != nil {
		return nil, h.Errf("%v", err)
	}
	// On a copy: the adapted configuration holds what was written, no defaults.
	completed := handler.clone()
	if err := completed.complete(p); err != nil {
		return nil, linesOf(h, err).Errf("%v", err)
	}
	return handler, checkSource(h, completed)
}

// linesOf returns what an error is about, at its first line: a `destination`, a
// `subscribe`, or the block as a whole.
func linesOf(h httpcaddyfile.Helper, err error) *caddyfile.Dispenser {
	var about interface{ firstLine() *caddyfile.Dispenser }
	if errors.As(err, &about) {
		return about.firstLine()
	}
	return h.Dispenser
}

// restarted returns a block at its first line, for errors.
func restarted(block *caddyfile.Dispenser) *caddyfile.Dispenser {
	block.Reset()
	block.Next()
	return block
}

// clone returns a copy that shares nothing that complete changes.
func (h *Handler) clone() *Handler {
	c := *h
	if h.Dedup != nil {
		d := *h.Dedup
		c.Dedup = &d
	}
	c.Destinations = make([]*Destination, len(h.Destinations))
	for i, destination := range h.Destinations {
		d := *destination
		c.Destinations[i] = &d
	}
	return &c
}

// handlersState is where the handlers of one Caddyfile are noted while it is
// parsed.
const handlersState = "webhooks.handlers"

// placedHandlers are the first handlers that have a source, or a destination of
// a name.
type placedHandlers struct {
	sources, destinations map[string]*placedHandler
}

// placedHandler is a handler and the line it stands on.
type placedHandler struct {
	*Handler
	place string
}

func (p *placedHandler) String() string { return "webhooks " + p.Provider + " at " + p.place }

// checkSource does what App.claimSource does, with lines to name.
func checkSource(h httpcaddyfile.Helper, handler *Handler) (err error) {
	placed := &placedHandler{handler, fmt.Sprintf("%s:%d", h.File(), h.Line())}
	if handler.settings, err = settingsOf(handler); err != nil {
		return h.Errf("%v", err)
	}
	known, ok := h.State[handlersState].(placedHandlers)
	if !ok {
		known = placedHandlers{make(map[string]*placedHandler), make(map[string]*placedHandler)}
		h.State[handlersState] = known
	}
	first := known.sources[handler.Source]
	if first == nil {
		known.sources[handler.Source] = placed
	} else if differing := differences(first.settings, handler.settings); len(differing) > 0 {
		return h.Errf("%v", conflictError(handler.Source, first.String(), placed.String(), differing))
	}
	return known.claimDestinations(placed)
}

// claimDestinations does what App.claimDestinations does, with lines to name.
func (known placedHandlers) claimDestinations(placed *placedHandler) error {
	for _, d := range placed.Destinations {
		first := known.destinations[d.Name]
		if first == nil {
			known.destinations[d.Name] = placed
		} else if first.Source != placed.Source {
			return d.firstLine().Errf("%v", destinationConflictError(d, first.String(), placed.String()))
		}
	}
	return nil
}

// UnmarshalCaddyfile fills in the handler. Syntax:
//
//	webhooks [<matcher>] <provider> {
//		secret     <secret...>
//		token      <token...>
//		basic_auth <username> <password>
//		header     <name> <value>
//		unverified
//		tolerance  <duration>
//
//		max_body   <size>
//		source     <uri-reference>
//
//		dedup      <window> [<entries>]
//		dedup      off
//
//		format     cloudevents|original
//		sign       <secret...>
//
//		destination <name> { ... }    # zero or more, see parseDestination
//
//		subscribe { ... }         # see parseSubscribe
//	}
//
// The routes of a `to` need more than d: the directive's own parser makes them.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("webhooks takes one provider after the matcher, not %d arguments: webhooks [<matcher>] <provider> { ... }", len(args))
	}
	h.Provider = args[0]
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		word := d.Val()
		if parse, ok := subblocks[word]; ok {
			if err := parse(h, d.NewFromNextSegment()); err != nil {
				return err
			}
			continue
		}
		parse, ok := subdirectives[word]
		if !ok {
			return d.Errf("unknown subdirective %q of webhooks: use secret, token, basic_auth, header, unverified, tolerance, max_body, source, dedup, format, sign, destination or subscribe", word)
		}
		if seen[word] && word != "header" {
			return d.Errf("`%s` stands in this block twice; put all of it on one line", word)
		}
		seen[word] = true
		if err := parse(h, d, d.RemainingArgs()); err != nil {
			return err
		}
		if d.NextBlock(1) {
			return d.Errf("`%s` takes no block", word)
		}
	}
	return nil
}

// subblocks parses each subdirective that has a block.
var subblocks = map[string]func(h *Handler, block *caddyfile.Dispenser) error{
	"destination": (*Handler).parseDestination,
	"subscribe":   (*Handler).parseSubscribe,
}

// subdirectives parses each subdirective from its arguments.
var subdirectives = map[string]func(h *Handler, d *caddyfile.Dispenser, args []string) error{
	"secret": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		return parseCredentials(d, "secret", args, &h.Secrets)
	},
	"token": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		return parseCredentials(d, "token", args, &h.Tokens)
	},
	"sign": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		return parseCredentials(d, "sign", args, &h.Sign)
	},
	"basic_auth": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		if len(args) != 2 {
			return d.Errf("`basic_auth` takes a user name and a password")
		}
		h.BasicAuth = &BasicAuth{Username: args[0], Password: args[1]}
		return checkCredentials(d, "basic_auth", args)
	},
	"header": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		if len(args) != 2 {
			return d.Errf("`header` takes a name and a value")
		}
		h.Headers = append(h.Headers, StaticHeader{Name: args[0], Value: args[1]})
		return checkCredentials(d, "header", args)
	},
	"unverified": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		if len(args) != 0 {
			return d.Errf("`unverified` takes no argument")
		}
		h.Unverified = true
		return nil
	},
	"tolerance": (*Handler).parseTolerance,
	"max_body":  (*Handler).parseMaxBody,
	"source": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		return parseText(d, "source", args, &h.Source)
	},
	"dedup": (*Handler).parseDedup,
	"format": func(h *Handler, d *caddyfile.Dispenser, args []string) error {
		return parseText(d, "format", args, &h.Format)
	},
}

func parseText(d *caddyfile.Dispenser, word string, args []string, to *string) error {
	if len(args) != 1 {
		return d.Errf("`%s` takes one argument, not %d", word, len(args))
	}
	if args[0] == "" {
		return d.Errf("`%s` takes one argument that is not empty", word)
	}
	*to = args[0]
	return nil
}

// parseCredentials parses credentials; it never prints one.
func parseCredentials(d *caddyfile.Dispenser, word string, args []string, to *[]string) error {
	if len(args) == 0 {
		return d.Errf("`%s` takes at least one argument, such as {env.NAME}", word)
	}
	*to = args
	return checkCredentials(d, word, args)
}

// checkCredentials refuses what can never become a credential.
func checkCredentials(d *caddyfile.Dispenser, word string, args []string) error {
	for i, arg := range args {
		if arg == "" {
			return d.Errf("`%s`: argument %d is empty; {$NAME} of an unset variable is, and {env.NAME} would say so", word, i+1)
		}
		if strings.Contains(arg, "{http.") {
			return d.Errf("`%s`: argument %d has a placeholder about the request, which is not known when the configuration loads; "+
				"{file.name} is short for one, so write {file./absolute/path}", word, i+1)
		}
	}
	return nil
}

func (h *Handler) parseTolerance(d *caddyfile.Dispenser, args []string) error {
	if len(args) != 1 {
		return d.Errf("`tolerance` takes one duration, such as 5m")
	}
	tolerance, err := caddy.ParseDuration(args[0])
	if err != nil || tolerance <= 0 {
		return d.Errf("`tolerance` %q is not a duration above 0, such as 5m", args[0])
	}
	h.Tolerance = caddy.Duration(tolerance)
	return nil
}

func (h *Handler) parseMaxBody(d *caddyfile.Dispenser, args []string) error {
	if len(args) != 1 {
		return d.Errf("`max_body` takes one size, such as 1MiB")
	}
	var err error
	h.MaxBody, err = parseSize(d, "max_body", args[0])
	return err
}

func parseSize(d *caddyfile.Dispenser, word, arg string) (int64, error) {
	size, err := humanize.ParseBytes(arg)
	if err != nil || size == 0 || size > math.MaxInt64 {
		return 0, d.Errf("`%s` %q is not a size above 0, such as 1MiB or 512KiB", word, arg)
	}
	return int64(size), nil
}

func parsePositiveDuration(d *caddyfile.Dispenser, word, arg string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration <= 0 {
		return 0, d.Errf("`%s` %q is not a duration above 0, such as 30s or 5m", word, arg)
	}
	return caddy.Duration(duration), nil
}

func (h *Handler) parseDedup(d *caddyfile.Dispenser, args []string) error {
	if len(args) == 1 && args[0] == "off" {
		h.Dedup = &Dedup{Off: true}
		return nil
	}
	if len(args) != 1 && len(args) != 2 {
		return d.Errf("`dedup` takes off, or a window and at most a number of entries: dedup 24h 500000")
	}
	window, err := caddy.ParseDuration(args[0])
	if err != nil || window <= 0 {
		return d.Errf("the window of `dedup`, %q, is not a duration above 0, such as 24h", args[0])
	}
	h.Dedup = &Dedup{Window: caddy.Duration(window)}
	if len(args) == 2 {
		entries, err := strconv.Atoi(args[1])
		if err != nil || entries < 1 {
			return d.Errf("the entries of `dedup`, %q, are not a whole number above 0", args[1])
		}
		h.Dedup.Entries = entries
	}
	return nil
}

// parseGlobalOption parses the global option. Syntax:
//
//	webhooks {
//		queue     sqlite [<file>]
//		queue     postgres <dsn>
//		retention <duration> [<size>]
//		provider  <name> { ... }    # see provider.Spec.UnmarshalCaddyfile
//	}
//
// It may stand there several times, and adds up.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if value, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(value.Value, app); err != nil {
			return nil, err
		}
	}
	d.Next() // the option
	if d.NextArg() {
		return nil, d.Errf("unexpected %q: the global option webhooks takes a block only", d.Val())
	}
	for d.NextBlock(0) {
		word := d.Val()
		parse, ok := globalWords[word]
		if !ok {
			return nil, d.Errf("unknown word %q in the global option webhooks: use queue, retention or provider", word)
		}
		if err := parse(app, d); err != nil {
			return nil, err
		}
		if d.NextBlock(1) {
			return nil, d.Errf("`%s` takes no block", word)
		}
	}
	return httpcaddyfile.App{Name: "webhooks", Value: caddyconfig.JSON(app, nil)}, nil
}

// globalWords parses each word of the global option.
var globalWords = map[string]func(*App, *caddyfile.Dispenser) error{
	"provider":  (*App).parseProvider,
	"queue":     (*App).parseQueue,
	"retention": (*App).parseRetention,
}

func (a *App) parseProvider(d *caddyfile.Dispenser) error {
	spec := new(provider.Spec)
	if err := spec.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil {
		return err
	}
	a.Providers = append(a.Providers, spec)
	if _, err := compileProviders(a.Providers); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// parseQueue parses where the queue is. It prints no argument: a DSN may hold a
// password, also where something else is expected.
func (a *App) parseQueue(d *caddyfile.Dispenser) error {
	if a.Queue != nil {
		return d.Errf("`queue` stands in the global option webhooks twice; remove one")
	}
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == queue.SQLite:
		a.Queue = &QueueConfig{Engine: args[0]}
	case len(args) == 2 && args[0] == queue.SQLite:
		a.Queue = &QueueConfig{Engine: args[0], File: args[1]}
	case len(args) == 2 && args[0] == queue.PostgreSQL:
		a.Queue = &QueueConfig{Engine: args[0], DSN: args[1]}
	default:
		return d.Errf("`queue` takes sqlite and at most a file, or postgres and a DSN: queue sqlite [<file>], or queue postgres <dsn>")
	}
	return checkCredentials(d, "queue", args)
}

func (a *App) parseRetention(d *caddyfile.Dispenser) error {
	if a.Retention != nil {
		return d.Errf("`retention` stands in the global option webhooks twice; remove one")
	}
	args := d.RemainingArgs()
	if len(args) != 1 && len(args) != 2 {
		return d.Errf("`retention` takes a duration and at most a size: retention 7d 1GiB")
	}
	age, err := parsePositiveDuration(d, "retention", args[0])
	if err != nil {
		return err
	}
	a.Retention = &Retention{Age: age}
	if len(args) == 2 {
		if a.Retention.Size, err = parseSize(d, "retention", args[1]); err != nil {
			return err
		}
	}
	if err := a.Retention.check(); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}

// appOption returns what the global options say, before they are an app.
func appOption(h httpcaddyfile.Helper) (*App, error) {
	app := new(App)
	option, ok := h.Option("webhooks").(httpcaddyfile.App)
	if !ok {
		return app, nil
	}
	return app, json.Unmarshal(option.Value, app)
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
