// Package caddymodule plugs everything into Caddy. Import it for its side effects,
// as `xcaddy build --with` does.
//
// The path of a webhook is the order of the packages:
//
//	webhooks      configuration: the directive, the app, defaults, rules, lifecycle
//	ingress       one request: read, verify, handshake, split; then directly to the
//	              next handler, or to the queue
//	delivery      one attempt to deliver an event from the queue to a destination
//	admin         the API under /webhooks/ on Caddy's admin endpoint
//	command       `caddy webhooks …`
//	console       the web pages
//	journal       what happened, for admin, command and console
//
//	provider      a provider as data: its spec, its parser, its compiled form; handshakes
//	verify        proof: signatures, tokens, basic auth
//	template      texts made from a request: signed contents, ids, answers
//	form          bodies that are HTML forms
//	envelope      the event as CloudEvents JSON; Standard Webhooks signatures
//	dedup         claim → commit or release, in memory, for the direct way
//	queue         events on disk: log, positions of destinations, deferred deliveries
//	subscription  a provider's own API for its webhooks: plan, apply
package caddymodule

import (
	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule/admin"    // the admin API
	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule/command"  // the commands
	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule/console"  // the web pages
	_ "github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks" // the directive and the app
)
