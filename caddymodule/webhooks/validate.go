package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Complete sets the defaults of a handler of a provider, and checks its settings. It
// resolves no placeholder.
func (h *Handler) Complete(p *provider.Provider) error {
	h.setDefaults(p)
	if err := h.validate(p); err != nil {
		return h.named(err)
	}
	return nil
}

// setDefaults fills in every setting that is not there.
func (h *Handler) setDefaults(p *provider.Provider) {
	if p.Needs().Timestamp && !h.Unverified {
		h.Tolerance = cmp.Or(h.Tolerance, p.Spec().Tolerance, caddy.Duration(verify.DefaultTolerance))
	}
	if h.Subscribe != nil {
		h.Subscribe.URL = cmp.Or(h.Subscribe.URL, h.URL)
	}
	h.MaxBody = cmp.Or(h.MaxBody, DefaultMaxBody)
	h.Source = cmp.Or(h.Source, "/webhooks/"+h.Provider)
	h.Format = cmp.Or(h.Format, envelope.FormatCloudEvents)
	for _, d := range h.Destinations {
		if d != nil {
			d.setDefaults(h.Format)
		}
	}
	if h.Dedup == nil {
		h.Dedup = new(Dedup)
	}
	if h.Dedup.Off {
		return
	}
	window := dedup.DefaultWindow
	if p.KeyIsHash() || h.isWholeBatch(p) {
		window = dedup.DefaultHashWindow
	}
	h.Dedup.Window = cmp.Or(h.Dedup.Window, p.Spec().Dedup, caddy.Duration(window))
	if len(h.Destinations) == 0 {
		h.Dedup.Entries = cmp.Or(h.Dedup.Entries, dedup.DefaultEntries)
	}
}

// validate checks the settings, with their defaults, against each other and against
// the provider. Caddy's Validate would come too late: provisioning relies on it.
func (h *Handler) validate(p *provider.Provider) error {
	if err := h.validateProof(p); err != nil {
		return err
	}
	if err := h.validateURL(p); err != nil {
		return err
	}
	if err := h.validateInput(); err != nil {
		return err
	}
	if err := h.validateDestinations(p); err != nil {
		return err
	}
	if err := h.validateDedup(); err != nil {
		return err
	}
	return h.validateSubscribe(p)
}

func (h *Handler) validateProof(p *provider.Provider) error {
	if h.Unverified {
		if len(h.Secrets) > 0 || len(h.PublicKeys) > 0 || len(h.Tokens) > 0 || h.BasicAuth != nil || len(h.Headers) > 0 {
			return wrong("unverified", "`unverified` accepts unauthenticated requests; remove it, or the credentials beside it")
		}
		if h.Tolerance != 0 {
			return wrong("tolerance", "`tolerance` has no effect with `unverified`")
		}
		return nil
	}
	if err := h.validateCredentials(p); err != nil {
		return err
	}
	if err := h.validateSecrets(p); err != nil {
		return err
	}
	for _, header := range h.Headers {
		if err := verify.CheckHeaderName(header.Name); err != nil {
			return wrong("header", "`header`: %w", err)
		}
	}
	switch {
	case h.Tolerance < 0:
		return wrong("tolerance", "`tolerance` must be positive")
	case h.Tolerance > 0 && !p.Needs().Timestamp:
		return wrong("tolerance", "`tolerance` has no effect: %s signs no timestamp; remove it", h.Provider)
	}
	return nil
}

// credential is one way for a provider to prove itself.
type credential struct {
	word  string
	means string // by which the provider proves itself
	needs bool
	has   bool
}

// validateCredentials checks that the handler has the credentials that the provider
// proves itself with, and no other ones.
func (h *Handler) validateCredentials(p *provider.Provider) error {
	needs := p.Needs()
	all := []credential{
		{"secret", "signs its requests", needs.Secret, len(h.Secrets) > 0},
		{"public_key", "signs its requests with a private key", needs.PublicKey, len(h.PublicKeys) > 0},
		{"token", "presents a token", needs.Token, len(h.Tokens) > 0},
		{"basic_auth", "uses basic auth", needs.BasicAuth, h.BasicAuth != nil},
	}
	missing := slices.IndexFunc(all, func(c credential) bool { return c.needs && !c.has })
	surplus := slices.IndexFunc(all, func(c credential) bool { return c.has && !c.needs && c.word != "basic_auth" })
	switch {
	case missing >= 0 && surplus >= 0:
		return wrong(all[surplus].word, "%s %s; use `%s` instead of `%s`", h.Provider, all[missing].means, all[missing].word, all[surplus].word)
	case surplus >= 0:
		return wrong(all[surplus].word, "`%s` has no effect: %s proves itself by %s; remove it", all[surplus].word, h.Provider, needs)
	case missing >= 0 && (h.BasicAuth != nil || len(h.Headers) > 0):
		return fmt.Errorf("`%s` is required: %s %s", all[missing].word, h.Provider, all[missing].means)
	case missing >= 0:
		return fmt.Errorf("`%s` is required; to accept unauthenticated requests, use `unverified`", all[missing].word)
	}
	return nil
}

// validateSecrets checks the form of secrets and public keys that are written out. Those
// behind a placeholder are checked when it is resolved.
func (h *Handler) validateSecrets(p *provider.Provider) error {
	signature := p.Spec().Verify.Signature
	if signature == nil {
		return nil
	}
	for word, secrets := range map[string][]string{"secret": h.Secrets, "public_key": h.PublicKeys} {
		for i, secret := range secrets {
			if secret == "" || hasPlaceholder(secret) {
				continue
			}
			if err := signature.CheckSecret(secret); err != nil {
				return wrong(word, "`%s`: value %d: %w", word, i+1, err)
			}
		}
	}
	return nil
}

// checkURL checks the public URL of a handler, without placeholders.
func checkURL(s string) error {
	if err := subscription.CheckURL(s); err != nil {
		return wrong("url", "`url` %w", err)
	}
	return nil
}

// validateURL checks the public URL, and that something reads it.
func (h *Handler) validateURL(p *provider.Provider) error {
	if h.URL == "" {
		return nil
	}
	if !hasPlaceholder(h.URL) {
		if err := checkURL(h.URL); err != nil {
			return err
		}
	}
	if h.Subscribe == nil && !p.ReadsURL() {
		return wrong("url", "`url` has no effect: nothing of %s depends on the URL, and the block has no `subscribe`; remove it", h.Provider)
	}
	return nil
}

func (h *Handler) validateInput() error {
	if h.MaxBody < 0 {
		return wrong("max_body", "`max_body` must be positive")
	}
	if _, err := url.Parse(h.Source); err != nil || !envelope.ValidAttribute(h.Source) || strings.ContainsAny(h.Source, " {}") {
		return wrong("source", "`source` %q is not a URI reference; use one such as /webhooks/%s or https://example.com/%s", h.Source, h.Provider, h.Provider)
	}
	return checkFormat(h.Format)
}

func checkFormat(format string) error {
	if format != envelope.FormatCloudEvents && format != envelope.FormatOriginal {
		return wrong("format", "unknown `format` %q; use cloudevents or original", format)
	}
	return nil
}

func (h *Handler) validateDedup() error {
	d := h.Dedup
	switch {
	case d.Off && (d.Window != 0 || d.Entries != 0):
		return wrong("dedup", "`dedup off` takes no window and no entries")
	case d.Off:
		return nil
	case len(h.Destinations) > 0 && d.Entries != 0:
		return wrong("dedup", "the entries of `dedup` have no effect with `destination`: keys are on disk for the whole window; remove the number")
	case time.Duration(d.Window) < time.Second:
		return wrong("dedup", "the window of `dedup` must be at least 1s; for none, use `dedup off`")
	case d.Entries < 0:
		return wrong("dedup", "the entries of `dedup` must be at least 1; for none, use `dedup off`")
	}
	return nil
}

// isWholeBatch reports whether a batch is one event, because no destination gets an
// envelope.
func (h *Handler) isWholeBatch(p *provider.Provider) bool {
	return p.IsBatch() && h.onlyOriginals()
}

// keepsRequests reports whether the queue keeps requests as they came: batches and forms
// of which no destination gets an envelope.
func (h *Handler) keepsRequests(p *provider.Provider) bool {
	return (p.IsBatch() || p.Spec().Form != nil) && h.onlyOriginals()
}

// onlyOriginals reports whether everything is handed over as the provider's own
// bytes.
func (h *Handler) onlyOriginals() bool {
	if len(h.Destinations) == 0 {
		return h.Format == envelope.FormatOriginal
	}
	return !slices.ContainsFunc(h.Destinations, func(d *Destination) bool { return d == nil || d.Format != envelope.FormatOriginal })
}

func (h *Handler) validateDestinations(p *provider.Provider) error {
	if len(h.Destinations) > 0 && p.Spec().Reply.Answer {
		return wrong("destination", "%s reads the application's answer, which does not exist yet when an event is queued; "+
			"remove `destination`, and let the next handler be the application", h.Provider)
	}
	names := make(map[string]bool, len(h.Destinations))
	for _, d := range h.Destinations {
		if d == nil {
			return errors.New("a destination is null; remove it")
		}
		if err := d.validate(); err != nil {
			return &destinationError{d, err}
		}
		if names[d.Name] {
			return &destinationError{d, errors.New("duplicate name; names are unique in a configuration, give one another name")}
		}
		names[d.Name] = true
		if d.Format == h.Destinations[0].Format {
			continue
		}
		switch {
		case p.IsBatch():
			return &destinationError{d, errMixedBatch}
		case p.Spec().Form != nil:
			return &destinationError{d, errMixedForm}
		}
	}
	return nil
}

// errMixedBatch is the error of a block whose destinations have different formats.
var errMixedBatch = wrong("format", "the provider sends batches, which are one event as `%s` and several as `%s`; use one `format` for all destinations of a block, or two blocks with a `source` each",
	envelope.FormatOriginal, envelope.FormatCloudEvents)

// errMixedForm is the same for a provider that sends forms.
var errMixedForm = wrong("format", "the provider sends forms, which are kept as they came for `%s` and as JSON for `%s`; use one `format` for all destinations of a block, or two blocks with a `source` each",
	envelope.FormatOriginal, envelope.FormatCloudEvents)
