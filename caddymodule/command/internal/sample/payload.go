package sample

import (
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// withPayload returns a request with another payload: its body, or the parameters of a
// form, or one of them. A form of parameters becomes URL-encoded, also if the sample is
// not: the event is the same.
func withPayload(p *provider.Provider, r fixtures.Request, payload string) (fixtures.Request, error) {
	contentType := r.Header.Get("Content-Type")
	if p.Spec().Form == nil || form.MediaType(contentType) == "" {
		r.Body = []byte(payload)
		return r, nil
	}
	field := p.Spec().Form.Field
	f, err := form.Parse(contentType, r.Body)
	if err != nil {
		return r, err
	}
	_, isThere, err := f.Get(field)
	if err != nil {
		return r, err
	}
	if field == "" || !isThere {
		r.Header = r.Header.Clone()
		r.Header.Set("Content-Type", form.URLEncoded)
		r.Body = []byte(parameters(payload))
		return r, nil
	}
	r.Body, err = form.Rewrite(contentType, r.Body, func(p form.Parameter) (string, bool) {
		if p.Name == field {
			return payload, true
		}
		return p.Value, true
	})
	return r, err
}

// parameters returns a form with the members of an object as its parameters.
func parameters(object string) string {
	var pairs []string
	gjson.Parse(object).ForEach(func(name, values gjson.Result) bool {
		for _, value := range values.Array() { // one, if it is not an array
			pairs = append(pairs, url.QueryEscape(name.Str)+"="+url.QueryEscape(value.Str))
		}
		return true
	})
	return strings.Join(pairs, "&")
}
