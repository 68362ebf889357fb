package verify

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// Validate checks the scheme. The error says what to write instead.
func (s Signature) Validate() error {
	s = s.withDefaults()
	if hashes[s.Algorithm] == nil && !s.HasPublicKey() {
		return fmt.Errorf("unknown algorithm %q; use %s, %s, %s, %s, %s or %s", s.Algorithm, HMACSHA1, HMACSHA256, HMACSHA512, Ed25519, ECDSA, RSA)
	}
	if encodings[s.Encoding] == nil {
		return fmt.Errorf("unknown encoding %q; use %s, %s, %s or %s", s.Encoding, Hex, HexUpper, Base64, Base64URL)
	}
	if err := s.validateKey(); err != nil {
		return err
	}
	if len(s.Places) == 0 {
		return errors.New(`"signature" is required; use header <name>, query <name> or body <path>`)
	}
	for _, place := range s.Places {
		if err := place.validate(s.Separator); err != nil {
			return fmt.Errorf("signature: %w", err)
		}
	}
	signed, err := newContent("content", s.Content)
	if err != nil {
		return err
	}
	if s.Each != "" {
		err = s.validateEach(signed)
	} else {
		err = s.validateContent(signed)
	}
	if err != nil {
		return err
	}
	if err := s.validateTimestamp(signed); err != nil {
		return err
	}
	return s.Timestamp.validate(s)
}

func (s Signature) validateKey() error {
	switch {
	case s.hasPEMKey() && (s.Key != "" || s.KeyPrefix != ""):
		return fmt.Errorf(`"key" has no effect: a public key of %s is in PEM, or the base64 of its DER; remove it`, s.Algorithm)
	case s.hasPEMKey(), s.Key == Raw:
		return nil
	case encodings[s.Key] == nil, s.Key == HexUpper:
		return fmt.Errorf("unknown key encoding %q; use %s, %s, %s or %s", s.Key, Raw, Hex, Base64, Base64URL)
	}
	return nil
}

// validateContent checks that the signature proves something about the body.
func (s Signature) validateContent(content content) error {
	isInBody := !slices.ContainsFunc(s.Places, func(p SignaturePlace) bool { return p.Body == "" })
	switch hasBody := content.has(template.Body); {
	case hasBody && isInBody:
		return errors.New("content contains $body, and the signature is in the body: it would be of itself; use $body(<path>)")
	case hasBody && s.BodyHash != "":
		return errors.New(`"body_hash" has no effect: content contains $body; remove one of them`)
	case s.BodyHash != "" && !content.has(template.URL, template.URI) && !content.hasQuery(s.BodyHash):
		return fmt.Errorf("the body's hash is not signed and can be forged; add $url, $uri or $query(%s) to content", s.BodyHash)
	case hasBody, s.BodyHash != "":
		return nil
	case content.has(template.Form):
		return errors.New(`content contains $form, which proves nothing about other bodies; add "body_hash", with the query parameter that holds their hash`)
	case isInBody && content.has(template.BodyPath):
		return nil
	}
	return errors.New("content must contain $body; without it, the signature proves nothing about the body")
}

// validateEach checks a signature of each element.
func (s Signature) validateEach(content content) error {
	if _, err := newElements(s.Each); err != nil {
		return fmt.Errorf("each: %w", err)
	}
	isOutside := slices.ContainsFunc(s.Places, func(p SignaturePlace) bool { return p.Body == "" })
	switch {
	case isOutside:
		return errors.New(`each: the signature must be inside the element; use "signature body <path>"`)
	case content.has(template.Body, template.Form) || !content.has(template.BodyPath):
		return errors.New("each: content must contain $body(<path>), with paths inside the element, and neither $body nor $form")
	case s.BodyHash != "":
		return errors.New(`each: "body_hash" does not work here; remove one of them`)
	}
	return nil
}

// validateTimestamp checks that the timestamp, if there is one, is signed.
func (s Signature) validateTimestamp(content content) error {
	t, isUsed := s.Timestamp, content.has(template.Timestamp)
	switch {
	case isUsed && t == nil:
		return errors.New(`content contains $timestamp; add "timestamp", with its place`)
	case isUsed || t == nil:
		return nil
	case t.Body != "" && (content.has(template.Body) || content.hasPath(t.Body)):
		return nil // it is signed with the body
	}
	return errors.New("the timestamp is not signed and can be forged; add $timestamp to content, or remove the timestamp")
}
