package webhooks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhooks", parseDirective)
	// Before the handlers that answer or hand over: respond, reverse_proxy, handle
	// and route among them.
	httpcaddyfile.RegisterDirectiveOrder("webhooks", httpcaddyfile.Before, "invoke")
}

// parseDirective parses the `webhooks` directive. Every rule that needs no resolved
// placeholder is checked here, so that its error has a line.
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
	state, err := stateOf(h)
	if err != nil {
		return nil, err
	}
	p, err := provider.Find(handler.Provider, state.providers)
	if err != nil {
		return nil, handler.block.errorAt(err)
	}
	// On a copy: the adapted configuration holds the settings as written, no defaults.
	completed := handler.clone()
	if err := completed.Complete(p); err != nil {
		return nil, handler.block.errorAt(err)
	}
	head := handler.block.head.Dispenser()
	head.Next()
	if err := state.claims.claim(completed, fmt.Sprintf("webhooks %s at %s:%d", handler.Provider, head.File(), head.Line())); err != nil {
		return nil, handler.block.errorAt(err)
	}
	return handler, nil
}

// clone returns a copy that shares nothing that setDefaults changes.
func (h *Handler) clone() *Handler {
	c := *h
	if h.Subscribe != nil {
		s := *h.Subscribe
		c.Subscribe = &s
	}
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

// parserState is shared by the directives of one Caddyfile.
type parserState struct {
	providers map[string]*provider.Provider // of the user's own
	claims    *claims
}

// stateKey is the key of the parserState.
const stateKey = "webhooks"

func stateOf(h httpcaddyfile.Helper) (*parserState, error) {
	if state, ok := h.State[stateKey].(*parserState); ok {
		return state, nil
	}
	app, err := appOption(h)
	if err != nil {
		return nil, err
	}
	state := &parserState{claims: newClaims()}
	if state.providers, err = provider.CompileAll(app.Providers); err != nil {
		return nil, err
	}
	h.State[stateKey] = state
	return state, nil
}

// UnmarshalCaddyfile fills in the handler. Syntax:
//
//	webhooks [<matcher>] <provider> {
//		secret     <secret...>
//		public_key <key...>
//		token      <token...>
//		basic_auth <username> <password>
//		header     <name> <value>
//		unverified
//		tolerance  <duration>
//
//		url        <url>
//		max_body   <size>
//		source     <uri-reference>
//
//		dedup      <window> [<entries>]
//		dedup      off
//
//		format     cloudevents|original
//		sign       <secret...>
//
//		destination <name> { ... }    # zero or more, see destinationWords
//
//		subscribe { ... }             # see subscribeWords
//	}
//
// The routes of a `to` need more than d: the directive's own parser makes them.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	head := blocks.Read(d)
	if err := head.CheckArgs("[<matcher>] <provider>"); err != nil || len(head.Args) != 1 {
		return head.Errf("webhooks takes one provider, after the matcher if there is one: webhooks [<matcher>] <provider> { ... }")
	}
	h.Provider = head.Args[0]
	h.block = newBlock(head)
	return handlerWords.Parse(head, "webhooks", h)
}

// handlerWords are the words of the directive's block.
var handlerWords = blocks.Words[*Handler]{
	credentialsWord("secret", "<secret...>", func(h *Handler) *[]string { return &h.Secrets }),
	credentialsWord("public_key", "<key...>", func(h *Handler) *[]string { return &h.PublicKeys }),
	credentialsWord("token", "<token...>", func(h *Handler) *[]string { return &h.Tokens }),
	{Name: "basic_auth", Usage: "<username> <password>", Parse: func(h *Handler, line blocks.Line) error {
		h.BasicAuth = &BasicAuth{Username: line.Args[0], Password: line.Args[1]}
		return checkCredentials(line)
	}},
	{Name: "header", Usage: "<name> <value>", Repeats: true, Parse: func(h *Handler, line blocks.Line) error {
		h.Headers = append(h.Headers, StaticHeader{Name: line.Args[0], Value: line.Args[1]})
		if err := verify.CheckHeaderName(line.Args[0]); err != nil {
			return line.Errf("`header`: %v", err)
		}
		return checkCredentials(line)
	}},
	{Name: "unverified", Parse: func(h *Handler, _ blocks.Line) error {
		h.Unverified = true
		return nil
	}},
	durationWord("tolerance", func(h *Handler) *caddy.Duration { return &h.Tolerance }),
	{Name: "url", Usage: "<url>", Hint: unsetHint, Parse: func(h *Handler, line blocks.Line) error {
		h.URL = line.Args[0]
		return checkCredentials(line)
	}},
	{Name: "max_body", Usage: "<size>", Parse: func(h *Handler, line blocks.Line) (err error) {
		h.MaxBody, err = parseSize(line, line.Args[0])
		return err
	}},
	blocks.Text("source", "<uri-reference>", func(h *Handler) *string { return &h.Source }),
	{Name: "dedup", Usage: "off | <window> [<entries>]", Parse: (*Handler).parseDedup},
	blocks.Text("format", "cloudevents|original", func(h *Handler) *string { return &h.Format }),
	credentialsWord("sign", "<secret...>", func(h *Handler) *[]string { return &h.SigningKeys }),
	{Name: "destination", Usage: "<name>", Repeats: true, Block: true, Parse: (*Handler).parseDestination},
	{Name: "subscribe", Block: true, Parse: (*Handler).parseSubscribe},
	elsewhere[*Handler]("queue"), elsewhere[*Handler]("retention"), elsewhere[*Handler]("provider"),
}

// elsewhere is a word that belongs in the global options.
func elsewhere[T any](name string) blocks.Word[T] {
	return blocks.Word[T]{Name: name, Elsewhere: "queue, retention and provider belong in the global options: { webhooks { " + name + " ... } }"}
}

// unsetHint explains arguments that are missing although they are written.
const unsetHint = "an unset {$NAME} leaves no argument, {env.NAME} gives an error that names it"

// credentialsWord is a word with credentials.
func credentialsWord[T any](name, usage string, field func(T) *[]string) blocks.Word[T] {
	return blocks.Word[T]{Name: name, Usage: usage, Hint: unsetHint, Parse: func(to T, line blocks.Line) error {
		*field(to) = line.Args
		return checkCredentials(line)
	}}
}

// fileOfRequest is how Caddy expands {file.name}.
const fileOfRequest = "{http.request.uri.path.file"

// checkCredentials refuses text that can never become a credential. It never prints
// one.
func checkCredentials(line blocks.Line) error {
	for i, arg := range line.Args {
		if arg == "" {
			return line.Errf("`%s`: argument %d is empty, as {$NAME} is for an unset variable; use {env.NAME}", line.Word, i+1)
		}
		switch {
		case strings.Contains(arg, fileOfRequest):
			return line.Errf("`%s`: argument %d has {file.name}, which Caddy takes for a part of the request's path; write {file./absolute/path}", line.Word, i+1)
		case strings.Contains(arg, "{http."):
			return line.Errf("`%s`: argument %d has a placeholder of the request, which is not known when the configuration loads; use {env.NAME} or {file./absolute/path}", line.Word, i+1)
		}
	}
	return nil
}

func (h *Handler) parseDedup(line blocks.Line) error {
	if line.Args[0] == "off" {
		if len(line.Args) > 1 {
			return line.Misused()
		}
		h.Dedup = &Dedup{Off: true}
		return nil
	}
	window, err := parseDuration(line, line.Args[0])
	if err != nil {
		return err
	}
	h.Dedup = &Dedup{Window: window}
	if len(line.Args) > 1 {
		h.Dedup.Entries, err = parseCount(line, line.Args[1])
	}
	return err
}

// durationWord is a word with one duration above 0.
func durationWord[T any](name string, field func(T) *caddy.Duration) blocks.Word[T] {
	return blocks.Word[T]{Name: name, Usage: "<duration>", Parse: func(to T, line blocks.Line) (err error) {
		*field(to), err = parseDuration(line, line.Args[0])
		return err
	}}
}

func parseDuration(line blocks.Line, arg string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(arg)
	if err != nil || duration <= 0 {
		return 0, line.Errf("`%s`: %.40q is not a duration above 0, such as 30s or 5m", line.Word, arg)
	}
	return caddy.Duration(duration), nil
}

// countWord is a word with one number above 0.
func countWord[T any](name string, field func(T) *int) blocks.Word[T] {
	return blocks.Word[T]{Name: name, Usage: "<n>", Parse: func(to T, line blocks.Line) (err error) {
		*field(to), err = parseCount(line, line.Args[0])
		return err
	}}
}

func parseCount(line blocks.Line, arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 {
		return 0, line.Errf("`%s`: %.40q is not a whole number above 0", line.Word, arg)
	}
	return n, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
