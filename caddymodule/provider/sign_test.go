package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestSignInForm signs events whose signature is in the JSON in a parameter of a form.
func TestSignInForm(t *testing.T) {
	p := get(t, "dropbox-sign")
	sample, err := fixtures.Get("dropbox-sign", "signature_request_sent")
	if err != nil {
		t.Fatal(err)
	}
	urlEncoded := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, test := range []struct {
		name, body string
		header     http.Header
		kept       string
	}{
		{"multipart", string(sample.Body), sample.Header, `name="json"`},
		{"URL-encoded", "a=1&json=%7B%22event%22%3A%7B%22event_type%22%3A%22x%22%7D%7D&b=2", urlEncoded, "a=1&json="},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := proofRequest(t, http.MethodPost, hookURL, test.header, []byte(test.body), time.Unix(1795075332, 0))
			if err := p.Sign(r, "s3cret"); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(r.Body), test.kept) {
				t.Errorf("it is no longer that form: %s", r.Body)
			}
			checkProvider(t, "dropbox-sign", "s3cret", r)
		})
	}
	for _, body := range []string{"a=1", "json=1", "%"} {
		r := proofRequest(t, http.MethodPost, hookURL, urlEncoded, []byte(body), time.Now())
		if err := p.Sign(r, "s3cret"); err == nil {
			t.Errorf("%s is signed: %s", body, r.Body)
		}
	}
}
