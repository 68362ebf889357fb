package ingress

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// explain adds what is known about a body that is not what it should be.
func (x *exchange) explain(err error) error {
	switch {
	case errors.Is(err, envelope.ErrTooDeep):
		return fmt.Errorf("%w: the limit is %d", err, envelope.MaxDepth)
	case len(x.body) == 0:
		return fmt.Errorf("%w: the body is empty", err)
	}
	return err
}

// split returns the events in the body, each as its own bytes. There are none in a
// request by which a provider that sends empty ones tries the URL.
func (x *exchange) split() (events []provider.Raw, err error) {
	events, err = x.rc.Provider.Split(x.payload.Text())
	if errors.Is(err, provider.ErrNoEvent) && x.rc.Provider.TakesEmpty() {
		return nil, nil
	}
	if err == nil && x.rc.keepsRequests() && x.payload.OriginalType() != "" {
		x.form, err = x.payload.RedactedForm()
	}
	return events, err
}

// only returns the single event that a request is forwarded as: the one in it, or
// the whole request.
func (x *exchange) only(events []provider.Raw) provider.Event {
	if x.rc.Format == envelope.FormatOriginal {
		return x.whole(events, x.request())
	}
	return x.rc.Provider.Read(events[0], x.request())
}

// whole reads the event for a request that is handed over as it came. Of a form, that is
// the form.
func (x *exchange) whole(events []provider.Raw, request *verify.Request) provider.Event {
	e := x.rc.Provider.ReadWhole(x.payload.Text(), events, request)
	if x.form != nil {
		e.Original = string(x.form)
	}
	return e
}

// looksLikeJSON reports whether a body was meant to be JSON: one that is cut short
// or badly encoded may have held events and must not be acknowledged.
func looksLikeJSON(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n\ufeff")
	return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
}
