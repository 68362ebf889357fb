package demo

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// providerSample is a built-in provider and the samples that it sends.
type providerSample struct {
	name     string
	provider *provider.Provider
	flag     string // of `caddy webhooks send`, for the credential
	events   []sampleEvent
}

// sampleEvent is a payload and the types of the events in it.
type sampleEvent struct {
	name    string
	payload []byte
	types   []string
}

// Name returns the provider's name, for the template.
func (s providerSample) Name() string { return s.name }

// Credential returns the line of the provider's block with its credential, for
// the template.
func (s providerSample) Credential() string {
	word := strings.ReplaceAll(strings.TrimPrefix(s.flag, "--"), "-", "_")
	return word + " {env." + envSecret + "}"
}

// providerSamples returns the built-in providers that have samples, and one
// credential that can be any text.
func providerSamples() ([]providerSample, error) {
	var samples []providerSample
	for _, name := range provider.Builtin() {
		p, _ := provider.Get(name)
		events, err := sampleEvents(p)
		if err != nil {
			return nil, err
		}
		if flag := credentialFlag(p); flag != "" && len(events) > 0 {
			samples = append(samples, providerSample{name, p, flag, events})
		}
	}
	return samples, nil
}

// credentialFlag returns the flag of `caddy webhooks send` for the credential of
// a provider, "" if it needs another one than a text.
func credentialFlag(p *provider.Provider) string {
	v := p.Spec().Verify
	switch {
	case v.Basic || v.Signature != nil && v.Token != nil:
		return ""
	case v.Token != nil && v.Token.Places[0].Body == "":
		return "--token"
	case v.Signature != nil && v.Signature.Algorithm != verify.Ed25519 && (v.Signature.Key == "" || v.Signature.Key == verify.Raw):
		return "--secret"
	}
	return ""
}

// sampleEvents returns the samples of a provider that sends one event a request,
// or one batch of the first two for one that sends several.
func sampleEvents(p *provider.Provider) ([]sampleEvent, error) {
	of, err := fixtures.Of(p.Name())
	if err != nil {
		return nil, err
	}
	var events []sampleEvent
	for _, f := range of {
		types, typesErr := typesOf(f)
		if typesErr != nil {
			return nil, typesErr
		}
		events = append(events, sampleEvent{f.Event, f.Body, types})
	}
	if p.Spec().Events == "" || len(events) < 2 {
		return events, nil
	}
	batch, err := joined(p, events[0], events[1])
	return []sampleEvent{batch}, err
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

// joined puts the events of two batches into one.
func joined(p *provider.Provider, a, b sampleEvent) (sampleEvent, error) {
	var events []json.RawMessage
	for _, payload := range [][]byte{a.payload, b.payload} {
		raw, err := p.Split(string(payload))
		if err != nil {
			return sampleEvent{}, err
		}
		for _, event := range raw {
			events = append(events, json.RawMessage(event))
		}
	}
	payload, err := json.Marshal(map[string]any{p.Spec().Events: events})
	return sampleEvent{"a batch of two", payload, append(a.types, b.types...)}, err
}
