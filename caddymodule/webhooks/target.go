package webhooks

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// resolved returns the settings with their placeholders resolved and their
// defaults filled in.
func (s *Subscribe) resolved(p *provider.Provider) (*Subscribe, error) {
	r := *s
	for _, text := range subscribeTexts {
		value := text.of(&r)
		if *value == "" {
			continue
		}
		var err error
		if *value, err = Resolve(text.word, *value); err != nil {
			return nil, err
		}
		if err := text.checkValue(*value); err != nil {
			return nil, err
		}
	}
	r.Name = cmp.Or(r.Name, DefaultSubscriptionName)
	r.API = cmp.Or(r.API, p.Spec().Subscriptions.API)
	if len(r.Events) == 0 {
		r.Events = knownEvents(p)
	}
	return &r, checkNoToken(p, r.URL)
}

// Target returns what the handler wants at its provider. Each call of the
// provider's API takes timeout at most.
func (h *Handler) Target(p *provider.Provider, timeout time.Duration) (*subscription.Target, error) {
	s, err := h.Subscribe.resolved(p)
	if err != nil {
		return nil, &subscribeError{h.Subscribe, err}
	}
	want := subscription.Subscription{Name: s.Name, URL: s.URL, Inbox: s.Inbox}
	api := p.Spec().Subscriptions
	if api.Has(subscription.FieldEvents) {
		want.Events = s.Events
	}
	tokens, err := resolveAll("token", h.Tokens)
	if err != nil {
		return nil, err
	}
	if len(tokens) > 0 {
		want.Token = tokens[0]
	}
	if err := h.tellProof(&want); err != nil {
		return nil, err
	}
	if !api.Has(subscription.FieldToken) && want.Token != "" {
		want.URL = subscription.WithParameter(s.URL, tokenParameter(p), want.Token)
	}
	target := &subscription.Target{
		Client: &subscription.Client{
			API: api, URL: s.API, Account: s.Account, Key: s.Key,
			Hidden: append(tokens, want.Credentials()...),
			HTTP:   subscription.NewHTTPClient(timeout),
		},
		Provider:   h.Provider,
		Want:       want,
		TakesEmpty: slices.ContainsFunc(p.Spec().Handshakes, func(s verify.Handshake) bool { return s.Empty }),
	}
	target.Present = h.presenter(p, want.Token)
	handshakes := p.Spec().Handshakes
	if i := slices.IndexFunc(handshakes, isChallenge); i >= 0 {
		target.Challenge = &subscription.Challenge{Parameter: handshakes[i].Query, Token: handshakes[i].Token}
	}
	return target, nil
}

// presenter returns what puts the token into a request as the provider does, nil
// if a request without an event cannot be proved: a signature is over its body.
func (h *Handler) presenter(p *provider.Provider, token string) func(r *http.Request) {
	nothing := func(*http.Request) {}
	v := p.Spec().Verify
	switch {
	case h.Unverified || v.Basic:
		return nothing
	case v.Token == nil || v.Token.From[0].Body != "":
		return nil
	case !p.Spec().Subscriptions.Has(subscription.FieldToken):
		return nothing // it is in the URL
	}
	return func(r *http.Request) { v.Token.From[0].Present(r, token) }
}

// tellProof fills in what the handler checks beside a token.
func (h *Handler) tellProof(to *subscription.Subscription) error {
	if h.BasicAuth != nil {
		both, err := resolveAll("basic_auth", []string{h.BasicAuth.Username, h.BasicAuth.Password})
		if err != nil {
			return err
		}
		to.BasicAuth = subscription.BasicAuth{Username: both[0], Password: both[1]}
	}
	for _, header := range h.Headers {
		value, err := Resolve("header", header.Value)
		if err != nil {
			return err
		}
		to.Headers = append(to.Headers, subscription.Header{Name: header.Name, Value: value})
	}
	return nil
}
