// Command caddy is Caddy with its standard modules and the webhooks module:
// what `xcaddy build --with github.com/caddy-webhooks/caddy-webhooks/caddymodule`
// generates.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func main() {
	caddycmd.Main()
}
