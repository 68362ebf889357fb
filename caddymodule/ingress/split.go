package ingress

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
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
func (x *exchange) split() (events []string, err error) {
	events, err = x.rc.Provider.Split(x.payload.text)
	if errors.Is(err, provider.ErrNoEvent) && x.rc.Provider.TakesEmpty() {
		return nil, nil
	}
	return events, err
}

// only returns the single event that a request is forwarded as: the one in it, or
// the whole request.
func (x *exchange) only(events []string) provider.Event {
	if x.rc.Format == envelope.FormatOriginal {
		return x.rc.Provider.ReadWhole(x.payload.text, events, x.request())
	}
	return x.rc.Provider.Read(events[0], x.request())
}

// asString returns a body as a string without copying it: nothing writes to a body
// after it was read. The copy would take 4 % of the time of BenchmarkEvent.
func asString(body []byte) string { return unsafe.String(unsafe.SliceData(body), len(body)) }

// looksLikeJSON reports whether a body was meant to be JSON: one that is cut short
// or badly encoded may have held events and must not be acknowledged.
func looksLikeJSON(body []byte) bool {
	text := strings.TrimLeft(asString(body), " \t\r\n\ufeff")
	return strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")
}
