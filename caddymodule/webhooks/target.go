package webhooks

import (
	"cmp"
	"net/http"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// resolved returns the settings with their placeholders resolved and their defaults
// set.
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

// Target returns the subscription that a handler wants at its provider, with the
// client of the provider's API. Each call takes at most timeout.
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
	if err := h.addProof(&want); err != nil {
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
		TakesEmpty: p.TakesEmpty(),
	}
	target.Present = h.presenter(p, want.Token)
	if parameter, token, ok := p.Challenge(); ok {
		target.Challenge = &subscription.Challenge{Parameter: parameter, Token: token}
	}
	return target, nil
}

// presenter returns a function that puts the token into a request as the provider
// does. It is nil if a request without an event cannot be proved, because the
// signature is over its body.
func (h *Handler) presenter(p *provider.Provider, token string) func(r *http.Request) {
	nothing := func(*http.Request) {}
	v := p.Spec().Verify
	switch {
	case h.Unverified || v.Basic:
		return nothing
	case v.Token == nil || v.Token.Places[0].Body != "":
		return nil
	case !p.Spec().Subscriptions.Has(subscription.FieldToken):
		return nothing // it is in the URL
	}
	return func(r *http.Request) { v.Token.Places[0].Present(r, token) }
}

// addProof adds the proof that the handler requires beside a token.
func (h *Handler) addProof(to *subscription.Subscription) error {
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
