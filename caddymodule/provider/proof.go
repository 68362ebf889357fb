package provider

import (
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Places returns the places of the credentials in a request, but for basic auth. A `*` at
// the end of a header's name stands for any characters. Paths in the body are those of
// each element, if elements are signed one by one.
func (v Verify) Places() []verify.Place {
	var places []verify.Place
	if v.Signature != nil {
		for _, place := range v.Signature.Places {
			places = append(places, verify.Place{Header: place.Header, Query: place.Query, Body: place.Body})
		}
	}
	if v.Token != nil {
		places = append(places, v.Token.Places...)
	}
	if v.JWT != nil {
		places = append(places, v.JWT.Places...)
	}
	return places
}

// Sign signs r as the provider does, with a secret or a private key, at r.Time: see
// verify.Signature and verify.JWT. It leaves r alone if the provider signs nothing.
func (v Verify) Sign(r *verify.Request, secret string) error {
	switch {
	case v.Signature != nil:
		return v.Signature.Sign(r, secret)
	case v.JWT != nil:
		return v.JWT.Sign(r, secret)
	}
	return nil
}

// SignsURL reports whether the provider signs the public URL.
func (v Verify) SignsURL() bool {
	var templates []string
	if v.Signature != nil {
		templates = append(templates, v.Signature.Content)
	}
	if v.JWT != nil {
		for _, c := range v.JWT.Claims {
			templates = append(templates, c.Value)
		}
	}
	return slices.ContainsFunc(templates, func(text string) bool {
		t, err := template.Parse(text)
		return err == nil && t.Has(template.URL)
	})
}
