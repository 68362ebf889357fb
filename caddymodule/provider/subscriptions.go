package provider

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"
)

// parseSubscriptions parses the description of the provider's own API.
func (s *Spec) parseSubscriptions(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("`subscriptions` takes a block only, not %q", d.Val())
	}
	api := &subscription.API{Fields: make(map[string]string)}
	s.Subscriptions = api
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		parse, ok := subscriptionWords[word]
		if !ok {
			return d.Errf("unknown word %q in subscriptions: use api, path, key, list, get, update or field", word)
		}
		if seen[word] && word != "field" {
			return d.Errf("`%s` stands in subscriptions twice; remove one", word)
		}
		seen[word] = true
		if err := parse(api, d); err != nil {
			return err
		}
	}
	if err := api.Validate(); err != nil {
		return d.Errf("subscriptions: %v", err)
	}
	return nil
}

// subscriptionWords parses each word of `subscriptions`.
var subscriptionWords = map[string]func(*subscription.API, *caddyfile.Dispenser) error{
	"api":    func(api *subscription.API, d *caddyfile.Dispenser) error { return parseOne(d, &api.API) },
	"path":   func(api *subscription.API, d *caddyfile.Dispenser) error { return parseOne(d, &api.Path) },
	"list":   func(api *subscription.API, d *caddyfile.Dispenser) error { return parseOne(d, &api.List) },
	"update": func(api *subscription.API, d *caddyfile.Dispenser) error { return parseOne(d, &api.Update) },
	"key":    parseAPIKey,
	"get": func(api *subscription.API, d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.Errf("`get` takes no argument")
		}
		api.Get = true
		return nil
	},
	"field": parseAPIField,
}

func parseAPIKey(api *subscription.API, d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "bearer":
		api.Key.Bearer = true
	case len(args) == 2 && args[0] == "header":
		api.Key.Header = args[1]
	default:
		return d.Errf("`key` takes bearer, or header <name>")
	}
	return nil
}

func parseAPIField(api *subscription.API, d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("`field` takes a word and what the provider calls it: field events <member>")
	}
	if err := subscription.CheckField(args[0]); err != nil {
		return d.Errf("%v", err)
	}
	if api.Has(args[0]) {
		return d.Errf("`field %s` stands in subscriptions twice; remove one", args[0])
	}
	api.Fields[args[0]] = args[1]
	return nil
}
