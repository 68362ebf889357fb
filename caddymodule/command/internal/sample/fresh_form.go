package sample

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// freshForm returns a form with new ids in its events.
func freshForm(p *provider.Provider, r fixtures.Request) (fixtures.Request, error) {
	contentType, field := r.Header.Get("Content-Type"), p.Spec().Form.Field
	f, err := form.Parse(contentType, r.Body)
	if err != nil {
		return r, fmt.Errorf("--new-id: the payload is %w", err)
	}
	value, isThere, err := f.Get(field)
	if err != nil {
		return r, fmt.Errorf("--new-id: the payload is %w", err)
	}
	if field == "" || !isThere {
		return freshParameters(p, r, f)
	}
	fresh, err := freshBody(p, []byte(value))
	if err != nil {
		return r, err
	}
	r.Body, err = form.Rewrite(contentType, r.Body, func(p form.Parameter) (string, bool) {
		if p.Name == field {
			return string(fresh), true
		}
		return p.Value, true
	})
	return r, err
}

// freshParameters returns a form whose event is its parameters. It is URL-encoded, also if
// the sample is not: the event is the same.
func freshParameters(p *provider.Provider, r fixtures.Request, f form.Form) (fixtures.Request, error) {
	fresh, err := freshBody(p, []byte(f.JSON()))
	if err != nil {
		return r, err
	}
	var pairs []string
	gjson.ParseBytes(fresh).ForEach(func(name, values gjson.Result) bool {
		for _, value := range values.Array() { // one, if it is not an array
			pairs = append(pairs, url.QueryEscape(name.Str)+"="+url.QueryEscape(value.Str))
		}
		return true
	})
	r.Header = r.Header.Clone()
	r.Header.Set("Content-Type", form.URLEncoded)
	r.Body = []byte(strings.Join(pairs, "&"))
	return r, nil
}
