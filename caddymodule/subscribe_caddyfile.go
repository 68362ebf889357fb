package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseSubscribe parses what the provider is to be told. Syntax:
//
//	subscribe {
//		url     <url>
//		key     <token>
//		account <id>
//		events  <name...>
//		inbox   <number>
//		name    <name>
//		api     <url>
//	}
func (h *Handler) parseSubscribe(d *caddyfile.Dispenser) error {
	d.Next() // the word subscribe
	if d.NextArg() {
		return d.Errf("`subscribe` takes a block only: subscribe { url ... }")
	}
	if h.Subscribe != nil {
		return d.Errf("`subscribe` stands in this block twice; remove one")
	}
	h.Subscribe = &Subscribe{block: d}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		word := d.Val()
		if seen[word] {
			return d.Errf("`%s` stands in subscribe twice; remove one", word)
		}
		seen[word] = true
		if err := h.Subscribe.parseWord(d, word); err != nil {
			return err
		}
		if d.NextBlock(1) {
			return d.Errf("`%s` takes no block", word)
		}
	}
	return nil
}

func (s *Subscribe) parseWord(d *caddyfile.Dispenser, word string) error {
	args := d.RemainingArgs()
	if word == "events" {
		if len(args) == 0 {
			return d.Errf("`events` takes at least one name; leave it out for all")
		}
		s.Events = args
		return nil
	}
	i := slices.IndexFunc(subscribeTexts, func(t subscribeText) bool { return t.word == word })
	if i < 0 {
		return d.Errf("unknown word %q in subscribe: use url, key, account, events, inbox, name or api", word)
	}
	text := subscribeTexts[i]
	value := text.of(s)
	if err := checkCredentials(d, word, args); err != nil {
		return err
	}
	if err := parseText(d, word, args, value); err != nil {
		return err
	}
	if hasPlaceholder(*value) {
		return nil // the command checks it
	}
	if err := text.checkValue(*value); err != nil {
		return d.Errf("%v", err)
	}
	return nil
}
