package sample

import (
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Request returns a request as a provider reads it.
func Request(p *provider.Provider, r fixtures.Request) *verify.Request {
	request := &verify.Request{Method: r.Method, URI: r.Target, Query: r.Query(), Header: r.Header, Body: r.Body}
	p.Attach(request)
	return request
}
