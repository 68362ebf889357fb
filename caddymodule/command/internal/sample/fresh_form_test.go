package sample_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestFreshForms shows where a new id goes in a form.
func TestFreshForms(t *testing.T) {
	const multipart = "multipart/form-data; boundary=b"
	id := provider.Source{Paths: []string{"id"}}
	parameters, field := new(provider.Form), &provider.Form{Field: "data"}
	part := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	for _, test := range []struct {
		name        string
		form        *provider.Form
		keys        []string
		contentType string
		body        string
		want        string // with ID in the place of an id
	}{
		{"parameter", parameters, nil, form.URLEncoded, "a=%2B&id=1&a=2", "a=+&a=2&id=ID"},
		{"no id", parameters, []string{"hash"}, form.URLEncoded, "a=1", "caddy_webhooks_new_id=ID&a=1"},
		{"part", parameters, nil, multipart, part("id", "1") + part("a", "2") + "--b--\r\n", "id=ID&a=2"},
		{"field", field, nil, form.URLEncoded, "a=%41&data=%7B%22id%22%3A%221%22%7D", `a=A&data={"id":"ID"}`},
		{"field of a part", field, nil, multipart, part("data", `{"id":"1"}`) + "--b--\r\n", part("data", `{"id":"ID"}`) + "--b--\r\n"},
		{"no field", field, nil, form.URLEncoded, "id=1", "id=ID"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := fixtures.Body([]byte(test.body))
			r.Header.Set("Content-Type", test.contentType)
			fresh := wantFresh(t, compiled(t, provider.Spec{ID: id, Keys: test.keys, Form: test.form}), r)
			text, err := url.QueryUnescape(string(fresh)) // an escape before an id looks like a part of it
			if err != nil {
				t.Fatal(err)
			}
			if got := newText.ReplaceAllString(text, "ID"); got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// TestFreshFormErrors shows which forms have no new id.
func TestFreshFormErrors(t *testing.T) {
	for _, body := range []string{"data=%7B%7D&data=%7B%7D", "data=1", "a=%zz"} {
		r := fixtures.Body([]byte(body))
		r.Header.Set("Content-Type", form.URLEncoded)
		p := compiled(t, provider.Spec{ID: provider.Source{Paths: []string{"id"}}, Form: &provider.Form{Field: "data"}})
		if fresh, err := sample.Fresh(p, r); err == nil || !strings.HasPrefix(err.Error(), "--new-id: ") {
			t.Errorf("%s became %s, %v", body, fresh.Body, err)
		}
	}
}
