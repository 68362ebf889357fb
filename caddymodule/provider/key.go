package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// The parts of Spec.Keys that are not templates.
const (
	keyID   = "id"
	keyType = "type"
	keyHash = "hash"
)

// keySeparator is between the parts of a dedup key, and before a hash that is in the
// place of all of them. No part has it, so that two events with other parts have other
// keys, and no id is the hash of another event.
const keySeparator = "\x00"

// keyPart is a compiled part of Spec.Keys.
type keyPart struct {
	word string // keyID, keyType or keyHash
	slot int    // of a template, if there is no word
}

// checkKeys checks the parts of Spec.Keys.
func checkKeys(parts []string) error {
	for i, part := range parts {
		if template.Is(part) {
			if _, err := newScope().pathOrTemplate(part); err != nil {
				return fmt.Errorf("key: %w", err)
			}
		} else if part != keyID && part != keyType && part != keyHash {
			return fmt.Errorf("unknown key %q; use id, type, hash, or a template such as $body(event)", part)
		}
		if slices.Contains(parts[:i], part) {
			return fmt.Errorf("duplicate key %q; remove one", part)
		}
	}
	return nil
}

func (p *Provider) compileID() error {
	if err := p.compileSource("id", p.spec.ID, &p.id); err != nil {
		return err
	}
	parts := p.spec.keys()
	if err := p.checkKey(parts); err != nil {
		return err
	}
	for _, part := range parts {
		compiled := keyPart{word: part}
		if template.Is(part) {
			slot, err := p.scope.pathOrTemplate(part)
			if err != nil {
				return fmt.Errorf("key: %w", err)
			}
			compiled = keyPart{slot: slot}
		}
		p.key = append(p.key, compiled)
	}
	if hash := (keyPart{word: keyHash}); !slices.Contains(p.key, hash) && p.keyIsUnsigned() {
		// Else a signed body under the id of another event, which anyone who has one can
		// send, would make the other event a duplicate.
		p.key = append(p.key, hash)
	}
	return nil
}

// keys returns Spec.Keys, or the default.
func (s *Spec) keys() []string {
	switch {
	case len(s.Keys) > 0:
		return s.Keys
	case s.ID.isZero():
		return []string{keyHash}
	}
	return []string{keyID}
}

// Keys returns what identifies an event when it comes again, in the words of Spec.Keys:
// these, or the default, and the hash if it is added to what no proof covers.
func (p *Provider) Keys() []string {
	keys := slices.Clone(p.spec.keys())
	if len(p.key) > len(keys) {
		keys = append(keys, keyHash)
	}
	return keys
}

// checkKey checks the parts of the key against the rest of the spec.
func (p *Provider) checkKey(parts []string) error {
	switch {
	case slices.Contains(parts, keyID) && p.spec.ID.isZero():
		return errors.New(`"key id" needs an "id" with the path or the header of the id`)
	case slices.Contains(parts, keyType) && p.spec.Type.Always != "":
		return errors.New(`"key type" does not work with "type always": all events have the same type`)
	case slices.Equal(parts, []string{keyType}):
		return errors.New(`"key type" alone makes all events of one type duplicates; add id or hash`)
	}
	return checkKeys(parts)
}

// identify sets the event's id and dedup key.
func (p *Provider) identify(e *Event, raw string, found values) {
	e.ID = found.textOf(p.id)
	if !envelope.ValidAttribute(e.ID) {
		e.ID = ""
	}
	hash := ""
	if e.ID == "" || slices.Contains(p.key, keyPart{word: keyHash}) {
		hash = hashKey(raw)
	}
	parts := make([]string, 0, 4)
	for _, part := range p.key {
		text := part.text(e, hash, found)
		if text == "" && hash == "" {
			hash = hashKey(raw)
		}
		if text == "" {
			parts = append(parts[:0], hash)
			break
		}
		parts = append(parts, text)
	}
	e.DedupKey = strings.Join(parts, keySeparator)
	if e.ID == "" {
		e.ID = hash[len(keySeparator):]
		e.MissingID = !p.spec.ID.isZero()
	}
}

// text returns the text of the part for an event whose ID is still "" if it has none.
func (part keyPart) text(e *Event, hash string, found values) string {
	switch part.word {
	case keyID:
		return e.ID
	case keyType:
		return e.ProviderType
	case keyHash:
		return hash
	}
	text := found.get(part.slot).text()
	if !envelope.ValidAttribute(text) {
		return ""
	}
	return text
}

// hashKey returns the dedup key of an event that its bytes identify: its hash, as
// envelope.Hash returns it, after a separator.
func hashKey(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	var key [len(keySeparator) + 2*16]byte
	copy(key[:], keySeparator)
	hex.Encode(key[len(keySeparator):], sum[:16])
	return string(key[:])
}
