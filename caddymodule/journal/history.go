package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// History is all that is known about one event.
type History struct {
	Event

	Request  *Request        `json:"request,omitempty"`  // that brought it, without credentials
	Envelope json.RawMessage `json:"envelope,omitempty"` // as destinations get it
	Original json.RawMessage `json:"original,omitempty"` // the provider's own: JSON, or a string if it is not JSON

	// EnvelopeBytes and OriginalBytes are the same, byte for byte.
	EnvelopeBytes []byte `json:"-"`
	OriginalBytes []byte `json:"-"`
}

// isPrivate reports whether a header is never shown, whether or not a block checks it: it
// may hold a credential for another handler or for the application. Caddy's logs hide the
// same headers.
func isPrivate(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Proxy-Authorization", "Set-Cookie":
		return true
	}
	return false
}

// Request is an HTTP request, without its body and without credentials.
type Request struct {
	Method     string      `json:"method"`
	URI        string      `json:"uri"`
	Host       string      `json:"host"`
	RemoteAddr string      `json:"remote"`
	Header     http.Header `json:"header"`
}

// Event returns all that is known about an event; queue.ErrUnknown if that is nothing.
func (j *Journal) Event(ctx context.Context, key envelope.Key) (*History, error) {
	err := error(queue.ErrUnknown)
	if j.stored != nil {
		var found *queue.History
		if found, err = j.stored.History(ctx, key); err == nil {
			return storedHistory(found), nil
		}
	}
	// Also if the queue does not answer: a direct event is not there.
	if e, ok := j.memory.latest(key); ok {
		return e.history(), nil
	}
	if errors.Is(err, queue.ErrUnknown) {
		err = unknownEvent(key)
	}
	return nil, err
}

func unknownEvent(key envelope.Key) error {
	return fmt.Errorf("%w: there is no event %s; it may have been older than `retention`, or it was delivered directly and is not in memory any more", queue.ErrUnknown, key)
}

func storedHistory(found *queue.History) *History {
	h := &History{Event: Event{Summary: found.Summary}}
	e := found.Event
	if e == nil {
		return h
	}
	if r := e.Request; r != nil {
		h.Request = &Request{Method: r.Method, URI: r.URI, Host: r.Host, RemoteAddr: r.RemoteAddr, Header: r.Header.Clone()}
		maps.DeleteFunc(h.Request.Header, func(name string, _ []string) bool { return isPrivate(name) })
	}
	h.setBody(e)
	return h
}

// history returns all that is remembered of an event of direct delivery.
func (e *rememberedOf) history() *History {
	h := &History{Event: e.event(), Request: e.texts.request()}
	h.setBody(&queue.Event{Body: e.Body, Original: e.Original})
	return h
}

// setBody sets both forms of an event, if its bytes are remembered.
func (h *History) setBody(e *queue.Event) {
	if len(e.Body) == 0 {
		return
	}
	if e.IsEnvelope() {
		h.EnvelopeBytes = e.Body
		h.Envelope = e.Body
	}
	h.OriginalBytes = e.OriginalBytes()
	h.Original = AsJSON(h.OriginalBytes)
}

// AsJSON returns a body as a JSON value: as it is if it is JSON, else a string with it.
func AsJSON(body []byte) json.RawMessage {
	if len(body) == 0 || json.Valid(body) && utf8.Valid(body) {
		return body
	}
	quoted, _ := json.Marshal(string(body)) // never fails for a string
	return quoted
}
