package provider_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TestPayload shows the JSON of a body, by the form that a provider sends.
func TestPayload(t *testing.T) {
	const text = "application/json"
	for _, test := range []struct {
		name, word, contentType, body string
		want, originalType            string
		err                           error
	}{
		{"JSON", "", text, `{"a":1}`, `{"a":1}`, "", nil},
		{"JSON of a provider of forms", "form", text, `{"a":1}`, `{"a":1}`, "", nil},
		{"no Content-Type", "form", "", `{"a":1}`, `{"a":1}`, "", nil},
		{"a form that is not expected", "", form.URLEncoded, `a=1`, "", "", envelope.ErrNotJSON},
		{"a form", "form", form.URLEncoded, `a=1&b=2`, `{"a":"1","b":"2"}`, form.URLEncoded, nil},
		{"a form as JSON", "form", text, `a=1`, "", "", envelope.ErrNotJSON},
		{"JSON as a form", "form", form.URLEncoded, `{"a":1}`, "", form.URLEncoded, form.ErrBroken},
		{"a field", "form data", form.URLEncoded, `a=1&data=%7B%22b%22%3A2%7D`, `{"b":2}`, form.URLEncoded, nil},
		{"no field", "form data", form.URLEncoded, `a=1`, `{"a":"1"}`, form.URLEncoded, nil},
		{"an empty field", "form data", form.URLEncoded, `data=`, "", form.URLEncoded, envelope.ErrNotJSON},
		{"a field that is not JSON", "form data", form.URLEncoded, `data=a`, "", form.URLEncoded, envelope.ErrNotJSON},
		{"a field that is there twice", "form data", form.URLEncoded, `data=%7B%7D&data=%7B%7D`, "", form.URLEncoded, form.ErrBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compile(t, acme("verify basic\n"+test.word+"\ntype type"))
			r := &verify.Request{Header: http.Header{"Content-Type": {test.contentType}}, Body: []byte(test.body)}
			payload := p.Attach(r)
			if err := payload.Check(); !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if got := payload.OriginalType(); got != test.originalType {
				t.Errorf("original type %q, want %q", got, test.originalType)
			}
			got, ok := r.JSON()
			if ok != (test.err == nil) || ok && (got != test.want || payload.Text() != test.want) {
				t.Errorf("got %s, %v; want %s", got, ok, test.want)
			}
			if e := p.Read(provider.Raw{Text: `{"type":"a"}`}, r); e.OriginalType != test.originalType {
				t.Errorf("original type of the event %q, want %q", e.OriginalType, test.originalType)
			}
		})
	}
}

// TestPayloadForm shows the signed text of a form, also of one without parameters.
func TestPayloadForm(t *testing.T) {
	p := compile(t, acme("verify basic\nform\ntype type"))
	for _, test := range []struct {
		contentType, body, want string
		ok                      bool
	}{
		{form.URLEncoded, "b=2&a=1", "a1b2", true},
		{form.URLEncoded, "", "", true},
		{form.URLEncoded, "%zz", "", false},
		{"application/json", "{}", "", false},
	} {
		r := &verify.Request{Header: http.Header{"Content-Type": {test.contentType}}, Body: []byte(test.body)}
		p.Attach(r)
		if got, ok := r.Form(); got != test.want || ok != test.ok {
			t.Errorf("%s: %q, %v; want %q, %v", test.body, got, ok, test.want, test.ok)
		}
	}
}

// TestRedactedForm shows what stays of a form: parameters and the JSON in one are redacted.
func TestRedactedForm(t *testing.T) {
	for _, test := range []struct{ name, lines, body, want string }{
		{"nothing", "form", "a=%41&b", "a=%41&b"},
		{"a parameter", "form\nredact b", "a=%41&b=1&b=2", "a=%41"},
		{"below a parameter", "form\nredact a.b", "a=%41", "a=%41"},
		{"a member", "form data\nredact token user.mail", `data=%7B%22token%22%3A1%2C%22user%22%3A%7B%22mail%22%3A1%7D%7D&a=1`, "data=%7B%22user%22%3A%7B%7D%7D&a=1"},
		{"a parameter beside it", "form data\nredact token", `token=1&data=%7B%22a%22%3A1%7D`, "data=%7B%22a%22%3A1%7D"},
		{"events in it", "form data\nevents events\nredact token", `data=%7B%22events%22%3A%5B%7B%22token%22%3A1%7D%5D%7D`, "data=%7B%22events%22%3A%5B%7B%7D%5D%7D"},
		{"what proves it", "form", "token=1&a=1", "a=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			proof := "verify basic\n"
			if test.name == "what proves it" {
				proof = "verify token {\nfrom body token\n}\n"
			}
			payload := compile(t, acme(proof+test.lines+"\ntype type")).NewPayload(form.URLEncoded, []byte(test.body))
			got, err := payload.RedactedForm()
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
