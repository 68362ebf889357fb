package sample

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// Timeout is how long a delivery may take.
const Timeout = 30 * time.Second

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 4 << 10

// Answer is the answer to a delivery.
type Answer struct {
	// Code is the status code.
	Code int

	// Status is the status line, such as "200 OK".
	Status string

	// Header is the header of the answer.
	Header http.Header

	// Body is the beginning of the body, at most 4 KiB.
	Body []byte
}

// CheckURL checks that a delivery can be sent to a URL.
func CheckURL(to string) error {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("--to must begin with http:// or https://, and name a host")
	}
	return nil
}

// Send sends a recorded request of a provider to a URL, with the URL's path. at is the
// time of its signature.
func Send(client *http.Client, to string, p *provider.Provider, c Credentials, recorded fixtures.Request, at time.Time) (Answer, error) {
	r, err := recorded.To(to)
	if err != nil {
		return Answer{}, withoutURL(err)
	}
	if err := c.prove(r, p, recorded.Body, at); err != nil {
		return Answer{}, err
	}
	return Do(client, r)
}

// NewClient returns a client that follows no redirect. timeout is how long a request
// may take. With roots, it trusts certificates of these authorities only.
func NewClient(timeout time.Duration, roots *x509.CertPool) *http.Client {
	client := &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if roots != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		client.Transport = transport
	}
	return client
}

// Do makes a request.
func Do(client *http.Client, r *http.Request) (Answer, error) {
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, withoutURL(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return Answer{response.StatusCode, response.Status, response.Header, body}, err
}

// withoutURL removes the URL from an error: it may hold a token.
func withoutURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
