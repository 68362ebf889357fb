package provider

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// Unsigned returns the parts of a request that identify an event, or are its type, and
// that a signature of the provider does not cover, such as `$header(X-Id)`. A
// captured request can be sent again with other ones. There are none for a provider
// that presents a token or a password: these prove the sender, and no content.
func (p *Provider) Unsigned() []string {
	slots := slices.Concat(p.id, p.ownType)
	for _, part := range p.key {
		if part.slot > 0 {
			slots = append(slots, part.slot)
		}
	}
	var unsigned []string
	for _, slot := range slots {
		for _, part := range p.unsignedIn(slot) {
			if !slices.Contains(unsigned, part) {
				unsigned = append(unsigned, part)
			}
		}
	}
	return unsigned
}

// unsignedIn returns the parts of the template in a slot that no signature covers.
func (p *Provider) unsignedIn(slot int) []string {
	var unsigned []string
	for _, t := range p.scope.templates {
		if t.slot != slot {
			continue
		}
		for part := range t.template.Parts() {
			if !p.spec.Verify.covers(part) {
				unsigned = append(unsigned, part.String())
			}
		}
	}
	return unsigned
}

// keyIsUnsigned reports whether a part of the key reads what no signature covers.
func (p *Provider) keyIsUnsigned() bool {
	isUnsigned := func(slot int) bool { return p.unsignedIn(slot) != nil }
	return slices.ContainsFunc(p.key, func(part keyPart) bool {
		switch part.word {
		case keyID:
			return slices.ContainsFunc(p.id, isUnsigned)
		case keyType:
			return slices.ContainsFunc(p.ownType, isUnsigned)
		case keyHash:
			return false
		}
		return isUnsigned(part.slot)
	})
}

// covers reports whether a part of a template is as the sender signed it. Without a
// signature there is nothing to compare it with.
func (v Verify) covers(part template.Part) bool {
	switch part.Kind {
	case template.Method, template.URI, template.URL, template.Header, template.Query:
	default:
		return true
	}
	if v.Signature == nil {
		return true
	}
	content, _ := template.Parse(cmp.Or(v.Signature.Content, "$body")) // Validate has checked it
	for signed := range content.Parts() {
		if v.isSigned(part, signed) {
			return true
		}
	}
	return false
}

// isSigned reports whether a part of the signed content holds a part of a template.
func (v Verify) isSigned(part, signed template.Part) bool {
	switch signed.Kind {
	case template.URI, template.URL:
		return part.Kind == signed.Kind || part.Kind == template.Query
	case template.Timestamp:
		timestamp := v.Signature.Timestamp
		return timestamp != nil &&
			(part.Kind == template.Header && part.Text == http.CanonicalHeaderKey(timestamp.Header) ||
				part.Kind == template.Query && part.Text == timestamp.Query)
	}
	return part.Kind == signed.Kind && part.Text == signed.Text
}
