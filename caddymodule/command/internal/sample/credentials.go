// Package sample sends sample deliveries as providers do: signed, or with a token.
package sample

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Credentials are what a delivery proves itself with. Empty ones are not sent.
type Credentials struct {
	// Secret is the key to sign with.
	Secret string

	// Token is the token to present.
	Token string

	// BasicAuth is a user name and a password, with a colon between them.
	BasicAuth string

	// URL is the public URL of the block, for a provider that signs it. Default: the one
	// that the delivery is sent to.
	URL string
}

// SplitBasicAuth splits BasicAuth.
func (c Credentials) SplitBasicAuth() (username, password string, err error) {
	username, password, ok := strings.Cut(c.BasicAuth, ":")
	if !ok {
		return "", "", errors.New("--basic-auth needs a colon, as in name:password")
	}
	return username, password, nil
}

// Missing returns an error that names a credential that the provider needs and c
// lacks, nil if there is none.
func (c Credentials) Missing(p *provider.Provider) error {
	v := p.Spec().Verify
	switch {
	case (v.Signature != nil || v.JWT != nil) && c.Secret == "":
		return fmt.Errorf("%s signs its requests; give the %s with --secret", p.Name(), keyKind(p))
	case v.Token != nil && c.Token == "":
		return fmt.Errorf("%s presents a token; give it with --token", p.Name())
	case v.Basic && c.BasicAuth == "":
		return fmt.Errorf("%s uses basic auth; give it with --basic-auth name:password", p.Name())
	}
	return nil
}

// keyKind returns which key signs.
func keyKind(p *provider.Provider) string {
	if p.Needs().PublicKey {
		return "private key, in PEM, whose public key is in the block,"
	}
	return "key"
}

// HideToken replaces the token in an answer that returns it.
func (c Credentials) HideToken(answer []byte) []byte {
	answer = bytes.TrimSpace(answer)
	if c.Token == "" {
		return answer
	}
	return bytes.ReplaceAll(answer, []byte(c.Token), []byte("(the token)"))
}

// prove adds the credentials to a request as the provider does. body is the body
// of the request, and at the time of its signature.
func (c Credentials) prove(r *http.Request, p *provider.Provider, body []byte, at time.Time) error {
	if c.BasicAuth != "" {
		username, password, err := c.SplitBasicAuth()
		if err != nil {
			return err
		}
		r.SetBasicAuth(username, password)
	}
	if token := p.Spec().Verify.Token; token != nil && c.Token != "" {
		return c.present(r, p, token.Places[0], body)
	}
	if c.Secret == "" {
		return nil
	}
	return c.sign(r, p, body, at)
}

// present presents the token.
func (c Credentials) present(r *http.Request, p *provider.Provider, place verify.Place, body []byte) error {
	if place.Body == "" {
		place.Present(r, c.Token)
		return nil
	}
	return inPayload(r, p, body, func(payload []byte) ([]byte, error) { return place.PresentInBody(payload, c.Token) })
}

// sign signs the request.
func (c Credentials) sign(r *http.Request, p *provider.Provider, body []byte, at time.Time) error {
	signed := &verify.Request{
		Method: r.Method,
		URI:    r.URL.RequestURI(),
		URL:    c.publicURL(r.URL),
		Query:  r.URL.RawQuery,
		Header: r.Header,
		Body:   body,
		Time:   at,
	}
	if err := p.Sign(signed, c.Secret); err != nil {
		return fmt.Errorf("cannot sign the request: %w", err)
	}
	r.URL.RawQuery = signed.Query
	setBody(r, signed.Body)
	return nil
}

// inPayload changes the payload of a request: its body, or what is in a form.
func inPayload(r *http.Request, p *provider.Provider, body []byte, change func([]byte) ([]byte, error)) error {
	recorded := fixtures.Request{Header: r.Header, Body: body}
	payload, ok := Request(p, recorded).JSON()
	if !ok {
		return errors.New("the credential belongs in the payload, which is not JSON; write it into a payload of your own, and give that with --body")
	}
	changed, err := change([]byte(payload))
	if err != nil {
		return err
	}
	if recorded, err = withPayload(p, recorded, string(changed)); err != nil {
		return err
	}
	r.Header = recorded.Header
	setBody(r, recorded.Body)
	return nil
}

// publicURL returns the public URL of a request: its query is that of the request.
func (c Credentials) publicURL(to *url.URL) string {
	if c.URL == "" {
		return to.String()
	}
	base, _, _ := strings.Cut(c.URL, "?")
	if to.RawQuery == "" {
		return base
	}
	return base + "?" + to.RawQuery
}

// setBody sets the body of a request.
func setBody(r *http.Request, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}
