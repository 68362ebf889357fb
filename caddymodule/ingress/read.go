package ingress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// read checks the method and the URL, and reads the body, up to MaxBody.
func (x *exchange) read() error {
	if x.r.Method != http.MethodPost && len(x.rc.Provider.Handshakes(x.r.Method)) == 0 {
		x.w.Header().Set("Allow", x.rc.methods())
		return refuse(outcomeWrongMethod, fmt.Errorf("method not allowed; the provider uses %s", x.rc.methods()))
	}
	if !x.hasPath() {
		return refuse(outcomeMalformed, errors.New("the target of the request is not a path"))
	}
	limit := x.rc.MaxBody
	if x.r.ContentLength > limit {
		return refuse(outcomeTooLarge, fmt.Errorf("the body has %d bytes, and `max_body` is %d", x.r.ContentLength, limit))
	}
	body, err := readAll(http.MaxBytesReader(x.w, x.r.Body, limit), x.r.ContentLength, limit)
	x.size = int64(len(body))
	var tooLong *http.MaxBytesError
	var handlerErr caddyhttp.HandlerError
	switch {
	case errors.As(err, &tooLong),
		errors.As(err, &handlerErr) && handlerErr.StatusCode == http.StatusRequestEntityTooLarge:
		return refuse(outcomeTooLarge, fmt.Errorf("the body has more bytes than `max_body`, which is %d, or than `request_body` allows", limit))
	case err != nil:
		return refuse(outcomeMalformed, fmt.Errorf("the body ended early, after %d bytes", len(body)))
	}
	x.body = body
	x.payload = x.rc.Provider.NewPayload(x.r.Header.Get("Content-Type"), body)
	return nil
}

// hasPath reports whether the target of the request is a path, unlike `*` and
// `host:port`, and, for the queue, one that an attempt can be made with.
func (x *exchange) hasPath() bool {
	if x.r.URL.Opaque != "" || x.r.URL.Path == "*" {
		return false
	}
	if x.rc.Queue == nil {
		return true
	}
	_, err := url.ParseRequestURI(x.target())
	return err == nil
}

// target returns path and query of the request. A rewrite may have left a path without
// its slash.
func (x *exchange) target() string {
	target := x.r.URL.RequestURI()
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	return target
}

// trustedLength is the number of bytes up to which memory is reserved because a
// request declares them. Beyond that, memory follows the bytes that arrive.
const trustedLength = 64 << 10

// readAll reads r to its end, or until it fails. length is the declared length, or -1;
// limit is the maximum number of bytes in r.
func readAll(r io.Reader, length, limit int64) ([]byte, error) {
	// One byte more than declared, so that the end is seen without growing.
	body := make([]byte, 0, min(max(length, bytes.MinRead), trustedLength)+1)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			rest := int(length) + 1 - len(body)
			body = slices.Grow(body, min(max(rest, len(body)), int(limit)+1-len(body)))
		}
	}
}

// verify proves who sent the request.
func (x *exchange) verify(verifier verify.Verifier) error {
	_, span := x.span(spanVerify, trace.SpanKindInternal)
	proof, err := verifier.Verify(x.request())
	span.endVerify(proof.Ordinal, err)
	if err != nil {
		return err
	}
	x.proof = proof
	x.applyPreference()
	if proof.Ordinal > 0 {
		x.rc.Metrics.secretMatches.WithLabelValues(x.rc.Provider.Name(), strconv.Itoa(proof.Ordinal)).Inc()
	}
	if line := x.debug("proved"); line != nil {
		line.Write(zap.String("provider", x.rc.Provider.Name()), zap.Int("secret", proof.Ordinal))
	}
	return nil
}

// request returns the request as the client sent it: handlers before this one may have
// rewritten the URL. It is for after read.
func (x *exchange) request() *verify.Request {
	if x.sent != nil {
		return x.sent
	}
	uri, query := x.r.RequestURI, x.r.URL.RawQuery
	if original, ok := x.r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		uri, query = original.RequestURI, original.URL.RawQuery
	}
	x.sent = &verify.Request{
		Method: x.r.Method,
		URI:    uri,
		Query:  query,
		Header: x.r.Header,
		Body:   x.body,
		JSON:   x.payload.JSON,
		Form:   x.payload.Form,
		Time:   x.received,
	}
	if x.rc.ReadsURL {
		x.sent.URL = x.publicURL(uri, query)
	}
	return x.sent
}
