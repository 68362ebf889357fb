package sample

import (
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Request returns a request as a provider reads it.
func Request(r fixtures.Request) *verify.Request {
	_, query, _ := strings.Cut(r.Target, "?")
	return &verify.Request{Method: r.Method, URI: r.Target, Query: query, Header: r.Header, Body: r.Body}
}
