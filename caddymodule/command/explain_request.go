package command

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// read reads the request of --request, or makes one of --body and --query, with the
// headers of -H.
func (e *explanation) read(fl caddycmd.Flags) (err error) {
	request, body := fl.String("request"), fl.String("body")
	switch {
	case (request == "") == (body == ""):
		return errors.New("use either --request, a file with the recorded request, or --body, a file with its body; - is standard input")
	case request != "" && fl.String("query") != "":
		return errors.New("--query is for --body; with --request, write the query into the request line")
	}
	text, err := readFile(request + body)
	if err != nil {
		return err
	}
	if request == "" {
		e.recorded = fixtures.Body(text)
		if query := fl.String("query"); query != "" {
			e.recorded.Target += "?" + query
		}
	} else if e.recorded, err = fixtures.ParseRequest(text); err != nil {
		return fmt.Errorf("--request: %w", err)
	}
	if e.url, err = url.ParseRequestURI(e.recorded.Target); err != nil {
		return errors.New("--query is not a query; write it as a=b&c=d")
	}
	return setHeaders(fl, e.recorded.Header)
}

// readTime reads --at.
func (e *explanation) readTime(at string) error {
	if at == "" {
		e.at = time.Now()
		return nil
	}
	e.isAtSet = true
	if seconds, err := strconv.ParseInt(at, 10, 64); err == nil {
		e.at = time.Unix(seconds, 0)
		return nil
	}
	var err error
	if e.at, err = time.Parse(time.RFC3339, at); err != nil {
		return errors.New("--at needs a time in RFC 3339, such as 2026-11-20T12:00:00Z, or in Unix seconds")
	}
	return nil
}

// request returns the request as the server hands it to handlers. It counts as HTTPS,
// which providers ask for.
func (e *explanation) request() *http.Request {
	r := httptest.NewRequest(e.recorded.Method, "/", bytes.NewReader(e.recorded.Body))
	r.URL, r.RequestURI = new(*e.url), e.recorded.Target
	r.Header = e.recorded.Header.Clone()
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Del("Host")
	r.TLS = new(tls.ConnectionState)
	return r
}

// proofRequest returns the request, with another body, as verifiers get it.
func (e *explanation) proofRequest(body []byte) *verify.Request {
	r := &verify.Request{
		Method: e.recorded.Method,
		URI:    e.recorded.Target,
		URL:    e.publicURL(),
		Query:  e.recorded.Query(),
		Header: e.recorded.Header,
		Body:   body,
		Time:   e.at,
	}
	e.provider.Attach(r)
	return r
}

// publicURL returns the URL that the provider has called, as the handler takes it.
func (e *explanation) publicURL() string {
	if e.public == "" {
		return "https://" + e.request().Host + e.recorded.Target
	}
	base, _, _ := strings.Cut(e.public, "?")
	if e.url.RawQuery == "" {
		return base
	}
	return base + "?" + e.url.RawQuery
}
