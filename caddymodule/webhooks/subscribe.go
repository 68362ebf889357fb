package webhooks

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// DefaultSubscriptionName is the name of a subscription by default.
const DefaultSubscriptionName = "caddy-webhooks"

// Subscribe is the subscription that `caddy webhooks subscriptions` keeps at a
// provider with an API for it. It has no effect on requests. The provider gets the
// credentials that the handler checks. The command resolves the placeholders, not the
// gateway.
type Subscribe struct {
	// The URL of the handler as the provider reaches it, without a token: if the token
	// belongs in the query, the command adds it. Default: the URL of the handler, which is
	// required then.
	URL string `json:"url,omitempty"`

	// The token of the provider's API. Required.
	Key string `json:"key"`

	// The account at the provider. Required for a provider whose accounts have their
	// own subscriptions, and only for these.
	Account string `json:"account,omitempty"`

	// The provider's own names of the events to send, without placeholders. Default:
	// all that the provider's file names.
	Events []string `json:"events,omitempty"`

	// The number of the only inbox whose events are sent. Default: all.
	Inbox string `json:"inbox,omitempty"`

	// The name of the subscription, up to 1024 bytes. Only the webhook with this name
	// and the URL, query ignored, is managed. Default: caddy-webhooks.
	Name string `json:"name,omitempty"`

	// The base URL of the provider's API, without a query. Default: the provider's own.
	API string `json:"api,omitempty"`

	block block // in a Caddyfile
}

// subscribeText is a word of `subscribe` that takes one text, which may hold
// placeholders.
type subscribeText struct {
	word  string
	of    func(*Subscribe) *string
	check func(string) error
}

var subscribeTexts = []subscribeText{
	{"url", func(s *Subscribe) *string { return &s.URL }, subscription.CheckURL},
	{"key", func(s *Subscribe) *string { return &s.Key }, checkKey},
	{"account", func(s *Subscribe) *string { return &s.Account }, checkAccount},
	{"inbox", func(s *Subscribe) *string { return &s.Inbox }, checkInbox},
	{"name", func(s *Subscribe) *string { return &s.Name }, checkSubscriptionName},
	{"api", func(s *Subscribe) *string { return &s.API }, subscription.CheckAPI},
}

// subscribeTextOf returns the text of a word.
func subscribeTextOf(word string) subscribeText {
	return subscribeTexts[slices.IndexFunc(subscribeTexts, func(t subscribeText) bool { return t.word == word })]
}

// checkValue checks a text whose placeholders are resolved.
func (t subscribeText) checkValue(value string) error {
	if value == "" {
		return nil
	}
	if err := t.check(value); err != nil {
		return wrong(t.word, "`%s`: %w", t.word, err)
	}
	return nil
}

func checkKey(key string) error {
	isOther := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.ContainsFunc(key, isOther) {
		return errors.New("the value has a line break, or another character that no header can carry")
	}
	return nil
}

func checkAccount(account string) error {
	if account == "." || account == ".." {
		return errors.New("the value is not an account, such as 1")
	}
	return nil
}

// maxName is the maximum length of a name, in bytes, as ChatBot.com documents it.
const maxName = 1024

func checkSubscriptionName(name string) error {
	if strings.TrimSpace(name) != name || len(name) > maxName {
		return fmt.Errorf("the value begins or ends with a space, or has more than %d bytes; the provider may store another one", maxName)
	}
	return nil
}

func checkInbox(inbox string) error {
	if len(inbox) > 18 || strings.Trim(inbox, "0123456789") != "" || inbox[0] == '0' {
		return errors.New("the value is not the number of an inbox, such as 2")
	}
	return nil
}

// validateSubscribe checks the subscription.
func (h *Handler) validateSubscribe(p *provider.Provider) error {
	if h.Subscribe == nil {
		return nil
	}
	if err := h.checkSubscribe(p); err != nil {
		return &subscribeError{h.Subscribe, err}
	}
	return nil
}

func (h *Handler) checkSubscribe(p *provider.Provider) error {
	s, api := h.Subscribe, p.Spec().Subscriptions
	if api == nil {
		return fmt.Errorf("%s has no API that this module knows; remove `subscribe`, and enter at the provider by hand: %s", h.Provider, WhatToEnter(p))
	}
	for _, text := range subscribeTexts {
		if value := *text.of(s); !hasPlaceholder(value) {
			if err := text.checkValue(value); err != nil {
				return err
			}
		}
	}
	switch {
	case s.URL == "":
		return errors.New("`url` is required: the URL of this block from outside, such as https://hooks.example.com/path")
	case s.Key == "":
		return errors.New("`key` is required: the token of the provider's API, such as {env.NAME}")
	case api.HasAccounts() && s.Account == "":
		return errors.New("`account` is required: the account at the provider, such as 1")
	case !api.HasAccounts() && s.Account != "":
		return h.unknownAtProvider("account")
	case !api.Has(subscription.FieldInbox) && s.Inbox != "":
		return h.unknownAtProvider("inbox")
	case !api.Has(subscription.FieldHeader) && len(h.Headers) > 0:
		return h.neverSent("header")
	case !api.Has(subscription.FieldBasicAuth) && h.BasicAuth != nil:
		return h.neverSent("basic_auth")
	}
	if err := h.checkEvents(p); err != nil {
		return err
	}
	return checkNoToken(p, s.URL)
}

func (h *Handler) unknownAtProvider(word string) error {
	return wrong(word, "`%s` has no effect: the API of %s does not have it; remove it", word, h.Provider)
}

func (h *Handler) neverSent(word string) error {
	return fmt.Errorf("the API of %s cannot set the `%s` that this block requires, so every event would be refused; remove `%s` or `subscribe`", h.Provider, word, word)
}

// WhatToEnter describes the text to enter at a provider by hand.
func WhatToEnter(p *provider.Provider) string {
	return cmp.Or(p.Spec().Note, "the URL of your block (the provider's file has no `note` with more)")
}

// checkEvents checks the names of events.
func (h *Handler) checkEvents(p *provider.Provider) error {
	if !p.Spec().Subscriptions.Has(subscription.FieldEvents) {
		if len(h.Subscribe.Events) > 0 {
			return h.unknownAtProvider("events")
		}
		return nil
	}
	known := knownEvents(p)
	if known == nil && len(h.Subscribe.Events) == 0 {
		return errors.New("`events` is required: the provider's own names of the events to send")
	}
	for i, event := range h.Subscribe.Events {
		switch {
		case hasPlaceholder(event):
			return wrong("events", "`events` takes the provider's own names, and no placeholders")
		case known != nil && !slices.Contains(known, event):
			return wrong("events", "`events`: %s has no %q; use %s", h.Provider, event, strings.Join(known, ", "))
		case slices.Contains(h.Subscribe.Events[:i], event):
			return wrong("events", "`events`: duplicate %s; remove one", event)
		}
	}
	return nil
}

// knownEvents returns the provider's own names of its events, nil if its file does not
// name all.
func knownEvents(p *provider.Provider) []string {
	var known []string
	for _, pair := range p.Spec().Type.Mappings {
		if strings.Contains(pair.From, "*") {
			return nil
		}
		known = append(known, pair.From)
	}
	return known
}

// checkNoToken refuses a URL with a token: the command adds the block's own.
func checkNoToken(p *provider.Provider, s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return nil // a placeholder
	}
	if name := tokenParameter(p); name != "" && u.Query().Has(name) {
		return wrong("url", "`url` has %q in its query; remove it: the command adds the block's `token`", name)
	}
	return nil
}

// tokenParameter returns the query parameter in which a provider presents its token,
// "" if the token is elsewhere.
func tokenParameter(p *provider.Provider) string {
	if token := p.Spec().Verify.Token; token != nil {
		for _, place := range token.Places {
			if place.Query != "" {
				return place.Query
			}
		}
	}
	return ""
}
