// Package delivery delivers events from the queue to destinations: one attempt at a
// time, through Caddy's handlers.
package delivery

import (
	"context"
	"errors"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Destination makes attempts to deliver events, each through a chain of handlers.
type Destination struct {
	// Format is the form of the events that the destination gets.
	Format string

	// Signer signs each attempt. With a nil one they are not signed.
	Signer *envelope.Signer

	// Chain is the handlers of `to`.
	Chain caddyhttp.Handler

	// Server is the server that they see.
	Server *caddyhttp.Server
}

// Attempt runs the handlers once, with a request like the one that brought the
// event, and returns their answer.
func (d *Destination) Attempt(ctx context.Context, delivery *queue.Delivery) queue.Result {
	w := newExcerpt()
	r, err := d.request(ctx, delivery, w)
	if err != nil {
		return queue.Result{Err: err}
	}
	err = w.serve(d.Chain, r)
	result := queue.Result{Status: w.status, RetryAfter: w.header.Get("Retry-After"), Excerpt: w.body, Err: err}
	var handlerErr caddyhttp.HandlerError
	if errors.As(err, &handlerErr) {
		result.Status = handlerErr.StatusCode
		if handlerErr.Err != nil {
			result.Err = handlerErr.Err
		}
	}
	if err == nil && w.status == 0 {
		result.Err = errors.New("no handler answered; put one, such as reverse_proxy, into `to`")
		if ctx.Err() != nil {
			result.Err = context.Cause(ctx)
		}
	}
	return result
}
