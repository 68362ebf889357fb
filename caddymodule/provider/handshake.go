package provider

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Challenge returns the handshake that is a GET with a challenge, nil for a provider
// without one.
func (p *Provider) Challenge() *verify.Handshake {
	handshakes := p.Spec().Handshakes
	i := slices.IndexFunc(handshakes, func(h verify.Handshake) bool { return h.Query != "" })
	if i < 0 {
		return nil
	}
	return &handshakes[i]
}

// TakesEmpty reports whether the provider tries a URL with a request that holds no
// event.
func (p *Provider) TakesEmpty() bool {
	return slices.ContainsFunc(p.Spec().Handshakes, func(h verify.Handshake) bool { return h.Empty })
}
