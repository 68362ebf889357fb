package sample

import (
	"cmp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Request returns a request as a provider reads it. Its URL is https, as providers ask
// for.
func Request(p *provider.Provider, r fixtures.Request) *verify.Request {
	request := &verify.Request{
		Method: r.Method,
		URI:    r.Target,
		URL:    "https://" + cmp.Or(r.Header.Get("Host"), "localhost") + r.Target,
		Query:  r.Query(),
		Header: r.Header,
		Body:   r.Body,
	}
	p.Attach(request)
	return request
}

// RequestTo is Request for a request that is sent to a URL.
func RequestTo(to string, p *provider.Provider, r fixtures.Request) (*verify.Request, error) {
	sent, err := r.To(to)
	if err != nil {
		return nil, withoutURL(err)
	}
	request := Request(p, r)
	request.URI, request.URL, request.Query = sent.URL.RequestURI(), sent.URL.String(), sent.URL.RawQuery
	return request, nil
}
