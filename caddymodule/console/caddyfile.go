package console

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhooks_console", parseDirective)
	// After the directives that authenticate, and before a `respond` that answers
	// everything else.
	httpcaddyfile.RegisterDirectiveOrder("webhooks_console", httpcaddyfile.Before, "respond")
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile fills in the handler. Syntax:
//
//	webhooks_console [<matcher>] {
//		insecure
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	head := blocks.Read(d)
	if err := head.CheckArgs(""); err != nil {
		return head.Errf("webhooks_console takes no arguments but a matcher: webhooks_console [<matcher>] { ... }")
	}
	return words.Parse(head, "webhooks_console", h)
}

var words = blocks.Words[*Handler]{
	{Name: "insecure", Parse: func(h *Handler, _ blocks.Line) error {
		h.Insecure = true
		return nil
	}},
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
