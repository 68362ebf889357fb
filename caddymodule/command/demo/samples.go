package demo

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// providerSample is a built-in provider and the samples that it sends.
type providerSample struct {
	name     string
	provider *provider.Provider
	events   []sampleEvent
}

// sampleEvent is a request and the types of the events in it.
type sampleEvent struct {
	name    string
	request fixtures.Request
	types   []string
}

// Name returns the provider's name, for the template.
func (s providerSample) Name() string { return s.name }

// Credentials returns the words of the provider's block that are a credential, for the
// template.
func (s providerSample) Credentials() []string {
	var words []string
	needs := s.provider.Needs()
	if needs.Secret {
		words = append(words, "secret")
	}
	if needs.Token {
		words = append(words, "token")
	}
	return words
}

// signs reports whether the provider signs its requests.
func (s providerSample) signs() bool { return s.provider.Spec().Verify.Signature != nil }

// flags returns the flags of `caddy webhooks send` for the provider.
func (s providerSample) flags(secret string) string {
	if s.signs() {
		return "--secret " + secret
	}
	return "--token " + secret
}

// newProviderSample returns a built-in provider with its samples.
func newProviderSample(name string) (s providerSample, err error) {
	p, ok := provider.Get(name)
	if !ok {
		return s, fmt.Errorf("demo.caddyfile: no provider %s is built in", name)
	}
	events, err := sampleEvents(p)
	if err == nil && len(events) == 0 {
		err = fmt.Errorf("demo.caddyfile: %s has no samples", name)
	}
	return providerSample{name, p, events}, err
}

// sampleEvents returns the samples of a provider. A request with several events comes
// first.
func sampleEvents(p *provider.Provider) ([]sampleEvent, error) {
	of, err := fixtures.Of(p.Name())
	if err != nil {
		return nil, err
	}
	var batches, events []sampleEvent
	for _, f := range of {
		types, typesErr := typesOf(f)
		if typesErr != nil {
			return nil, typesErr
		}
		event := sampleEvent{f.Event, f.Request, types}
		if len(types) > 1 {
			batches = append(batches, event)
		} else {
			events = append(events, event)
		}
	}
	return append(batches, events...), nil
}

// typesOf returns the types of the events in a fixture, by its envelopes.
func typesOf(f fixtures.Fixture) ([]string, error) {
	envelopes, err := f.Envelope()
	if err != nil {
		return nil, err
	}
	var types []string
	for decoder := json.NewDecoder(bytes.NewReader(envelopes)); decoder.More(); {
		var event struct {
			Type string `json:"type"`
		}
		if err := decoder.Decode(&event); err != nil {
			return nil, err
		}
		types = append(types, event.Type)
	}
	return types, nil
}
