package webhooks

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TestProviderDefaults shows whose tolerance and window a block has: its own, or else the
// provider's, or else the common ones.
func TestProviderDefaults(t *testing.T) {
	const signed = "provider signed {\n verify hmac sha256 {\n signature header X-Sig\n content $timestamp$body\n timestamp header X-Time\n }\n type type\n"
	for _, c := range []struct {
		name, lines       string
		block             Handler
		tolerance, window time.Duration
	}{
		{"common", "", Handler{}, verify.DefaultTolerance, dedup.DefaultHashWindow},
		{"the provider's", "tolerance 1m\ndedup 3h\n", Handler{}, time.Minute, 3 * time.Hour},
		{
			"the block's", "tolerance 1m\ndedup 3h\n",
			Handler{Tolerance: caddy.Duration(time.Second), Dedup: &Dedup{Window: caddy.Duration(time.Hour)}},
			time.Second, time.Hour,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, err := provider.Parse("signed", []byte(signed+c.lines+"}"))
			if err != nil {
				t.Fatal(err)
			}
			p, err := spec.Compile()
			if err != nil {
				t.Fatal(err)
			}
			h := &c.block
			h.setDefaults(p)
			if got := time.Duration(h.Tolerance); got != c.tolerance {
				t.Errorf("tolerance %s, want %s", got, c.tolerance)
			}
			if got := time.Duration(h.Dedup.Window); got != c.window {
				t.Errorf("window %s, want %s", got, c.window)
			}
		})
	}
}
