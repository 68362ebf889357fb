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

// DefaultSubscriptionName is the name of a subscription when nothing else is
// said.
const DefaultSubscriptionName = "caddy-webhooks"

// Subscribe is what a provider that has an API for it is to be told: where to
// send, and what. It changes nothing in how the handler serves, which needs none
// of it: `caddy webhooks subscriptions` reads it, and resolves its placeholders.
// What the provider proves itself with is what the handler checks.
type Subscribe struct {
	// URL is where the handler is reached from outside. The provider's token is
	// not in its query: where it belongs there, it is put there. Placeholders are
	// resolved by the command. Required.
	URL string `json:"url"`

	// Key is the token of the provider's API. Placeholders are resolved by the
	// command; the handler does not need it. Required.
	Key string `json:"key"`

	// Account is the account at the provider. Placeholders are resolved by the
	// command. Required for a provider whose accounts have their own subscriptions,
	// and only for these.
	Account string `json:"account,omitempty"`

	// Events are the provider's own names of the events to send, without
	// placeholders. Default: all that its types name.
	Events []string `json:"events,omitempty"`

	// Inbox is the number of the only inbox whose events are sent: digits.
	// Placeholders are resolved by the command. Default: all.
	Inbox string `json:"inbox,omitempty"`

	// Name is the name of the subscription, up to 1024 bytes; with the URL, apart
	// from its query, it says which one is this handler's. Placeholders are resolved
	// by the command. Default: caddy-webhooks.
	Name string `json:"name,omitempty"`

	// API is where the provider's API is: a URL without a query, in front of the
	// API's own paths. Placeholders are resolved by the command. Default: the
	// provider's own.
	API string `json:"api,omitempty"`

	block block
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

// checkValue checks a text that is there, and whose placeholders are resolved.
func (t subscribeText) checkValue(value string) error {
	if value == "" {
		return nil
	}
	if err := t.check(value); err != nil {
		return fmt.Errorf("`%s`: %w", t.word, err)
	}
	return nil
}

func checkKey(key string) error {
	isOther := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.ContainsFunc(key, isOther) {
		return errors.New("it holds a line break, or another character that no header can carry")
	}
	return nil
}

func checkAccount(account string) error {
	if account == "." || account == ".." {
		return errors.New("it is not an account, such as 1")
	}
	return nil
}

// maxName is how long a name may be, in bytes: ChatBot.com documents it.
const maxName = 1024

func checkSubscriptionName(name string) error {
	if strings.TrimSpace(name) != name || len(name) > maxName {
		return fmt.Errorf("it begins or ends with a space, or has more than %d bytes, and the provider may keep another one", maxName)
	}
	return nil
}

func checkInbox(inbox string) error {
	if len(inbox) > 18 || strings.Trim(inbox, "0123456789") != "" || inbox[0] == '0' {
		return errors.New("it is not the number of an inbox, such as 2")
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
		return fmt.Errorf("no API of %s is known here; remove `subscribe`, and enter there by hand: %s", h.Provider, WhatToEnter(p))
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
		return errors.New("it needs `url`, where this block is reached from outside, such as https://hooks.example.com/path")
	case s.Key == "":
		return errors.New("it needs `key`, the token of the provider's API, such as {env.NAME}")
	case api.HasAccounts() && s.Account == "":
		return errors.New("it needs `account`, the account at the provider, such as 1")
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
	return fmt.Errorf("the API of %s knows no `%s`; remove it", h.Provider, word)
}

func (h *Handler) neverSent(word string) error {
	return fmt.Errorf("%s cannot be told to send what `%s` of this block asks for, and every event would be refused; remove one of them", h.Provider, word)
}

// WhatToEnter says what to enter at a provider by hand.
func WhatToEnter(p *provider.Provider) string {
	return cmp.Or(p.Spec().Note, "the URL of your block (there is no `note` in the provider's block that would say more)")
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
		return errors.New("it needs `events`, the provider's own names of the events to send")
	}
	for i, event := range h.Subscribe.Events {
		switch {
		case hasPlaceholder(event):
			return errors.New("`events` takes the provider's own names, and no placeholders")
		case known != nil && !slices.Contains(known, event):
			return fmt.Errorf("`events`: %s has no %q; use %s", h.Provider, event, strings.Join(known, ", "))
		case slices.Contains(h.Subscribe.Events[:i], event):
			return fmt.Errorf("`events`: %s stands there twice; remove one", event)
		}
	}
	return nil
}

// knownEvents are the provider's own names of its events, nil if its types do
// not name all.
func knownEvents(p *provider.Provider) []string {
	var known []string
	for _, pair := range p.Spec().Type.Map {
		if strings.Contains(pair.From, "*") {
			return nil
		}
		known = append(known, pair.From)
	}
	return known
}

// checkNoToken refuses a URL that has a token already: the block's own goes
// there.
func checkNoToken(p *provider.Provider, s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return nil // a placeholder
	}
	if name := tokenParameter(p); name != "" && u.Query().Has(name) {
		return fmt.Errorf("`url` has a %q in its query; remove it, the block's `token` goes there", name)
	}
	return nil
}

// tokenParameter is the query parameter in which a provider presents its token,
// "" if it stands elsewhere.
func tokenParameter(p *provider.Provider) string {
	if token := p.Spec().Verify.Token; token != nil {
		for _, place := range token.From {
			if place.Query != "" {
				return place.Query
			}
		}
	}
	return ""
}
