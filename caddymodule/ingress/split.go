package ingress

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unsafe"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// handshake answers a request by which the provider tries the URL, and reports
// whether it was one. No handler gets it.
func (x *exchange) handshake() (answered bool, err error) {
	if x.r.Method == http.MethodGet {
		text, err := x.rc.Challenge.Challenge(x.proofRequest())
		if err != nil {
			return false, err
		}
		return true, x.answer(outcomeHandshake, text, verify.TextPlain)
	}
	if err := envelope.Check(x.body); err != nil {
		if x.rc.Provider.TakesEmpty() && errors.Is(err, envelope.ErrNotJSON) && !looksLikeJSON(x.body) {
			return true, x.acknowledge(outcomeHandshake)
		}
		return false, x.explain(err)
	}
	for _, h := range x.rc.Provider.Spec().Handshakes {
		if text, contentType, ok := h.Answer(x.body); ok {
			return true, x.answer(outcomeHandshake, text, contentType)
		}
	}
	return false, nil
}

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
	events, err = x.rc.Provider.Split(asString(x.body))
	if errors.Is(err, provider.ErrNoEvent) && x.rc.Provider.TakesEmpty() {
		return nil, nil
	}
	return events, err
}

// only returns the single event that a request is forwarded as: the one in it, or
// the whole request.
func (x *exchange) only(events []string) provider.Event {
	if x.rc.Format == envelope.FormatOriginal {
		return x.rc.Provider.ReadWhole(asString(x.body), events, x.r.Header)
	}
	return x.rc.Provider.Read(events[0], x.r.Header)
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
