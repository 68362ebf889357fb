package provider

import (
	"errors"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Sign signs a request as the provider does, with a secret or a private key, at the time of
// the request. It is for samples and tests.
func (p *Provider) Sign(r *verify.Request, secret string) error {
	payload := p.Attach(r)
	s := p.spec.Verify.Signature
	if s == nil || !s.IsInBody() || payload.OriginalType() == "" {
		return p.spec.Verify.Sign(r, secret)
	}
	return p.signInForm(r, payload, secret)
}

// signInForm signs the JSON in a parameter of a form.
func (p *Provider) signInForm(r *verify.Request, payload *Payload, secret string) error {
	if err := payload.Check(); err != nil {
		return err
	}
	field := p.spec.Form.Field
	if field == "" || !slices.ContainsFunc(payload.form, func(q form.Parameter) bool { return q.Name == field }) {
		return errors.New("the signature belongs in JSON in a parameter of the form, and there is none")
	}
	event := *r
	event.Body, event.JSON, event.Form = []byte(payload.Text()), nil, nil
	if err := p.spec.Verify.Sign(&event, secret); err != nil {
		return err
	}
	body, err := form.Rewrite(payload.contentType, r.Body, func(q form.Parameter) (string, bool) {
		if q.Name == field {
			return string(event.Body), true
		}
		return q.Value, true
	})
	if err != nil {
		return err
	}
	event.Body = body
	*r = event
	p.Attach(r)
	return nil
}
