package delivery

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/traced"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Headers of an attempt, beside those of Standard Webhooks.
const (
	headerAttempt = "Webhook-Attempt" // the number of the attempt, from 1
	headerReplay  = "Webhook-Replay"  // "true" for an event that is replayed
)

// request returns the request of one attempt.
func (d *Destination) request(ctx context.Context, delivery *queue.Delivery, w http.ResponseWriter) (*http.Request, error) {
	r, err := restore(ctx, delivery.Request)
	if err != nil {
		return nil, err
	}
	d.setEvent(r, delivery)
	if isTraced(delivery.Event) {
		traced.SetHeader(ctx, r.Header)
	}

	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, d.Server)
	for name, value := range map[string]string{
		"provider":   delivery.Provider,
		"id":         delivery.ID,
		"message_id": delivery.Key.String(),
		"type":       delivery.Type,
		"subject":    delivery.Subject,
	} {
		repl.Set("http.webhooks."+name, value)
	}
	return r, nil
}

// restore returns a request like the one that is stored.
func restore(ctx context.Context, s *queue.Request) (*http.Request, error) {
	uri, err := url.ParseRequestURI(s.URI)
	if err != nil {
		return nil, fmt.Errorf("cannot read the stored URL: %w", err)
	}
	header := s.Header.Clone() // other attempts use it, too
	if header == nil {
		header = make(http.Header)
	}
	delete(header, "Accept-Encoding")                  // people read the answer, not the provider
	local, _ := net.ResolveTCPAddr("tcp", s.LocalAddr) // an address in digits
	if local == nil {
		local = new(net.TCPAddr) // {http.request.local} calls it without looking
	}
	r := (&http.Request{
		Method: s.Method, URL: uri, RequestURI: s.URI, Host: s.Host, RemoteAddr: s.RemoteAddr,
		Proto: s.Proto, Header: header,
	}).WithContext(context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(local)))
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(s.Proto)
	if s.TLS {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: s.Host}
	}
	return r, nil
}

// setEvent makes r the request that carries an event to the destination.
func (d *Destination) setEvent(r *http.Request, delivery *queue.Delivery) {
	body := delivery.OriginalBytes()
	if d.Format == envelope.FormatCloudEvents && delivery.IsEnvelope() {
		body = delivery.Body
		envelope.SetEnvelope(r, body)
	} else {
		envelope.SetBody(r, body)
	}
	d.Signer.SetHeaders(r.Header, delivery.Key.String(), time.Now(), body)
	r.Header[headerAttempt] = []string{strconv.Itoa(delivery.Attempt)}
	if delivery.Replay {
		r.Header[headerReplay] = []string{"true"}
	}
}
