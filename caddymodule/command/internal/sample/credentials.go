// Package sample sends sample deliveries as providers do: signed, or with a token.
package sample

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Credentials are what a delivery proves itself with. Empty ones are not sent.
type Credentials struct {
	// Secret is the key to sign with.
	Secret string

	// Token is the token to present.
	Token string

	// BasicAuth is a user name and a password, with a colon between them.
	BasicAuth string
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
		return fmt.Errorf("%s signs its requests; give the key with --secret%s", p.Name(), privateHint(p))
	case v.Token != nil && c.Token == "":
		return fmt.Errorf("%s presents a token; give it with --token", p.Name())
	case v.Basic && c.BasicAuth == "":
		return fmt.Errorf("%s uses basic auth; give it with --basic-auth name:password", p.Name())
	}
	return nil
}

// privateHint explains which key signs, if the block has another one.
func privateHint(p *provider.Provider) string {
	if p.Needs().PublicKey {
		return ": a private key, whose public key is in the block"
	}
	return ""
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
		place := token.Places[0]
		if place.Body == "" {
			place.Present(r, c.Token)
		} else {
			var err error
			if body, err = place.PresentInBody(body, c.Token); err != nil {
				return err
			}
			setBody(r, body)
		}
	}
	if c.Secret == "" {
		return nil
	}
	signed := &verify.Request{
		Method: r.Method,
		URI:    r.URL.RequestURI(),
		URL:    r.URL.String(),
		Query:  r.URL.RawQuery,
		Header: r.Header,
		Body:   body,
		Time:   at,
	}
	if err := p.Sign(signed, c.Secret); err != nil {
		return err
	}
	r.URL.RawQuery = signed.Query
	setBody(r, signed.Body)
	return nil
}

// setBody sets the body of a request.
func setBody(r *http.Request, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}
