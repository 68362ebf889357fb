package provider

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func (p *Provider) checkName() error {
	if !namePattern.MatchString(p.spec.Name) {
		return errors.New("the name must be lower-case letters, digits and dashes, and begin with a letter")
	}
	return nil
}

func (p *Provider) checkVerify() error {
	v := p.spec.Verify
	n := 0
	for _, set := range []bool{v.Signature != nil, v.Token != nil, v.JWT != nil, v.Basic} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New(`exactly one "verify" is required: hmac, ed25519, ecdsa, rsa, jwt, token or basic`)
	}
	if v.Signature != nil {
		if err := v.Signature.Validate(); err != nil {
			return fmt.Errorf("verify: %w", err)
		}
	}
	if v.JWT != nil {
		if err := v.JWT.Validate(); err != nil {
			return fmt.Errorf("verify jwt: %w", err)
		}
	}
	if v.Token != nil {
		return checkPlaces(v.Token.Places)
	}
	return nil
}

// checkEach refuses events that could be others than the elements that are signed.
func (p *Provider) checkEach() error {
	s := p.spec.Verify.Signature
	if s == nil || s.Each == "" || slices.Equal(p.spec.Events.Paths, []string{s.Each}) {
		return nil
	}
	return fmt.Errorf(`verify: each: an event that is not signed could pass; let the events be what is signed: "events %s", and no other path`, s.Each)
}

func checkPlaces(places []verify.Place) error {
	if len(places) == 0 {
		return errors.New(`verify token: "from" is required; use bearer, header, query or body`)
	}
	for _, place := range places {
		if err := place.Validate(); err != nil {
			return fmt.Errorf("verify token: %w", err)
		}
	}
	return nil
}

func (p *Provider) checkSubscriptions() error {
	api := p.spec.Subscriptions
	if api == nil {
		return nil
	}
	if err := api.Validate(); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	token := p.spec.Verify.Token
	isInURL := func(place verify.Place) bool { return place.Query != "" }
	if token != nil && !api.Has(subscription.FieldToken) && !slices.ContainsFunc(token.Places, isInURL) {
		return errors.New(`subscriptions: the token cannot be registered; add "field token", or "from query" to "verify token"`)
	}
	return nil
}

// checkType checks a canonical type.
func checkType(t string) error {
	if !typePattern.MatchString(t) {
		return fmt.Errorf("%q is not a canonical type; use lower-case words with dots between them, such as message.created", t)
	}
	return nil
}

// checkTypeMapping checks a line of the map of `type`.
func checkTypeMapping(pair Mapping) error {
	if pair.From == pair.To && !typePattern.MatchString(pair.To) {
		return fmt.Errorf("%q is not a canonical type; write one after it, such as message.created, or remove the line", pair.To)
	}
	return checkType(pair.To)
}

// The values of Spec.Tested.
var tested = []string{"vector", "library", "page"}

// checkTested checks Spec.Tested, which may be empty.
func checkTested(s string) error {
	if s != "" && !slices.Contains(tested, s) {
		return fmt.Errorf("unknown tested %q; use vector, library or page", s)
	}
	return nil
}

// checkTypes refuses a condition whose types no event can have.
func (p *Provider) checkTypes(rules Rules) error {
	for _, c := range rules.Conditions {
		for _, pattern := range c.Types {
			t, err := envelope.ParseTypePattern(pattern)
			if err != nil {
				return fmt.Errorf("when: %w", err)
			}
			if !p.canBeUnknown(t) && !slices.ContainsFunc(p.CanonicalTypes(), t.Match) {
				return fmt.Errorf("when %s: no event has this type; use one from the map of \"type\", or %s.<own type> for others", pattern, p.spec.Name)
			}
		}
		if err := p.checkTypes(c.Rules); err != nil {
			return err
		}
	}
	return nil
}

// canBeUnknown reports whether a pattern can match a type that is unknown until an
// event comes.
func (p *Provider) canBeUnknown(t envelope.TypePattern) bool {
	return t[0] == "*" || t[0] == p.spec.Name
}
