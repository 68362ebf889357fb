package command

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// addCredentialFlags adds the flags that say how a sample proves itself.
func addCredentialFlags(cmd *cobra.Command) {
	cmd.Flags().String("secret", "", "Key to sign with, as in the block's `secret`; {env.NAME} and {file./path} work")
	cmd.Flags().String("token", "", "Token to present, as in the block's `token`; {env.NAME} and {file./path} work")
	cmd.Flags().String("basic-auth", "", "User name and password, as name:password")
	cmd.Flags().StringArrayP("header", "H", nil, "Header to add, as `Name: value`; may be repeated")
}

// credentials are what a sample proves itself with.
type credentials struct {
	secret, token, basicAuth string
	header                   http.Header
}

func readCredentials(fl caddycmd.Flags) (credentials, error) {
	c := credentials{
		secret:    fl.String("secret"),
		token:     fl.String("token"),
		basicAuth: fl.String("basic-auth"),
		header:    make(http.Header),
	}
	lines, err := fl.GetStringArray("header")
	if err != nil {
		return c, err
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return c, fmt.Errorf("-H takes `Name: value`, with a colon")
		}
		c.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return c, nil
}

// resolve resolves the placeholders in the credentials.
func (c *credentials) resolve() error {
	for _, flag := range []struct {
		name  string
		value *string
	}{{"--secret", &c.secret}, {"--token", &c.token}, {"--basic-auth", &c.basicAuth}} {
		if *flag.value == "" {
			continue
		}
		resolved, err := webhooks.Resolve(flag.name, *flag.value)
		if err != nil {
			return err
		}
		*flag.value = resolved
	}
	return nil
}

// splitBasicAuth splits name:password.
func splitBasicAuth(s string) (username, password string, err error) {
	username, password, ok := strings.Cut(s, ":")
	if !ok {
		return "", "", errors.New("--basic-auth takes name:password, with a colon")
	}
	return username, password, nil
}

// prove makes r prove itself as a delivery of p does; body is its body.
func (c credentials) prove(r *http.Request, p *provider.Provider, body []byte, at time.Time) error {
	for name, values := range c.header {
		r.Header[name] = values
	}
	if c.basicAuth != "" {
		username, password, err := splitBasicAuth(c.basicAuth)
		if err != nil {
			return err
		}
		r.SetBasicAuth(username, password)
	}
	if token := p.Spec().Verify.Token; token != nil && c.token != "" {
		place := token.Places[0]
		if place.Body != "" {
			return fmt.Errorf("%s presents its token in the body; put it into the payload yourself", p.Name())
		}
		place.Present(r, c.token)
	}
	scheme := p.Spec().Verify.Signature
	if scheme == nil || c.secret == "" {
		return nil
	}
	return scheme.Sign(&verify.Request{
		Method: r.Method,
		URI:    r.URL.RequestURI(),
		Query:  r.URL.RawQuery,
		Header: r.Header,
		Body:   body,
		Time:   at,
	}, c.secret)
}

// hide replaces the token in an answer that gives it back.
func (c credentials) hide(answer []byte) []byte {
	answer = bytes.TrimSpace(answer)
	if c.token == "" {
		return answer
	}
	return bytes.ReplaceAll(answer, []byte(c.token), []byte("(the token)"))
}

// missing names the credential that a provider needs and that is not there.
func (c credentials) missing(p *provider.Provider) error {
	v := p.Spec().Verify
	switch {
	case v.Signature != nil && c.secret == "":
		return fmt.Errorf("%s signs what it sends: give the key with --secret", p.Name())
	case v.Token != nil && c.token == "":
		return fmt.Errorf("%s presents a token: give it with --token", p.Name())
	case v.Basic && c.basicAuth == "":
		return fmt.Errorf("%s uses basic auth: give it with --basic-auth name:password", p.Name())
	}
	return nil
}
