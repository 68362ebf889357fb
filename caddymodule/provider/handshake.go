package provider

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// ErrNoChallenge is the error of a proved GET or HEAD that is not a handshake.
var ErrNoChallenge = errors.New("no challenge")

// Handshake is a request other than an event, by which a provider tries a URL before
// it sends events, or between them. The gateway answers it itself.
type Handshake struct {
	// Whether a proved POST without an event is acknowledged. It excludes everything
	// else.
	Empty bool `json:"empty,omitempty"`

	// The method of the request: `POST`, `GET` or `HEAD`. Default: `POST`.
	Method string `json:"method,omitempty"`

	// Whether the provider cannot prove the request. It is answered only if it presents
	// no credential at all.
	Unproved bool `json:"unproved,omitempty"`

	// The query parameter of a GET that holds the token, which alone proves it. Default:
	// the request is proved as events are.
	Token string `json:"token,omitempty"`

	// The conditions of the request, all of which must hold.
	Conditions []HandshakeCondition `json:"conditions,omitempty"`

	// The status of the answer, from 200 to 299. Default: 200.
	Status int `json:"status,omitempty"`

	// The templates of headers of the answer.
	Headers map[string]string `json:"headers,omitempty"`

	// The template of the answer. Default: the answer is empty.
	Answer string `json:"answer,omitempty"`

	// The content type of the answer. Default: `text/plain; charset=utf-8`.
	ContentType string `json:"content_type,omitempty"`
}

// HandshakeCondition is a condition on a value of the request. Exactly one of Path, Header
// and Query is set, and exactly one of Is and IsNot.
type HandshakeCondition struct {
	// The gjson path of a value in the JSON of the body.
	Path string `json:"path,omitempty"`

	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of a query parameter.
	Query string `json:"query,omitempty"`

	// The words of which the value must be one. `*` stands for any characters. A value
	// that is absent or empty is none of them.
	Is []string `json:"is,omitempty"`

	// The words that the value must not be, in the same form.
	IsNot []string `json:"is_not,omitempty"`
}

// Form describes bodies that are forms.
type Form struct {
	// The parameter that holds the event as JSON. Default: the event is the JSON object
	// of the parameters.
	Field string `json:"field,omitempty"`
}

// Methods returns the methods that the provider uses, sorted.
func (p *Provider) Methods() []string {
	methods := []string{http.MethodPost}
	for method := range p.handshakes {
		if method != http.MethodPost {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	return methods
}

// Handshakes returns the handshakes of a method, in the order of the provider's file.
func (p *Provider) Handshakes(method string) []*Responder { return p.handshakes[method] }

// TakesEmpty reports whether the provider tries a URL with a request that holds no
// event.
func (p *Provider) TakesEmpty() bool {
	return slices.ContainsFunc(p.spec.Handshakes, func(h Handshake) bool { return h.Empty })
}

// Challenge returns the query parameters of a GET that is answered with its challenge:
// that of the challenge, and that of the token which proves it. ok is false for a
// provider without one.
func (p *Provider) Challenge() (parameter, token string, ok bool) {
	for _, r := range p.handshakes[http.MethodGet] {
		isQuery := len(r.answer) == 1 && r.answer[0].Kind == template.Query
		if r.Token() != "" && isQuery && len(r.handshake.Conditions) == 0 {
			return r.answer[0].Text, r.Token(), true
		}
	}
	return "", "", false
}

// compileHandshakes checks and prepares the handshakes.
func (p *Provider) compileHandshakes() error {
	p.handshakes = make(map[string][]*Responder)
	for i := range p.spec.Handshakes {
		h := &p.spec.Handshakes[i]
		if err := h.check(); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		if h.Empty {
			continue
		}
		r, err := h.compile()
		if err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		if r.signs() && !p.makesMAC() {
			return errors.New(`handshake: $hmac works only with "verify hmac"`)
		}
		if err := p.checkMACs(r); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		method := cmp.Or(h.Method, http.MethodPost)
		p.handshakes[method] = append(p.handshakes[method], r)
	}
	return nil
}

// makesMAC reports whether the provider proves its requests with an HMAC.
func (p *Provider) makesMAC() bool {
	s := p.spec.Verify.Signature
	return s != nil && slices.Contains([]string{verify.HMACSHA1, verify.HMACSHA256, verify.HMACSHA512}, s.Algorithm)
}
