package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestFixtures compares the envelope of every sample with the golden one beside
// it. Every built-in provider has samples.
func TestFixtures(t *testing.T) {
	for _, name := range provider.Builtin() {
		samples, err := fixtures.Of(name)
		if err != nil || len(samples) == 0 {
			t.Errorf("no samples of %s: %v", name, err)
		}
		for _, sample := range samples {
			t.Run(name+"/"+sample.Event, func(t *testing.T) { compareEnvelope(t, sample) })
		}
	}
}

// requestOf returns a request as a provider reads it.
func requestOf(p *provider.Provider, r fixtures.Request) *verify.Request {
	_, query, _ := strings.Cut(r.Target, "?")
	payload := p.NewPayload(r.Header.Get("Content-Type"), r.Body)
	return &verify.Request{
		Method: r.Method, URI: r.Target, Query: query, Header: r.Header, Body: r.Body, JSON: payload.JSON, Form: payload.Form,
	}
}

// payloadOf returns the JSON of a fixture's body, which may be a form.
func payloadOf(t testing.TB, p *provider.Provider, sample fixtures.Fixture) string {
	t.Helper()
	text, ok := requestOf(p, sample.Request).JSON()
	if !ok {
		t.Fatalf("%s is neither JSON nor a form", sample.Path())
	}
	return text
}

func compareEnvelope(t *testing.T, sample fixtures.Fixture) {
	p := get(t, sample.Provider)
	events, err := p.Split(payloadOf(t, p, sample))
	if err != nil {
		t.Fatal(err)
	}
	payload := p.NewPayload(sample.Header.Get("Content-Type"), sample.Body)
	var got []byte
	for _, event := range events {
		e := p.Read(event, requestOf(p, sample.Request))
		e.Source = "/webhooks/" + sample.Provider
		e.OriginalType = payload.OriginalType()
		e.Recorded = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		got = append(e.Append(got), '\n')
	}
	if *update {
		if err = os.WriteFile(filepath.Join("../../fixtures", sample.EnvelopePath()), got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := sample.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
