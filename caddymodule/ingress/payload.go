package ingress

import "github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"

// payload is the JSON in a body, made when it is first needed.
type payload struct {
	text    string
	err     error
	checked bool
}

// check makes the JSON in the body. The error is that of envelope.Check.
func (x *exchange) check() error {
	p := &x.payload
	if p.checked {
		return p.err
	}
	p.checked = true
	p.text, p.err = asString(x.body), envelope.Check(x.body)
	return p.err
}

// json implements verify.Request.JSON.
func (x *exchange) json() (text string, ok bool) {
	err := x.check()
	return x.payload.text, err == nil
}
