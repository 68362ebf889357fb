package delivery

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
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
	repl.Map(placeholders(delivery.Event))
	return r, nil
}

// placeholders returns the values of `{http.webhooks.…}` for a replacer.
func placeholders(e *queue.Event) caddy.ReplacerFunc {
	return func(name string) (any, bool) {
		name, ok := strings.CutPrefix(name, "http.webhooks.")
		if !ok {
			return nil, false
		}
		switch name {
		case "provider":
			return e.Provider, true
		case "id":
			return e.ID, true
		case "message_id":
			return e.Key.String(), true
		case "type":
			return e.Type, true
		case "subject":
			return e.Subject, true
		}
		return nil, false
	}
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
	delete(header, "Accept-Encoding") // people read the answer, not the provider
	// {http.request.local} calls it without looking.
	local := new(net.TCPAddr)
	if address, err := netip.ParseAddrPort(s.LocalAddr); err == nil {
		local = net.TCPAddrFromAddrPort(address)
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
