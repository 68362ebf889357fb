package provider

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Unsigned returns the parts of a request that identify an event, or are its type, and
// that the proof of the provider does not cover, such as `$header(X-Id)`. A captured
// request can be sent again with other ones. There are none for a provider whose proof
// is about no content, such as a token or a password: these prove the sender.
func (p *Provider) Unsigned() []string {
	slots := slices.Concat(p.id, p.ownType, p.has)
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

// unsignedIn returns the parts of the path or the template in a slot that the proof does
// not cover.
func (p *Provider) unsignedIn(slot int) []string {
	signed := p.signedContent()
	if signed == nil {
		return nil
	}
	var unsigned []string
	for _, part := range p.scope.partsOf(slot) {
		if !p.isCovered(part, signed) {
			unsigned = append(unsigned, part.String())
		}
	}
	return unsigned
}

// keyIsUnsigned reports whether a part of the key reads what the proof does not cover.
func (p *Provider) keyIsUnsigned() bool {
	isUnsigned := func(slot int) bool { return p.unsignedIn(slot) != nil }
	return slices.ContainsFunc(p.key, func(part keyPart) bool {
		switch part.word {
		case keyID:
			return slices.ContainsFunc(p.id, isUnsigned)
		case keyType:
			return slices.ContainsFunc(p.ownType, isUnsigned) || slices.ContainsFunc(p.has, isUnsigned)
		case keyHash:
			return false
		}
		return isUnsigned(part.slot)
	})
}

// signedContent returns the templates of what the proof covers, nil if it is about no
// content of the request.
func (p *Provider) signedContent() []template.Template {
	var texts []string
	v := p.spec.Verify
	switch {
	case v.Signature != nil && v.Signature.Content == "":
		texts = []string{verify.DefaultContent}
	case v.Signature != nil:
		texts = []string{v.Signature.Content}
	case v.JWT != nil:
		for _, claim := range v.JWT.Claims {
			texts = append(texts, claim.Value)
		}
	}
	var signed []template.Template
	for _, text := range texts {
		if t, _ := template.Parse(text); readsRequest(t) { // Validate has checked it
			signed = append(signed, t)
		}
	}
	return signed
}

// readsRequest reports whether a template has a part of the request.
func readsRequest(t template.Template) bool {
	return t.Has(template.Body, template.BodyPath, template.Method, template.URI, template.URL, template.Header, template.Query, template.Form)
}

// isCovered reports whether a part of a template is as the sender signed it.
func (p *Provider) isCovered(part template.Part, signed []template.Template) bool {
	if !readsRequest(template.Template{{Kind: part.Kind}}) {
		return true // literal text, or a function, whose parts come after it
	}
	signature := p.spec.Verify.Signature
	if part.Kind == template.BodyPath && signature != nil && signature.BodyHash != "" {
		return true
	}
	for _, t := range signed {
		for other := range t.Parts() {
			if p.isSigned(part, other) {
				return true
			}
		}
	}
	return false
}

// checkMACs refuses an answer with the MAC of what the proof does not cover: a captured
// request could be sent again with any text, and the answer would sign an event.
func (p *Provider) checkMACs(r *Responder) error {
	proved := p.signedContent()
	for _, signed := range r.signed() {
		for part := range signed.Parts() {
			isElsewhere := part.Kind == template.BodyPath && p.spec.Verify.Signature.Each != ""
			if isElsewhere || !p.isCovered(part, proved) {
				return fmt.Errorf("$hmac(%s): %s is not signed, so it could be any text; use a part that the content of the signature covers", signed, part)
			}
		}
	}
	return nil
}

// isSigned reports whether a part of the signed content holds a part of a template.
func (p *Provider) isSigned(part, signed template.Part) bool {
	switch signed.Kind {
	case template.Body, template.Form:
		return part.Kind == template.BodyPath
	case template.BodyPath:
		return part.Kind == template.BodyPath && part.Text == signed.Text && p.provesMembers()
	case template.URI, template.URL:
		return part.Kind == signed.Kind || part.Kind == template.Query
	case template.Timestamp:
		return p.isTimestamp(part)
	}
	return part.Kind == signed.Kind && part.Text == signed.Text
}

// isTimestamp reports whether a part of a template is the signed timestamp.
func (p *Provider) isTimestamp(part template.Part) bool {
	timestamp := p.spec.Verify.Signature.Timestamp // $timestamp is only for signatures
	switch {
	case timestamp == nil:
		return false
	case part.Kind == template.Header:
		return part.Text == http.CanonicalHeaderKey(timestamp.Header)
	case part.Kind == template.Query:
		return part.Text == timestamp.Query
	}
	return part.Kind == template.BodyPath && part.Text == timestamp.Body && p.provesMembers()
}

// provesMembers reports whether a path in the proof begins where a path in an event does.
func (p *Provider) provesMembers() bool {
	signature := p.spec.Verify.Signature
	return p.events == nil || signature != nil && signature.Each != "" // checkEach: of the same events
}
