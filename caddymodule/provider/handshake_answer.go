package provider

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Bounds of an answer to a handshake, in bytes.
const (
	maxAnswer         = 64 << 10
	maxAnswerHeader   = 1 << 10
	maxUnprovedAnswer = 1 << 10 // text and headers together
	maxSigned         = 256     // what $hmac signs
)

// Sign returns the MAC of a text with the secret that proved the request. ok is false
// if there is none.
type Sign func(text []byte) (mac []byte, ok bool)

// Answer is what the gateway answers itself.
type Answer struct {
	Status      int
	Header      http.Header // nil for none
	Text        string
	ContentType string // "" for an answer without a text
}

// Responder recognizes a handshake, and answers it.
type Responder struct {
	handshake *Handshake
	answer    template.Template
	headers   map[string]template.Template // by canonical name
}

// compile prepares a handshake that check accepts.
func (h *Handshake) compile() (*Responder, error) {
	r := &Responder{handshake: h}
	var err error
	if r.answer, err = template.Parse(h.Answer); err != nil {
		return nil, err
	}
	for name, text := range h.Headers {
		if r.headers == nil {
			r.headers = make(map[string]template.Template)
		}
		if r.headers[http.CanonicalHeaderKey(name)], err = template.Parse(text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// signs reports whether the answer holds a MAC.
func (r *Responder) signs() bool { return len(r.signed()) > 0 }

// signed returns what $hmac signs in the answer.
func (r *Responder) signed() []template.Template {
	var signed []template.Template
	for _, t := range append(slices.Collect(maps.Values(r.headers)), r.answer) {
		for part := range t.Parts() {
			if part.Kind == template.HMAC {
				signed = append(signed, part.Inside)
			}
		}
	}
	return signed
}

// Unproved reports whether the provider cannot prove the request.
func (r *Responder) Unproved() bool { return r.handshake.Unproved }

// Token returns the query parameter of the token that proves the request; "" if it is
// proved as events are.
func (r *Responder) Token() string { return r.handshake.Token }

// Answer returns the answer to a request. ok is false if the request is not this
// handshake: if a condition does not hold, or if the request lacks a part of the answer,
// or has one that is too long. The request's JSON must not be nested too deep.
func (r *Responder) Answer(request *verify.Request, sign Sign) (answer Answer, ok bool) {
	p := parts{request: request, sign: sign}
	for _, c := range r.handshake.Conditions {
		if !c.holds(&p) {
			return Answer{}, false
		}
	}
	answer = Answer{Status: cmp.Or(r.handshake.Status, http.StatusOK)}
	size := 0
	for name, t := range r.headers {
		value, isWhole := t.Append(nil, p.lookup)
		if !isWhole || len(value) > maxAnswerHeader || slices.ContainsFunc(value, isControl) {
			return Answer{}, false
		}
		if answer.Header == nil {
			answer.Header = make(http.Header)
		}
		answer.Header[name] = []string{string(value)}
		size += len(value)
	}
	text, ok := r.answer.Append(nil, p.lookup)
	if !ok || len(text) > maxAnswer || r.handshake.Unproved && size+len(text) > maxUnprovedAnswer {
		return Answer{}, false
	}
	if r.answer != nil {
		answer.Text, answer.ContentType = string(text), cmp.Or(r.handshake.ContentType, TextPlain)
	}
	return answer, true
}

// isControl reports whether c ends a line, or is another character that no header has.
func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// holds reports whether the request meets the condition. One on the body needs a body
// that is JSON.
func (c HandshakeCondition) holds(p *parts) bool {
	var text string
	isThere := false
	switch {
	case c.Header != "":
		text = only(p.request.Header[http.CanonicalHeaderKey(c.Header)])
		isThere = text != ""
	case c.Query != "":
		text = only(p.parameters()[c.Query])
		isThere = text != ""
	default:
		json, ok := p.json()
		if !ok {
			return false
		}
		found := value(gjson.Get(json, c.Path).Raw)
		text, isThere = found.text(), !found.isEmpty()
	}
	words := append(c.Is[:len(c.Is):len(c.Is)], c.IsNot...) // one of them is empty
	is := isThere && slices.ContainsFunc(words, func(word string) bool { return envelope.MatchWord(word, text) })
	return is == (len(c.IsNot) == 0)
}

// parts looks up the parts of a request for an answer.
type parts struct {
	request *verify.Request
	sign    Sign
	query   url.Values // nil until it is needed
}

func (p *parts) parameters() url.Values {
	if p.query == nil {
		p.query, _ = url.ParseQuery(p.request.Query) // without pairs that cannot be unescaped
	}
	return p.query
}

func (p *parts) json() (string, bool) {
	if p.request.JSON == nil {
		return string(p.request.Body), gjson.ValidBytes(p.request.Body)
	}
	return p.request.JSON()
}

// lookup implements template.Lookup. A part that is empty, or there more than once, is
// absent.
func (p *parts) lookup(part template.Part) ([]byte, bool) {
	var text string
	switch part.Kind {
	case template.HMAC:
		if p.sign == nil || len(part.Text) > maxSigned {
			return nil, false
		}
		return p.sign([]byte(part.Text))
	case template.BodyPath:
		json, _ := p.json()
		text = value(gjson.Get(json, part.Text).Raw).text()
	case template.Header:
		text = only(p.request.Header[part.Text])
	case template.Query:
		text = only(p.parameters()[part.Text])
	case template.Method:
		text = p.request.Method
	case template.URI:
		text = p.request.URI
	case template.URL:
		text = p.request.URL
	}
	return []byte(text), text != ""
}

// only returns the only one of values, "" if there are more or none.
func only(values []string) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
