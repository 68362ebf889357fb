package caddymodule

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Headers of a delivery, beside those of Standard Webhooks.
const (
	headerAttempt = "Webhook-Attempt" // the number of the attempt, from 1
	headerReplay  = "Webhook-Replay"  // "true" when somebody asked for it again
)

// carried is what is kept of the request that brought an event, for the handlers
// inside `to`: credentials and the body are not.
type carried struct {
	// Subject is that of the event, where an earlier version stored it here.
	Subject string `json:"subject,omitempty"`

	Method     string      `json:"method"`
	URI        string      `json:"uri"`
	Host       string      `json:"host"`
	Proto      string      `json:"proto"`
	RemoteAddr string      `json:"remote"`
	LocalAddr  string      `json:"local,omitempty"`
	TLS        bool        `json:"tls,omitempty"`
	Header     http.Header `json:"header"`
}

// carry returns what is kept of the request.
func (x *exchange) carry() *carried {
	header := x.r.Header.Clone()
	for _, name := range staleHeaders {
		delete(header, name)
	}
	delete(header, "Content-Length")
	c := &carried{
		Method:     x.r.Method,
		URI:        x.r.URL.RequestURI(),
		Host:       x.r.Host,
		Proto:      x.r.Proto,
		RemoteAddr: x.r.RemoteAddr,
		TLS:        x.r.TLS != nil,
		Header:     header,
	}
	if local, ok := x.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		c.LocalAddr = local.String()
	}
	return c
}

// json returns it in JSON.
func (c *carried) json() []byte {
	text, _ := json.Marshal(c) // strings only
	return text
}

// destination returns what the queue needs to know of d.
func (d *Destination) destination(h *Handler) queue.Destination {
	q := queue.Destination{
		Name:        d.Name,
		Filter:      queue.Filter{Source: h.Source},
		Attempts:    d.Attempts,
		Backoff:     queue.Backoff{First: time.Duration(d.Backoff.First), Max: time.Duration(d.Backoff.Max)},
		Timeout:     time.Duration(d.Timeout),
		Concurrency: d.Concurrency,
		Ordered:     d.Ordered,
		Deliver:     d.attempt,
	}
	if d.Rate != nil {
		q.Rate = queue.Rate{N: d.Rate.N, Per: time.Duration(d.Rate.Per)}
	}
	for _, pattern := range d.Types {
		p, _ := envelope.ParseTypePattern(pattern) // checked by complete
		q.Types = append(q.Types, p)
	}
	return q
}

// provisionTo makes the handlers of `to` ready.
func (d *Destination) provisionTo(ctx caddy.Context) error {
	if err := d.To.Provision(ctx); err != nil {
		return &destinationError{d, err}
	}
	d.server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if d.server == nil {
		d.server = new(caddyhttp.Server) // reverse_proxy looks into it
	}
	nobody := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	d.chain = d.To.Compile(nobody)
	return nil
}

// attempt runs the handlers of `to` once, with a request like the one that
// brought the event.
func (d *Destination) attempt(ctx context.Context, delivery *queue.Delivery) queue.Result {
	w := &excerpt{header: make(http.Header)}
	r, err := d.request(ctx, delivery, w)
	if err != nil {
		return queue.Result{Err: err}
	}
	err = w.serve(d.chain, r)
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

// request makes the request of one attempt.
func (d *Destination) request(ctx context.Context, delivery *queue.Delivery, w http.ResponseWriter) (*http.Request, error) {
	c, ok := delivery.Request.Parsed.(*carried)
	if !ok {
		c = new(carried)
		if err := json.Unmarshal(delivery.Request.Bytes, c); err != nil {
			return nil, fmt.Errorf("what is kept of its request cannot be read: %w", err)
		}
	}
	uri, err := url.ParseRequestURI(c.URI)
	if err != nil {
		return nil, fmt.Errorf("what is kept of its URL cannot be read: %w", err)
	}
	header := c.Header.Clone() // others make attempts with it, too
	if header == nil {
		header = make(http.Header)
	}
	local, _ := net.ResolveTCPAddr("tcp", c.LocalAddr) // an address in digits
	if local == nil {
		local = new(net.TCPAddr) // {http.request.local} calls it without looking
	}
	r := (&http.Request{
		Method: c.Method, URL: uri, RequestURI: c.URI, Host: c.Host, RemoteAddr: c.RemoteAddr,
		Proto: c.Proto, Header: header,
	}).WithContext(context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(local)))
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(c.Proto)
	if c.TLS {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: c.Host}
	}
	d.setDelivery(r, delivery)

	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, d.server)
	for name, value := range map[string]string{
		"provider": delivery.Provider, "id": delivery.ID, "type": delivery.Type, "subject": cmp.Or(delivery.Subject, c.Subject),
	} {
		repl.Set("http.webhooks."+name, value)
	}
	return r, nil
}

// setDelivery sets the body and all that says what it is.
func (d *Destination) setDelivery(r *http.Request, delivery *queue.Delivery) {
	body := delivery.OriginalBytes()
	if d.Format == formatCloudEvents && delivery.IsEnvelope() {
		body = delivery.Body
		r.Header["Content-Type"] = []string{envelope.ContentType}
	}
	setBody(r, body)
	d.signer.SetHeaders(r.Header, delivery.Key.String(), time.Now(), body)
	r.Header[headerAttempt] = []string{strconv.Itoa(delivery.Attempt)}
	if delivery.Replay {
		r.Header[headerReplay] = []string{"true"}
	}
}

const (
	// excerptSize is how much of an answer is kept for people to look at.
	excerptSize = 1 << 10

	// maxAnswer is how much of an answer is read: it says by its status what there
	// is to say.
	maxAnswer = 1 << 20
)

// errAnswerTooLong ends an answer that is longer than maxAnswer.
var errAnswerTooLong = errors.New("the rest of the answer is of no interest")

// excerpt is what a destination answers to: it keeps the status and the
// beginning.
type excerpt struct {
	header http.Header
	status int
	body   []byte
	size   int
}

func (e *excerpt) Header() http.Header { return e.header }

func (e *excerpt) WriteHeader(status int) {
	if e.status == 0 && status >= 200 {
		e.status = status
	}
}

func (e *excerpt) Write(p []byte) (int, error) {
	e.WriteHeader(http.StatusOK)
	if e.size += len(p); e.size > maxAnswer {
		return 0, errAnswerTooLong
	}
	e.body = append(e.body, p[:min(len(p), excerptSize-len(e.body))]...)
	return len(p), nil
}

// serve calls a handler. An answer that breaks off is an error, unless it was
// broken off here.
func (e *excerpt) serve(h caddyhttp.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			err = errors.New("the answer broke off")
		} else if p != nil {
			panic(p)
		}
		if e.size > maxAnswer {
			err = nil
		}
	}()
	return h.ServeHTTP(e, r)
}
