package caddymodule_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// document returns the JSON of a request, which may be in a form.
func (v vendor) document(t *testing.T, r fixtures.Request) string {
	t.Helper()
	payload := v.NewPayload(r.Header.Get("Content-Type"), r.Body)
	text, ok := payload.JSON()
	if !ok {
		t.Fatal("the body has no JSON")
	}
	return text
}

// withDocument returns the request with other JSON, which may be in a parameter of a form.
func (v vendor) withDocument(t *testing.T, r fixtures.Request, document string) fixtures.Request {
	t.Helper()
	contentType := r.Header.Get("Content-Type")
	if v.Spec().Form == nil || form.MediaType(contentType) == "" {
		r.Body = []byte(document)
		return r
	}
	isThere := false
	body, err := form.Rewrite(contentType, r.Body, func(p form.Parameter) (string, bool) {
		if p.Name != v.Spec().Form.Field {
			return p.Value, true
		}
		isThere = true
		return document, true
	})
	if err != nil || !isThere {
		t.Fatalf("no JSON in the form (%v)", err)
	}
	r.Body = body
	return r
}

// received returns a fixture as it comes to the vendor's block.
func (v vendor) received(f fixtures.Fixture) fixtures.Request {
	r := f.Request
	_, query, _ := strings.Cut(r.Target, "?")
	r.Target = "/" + v.Name()
	return withQuery(r, strings.TrimSuffix("kept=1&"+query, "&"))
}

// recordings returns a fixture as it comes to the vendor's block, and a form also as JSON,
// if bodies that are no forms are proved in another way.
func (v vendor) recordings(t *testing.T, f fixtures.Fixture) []fixtures.Request {
	t.Helper()
	r := v.received(f)
	all := []fixtures.Request{r}
	if s := v.Spec().Verify.Signature; s != nil && s.BodyHash != "" && form.MediaType(r.Header.Get("Content-Type")) != "" {
		other := fixtures.Body([]byte(v.document(t, r)))
		other.Target = r.Target
		all = append(all, other)
	}
	return all
}

// to returns a request to the gateway.
func to(t *testing.T, r fixtures.Request) *http.Request {
	t.Helper()
	path, _, _ := strings.Cut(r.Target, "?")
	request, err := r.To(gatewayURL + path)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// withQuery returns the request with another query.
func withQuery(r fixtures.Request, query string) fixtures.Request {
	path, _, _ := strings.Cut(r.Target, "?")
	if query != "" {
		path += "?" + query
	}
	r.Target = path
	return r
}

// setBody gives a request another body.
func setBody(r *http.Request, body []byte) {
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, _ = r.GetBody()
}
