package command

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/subscription"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/webhooks"
)

// read reads the configuration and keeps the blocks that are meant.
func (r *subscriptionsRun) read(args []string) error {
	if slices.Contains(args, "") {
		return errors.New("an argument is empty; leave it out, or give a provider and an id")
	}
	if len(args) == 2 {
		r.id = args[1]
	}
	if r.flags.Duration("timeout") <= 0 {
		return errors.New("--timeout must be above 0, such as 30s")
	}
	config, file, _, err := caddycmd.LoadConfig(r.flags.String("config"), r.flags.String("adapter"))
	if err != nil {
		return err
	}
	if file == "" {
		return errors.New("there is no Caddyfile in this directory; say --config <file>")
	}
	own, err := providersIn(config)
	if err != nil {
		return err
	}
	handlers, err := handlersIn(config)
	if err != nil {
		return err
	}
	for _, h := range handlers {
		if len(args) > 0 && h.Provider != args[0] {
			continue
		}
		if err := r.add(h, own); err != nil {
			return err
		}
	}
	if len(r.sides) == 0 && len(r.byHands) == 0 {
		if r.unread != nil {
			return r.unread
		}
		return r.nothingMeant(args, file, own)
	}
	r.nameSides()
	return nil
}

// nameSides makes the blocks know each other, and gives each a title that no
// other has.
func (r *subscriptionsRun) nameSides() {
	titles := make(map[string]int) // how many blocks have it
	for _, s := range r.sides {
		s.place = s.Provider
		if s.Account != "" {
			s.place += ", account " + s.Account
		}
		titles[s.place]++
		s.target.OthersUnknown = r.othersUnknown || r.unread != nil
		for _, other := range r.sides {
			s.target.Meet(other.target)
		}
		for _, other := range r.others {
			s.target.Meet(other)
		}
	}
	for _, s := range r.sides {
		s.title = s.place
		if titles[s.place] > 1 {
			s.title += ", " + quoted(s.Name) + " at " + s.URL
		}
	}
}

// nothingMeant says why there is nothing to do.
func (r *subscriptionsRun) nothingMeant(args []string, file string, own map[string]*provider.Provider) error {
	if len(args) > 0 {
		if _, err := provider.Find(args[0], own); err != nil {
			return err
		}
	}
	what := strings.Join(append([]string{"webhooks"}, args[:min(len(args), 1)]...), " ")
	if u := r.flags.String("url"); u != "" {
		var there []string
		for _, other := range r.others {
			if shown := subscription.ShownURL(other.Want.URL); !slices.Contains(there, shown) {
				there = append(there, shown)
			}
		}
		return fmt.Errorf("%s has no block `%s` with a `subscribe` whose `url` is %s; there is %s",
			file, what, subscription.ShownURL(u), cmp.Or(strings.Join(there, ", "), "none"))
	}
	return fmt.Errorf("%s has no block `%s`", file, what)
}

// add takes a block into the run.
func (r *subscriptionsRun) add(h *webhooks.Handler, own map[string]*provider.Provider) error {
	p, err := provider.Find(h.Provider, own)
	if err != nil {
		return err
	}
	if err := h.Complete(p); err != nil {
		return err
	}
	if h.Subscribe == nil {
		if r.flags.String("url") == "" {
			r.addByHand(p)
		}
		return nil
	}
	isMeant := r.means(h)
	target, err := h.Target(p, r.flags.Duration("timeout"))
	switch {
	case err != nil && isMeant:
		r.unread = append(r.unread, fmt.Errorf("webhooks %s: %w", h.Provider, err))
		return nil
	case err != nil:
		r.othersUnknown = true
		return nil
	case !isMeant:
		r.others = append(r.others, target)
		return nil
	}
	for _, other := range r.sides {
		if !other.target.Overlaps(target) {
			continue
		}
		if reflect.DeepEqual(other.target.Want, target.Want) {
			return nil // the same block in two places
		}
		return fmt.Errorf("two blocks of %s subscribe %s under the name %q, and differ; give one another `name` or `url`",
			h.Provider, subscription.ShownURL(target.Want.URL), target.Want.Name)
	}
	r.sides = append(r.sides, &providerSide{
		Provider: h.Provider, Account: target.Client.Account,
		URL: subscription.ShownURL(target.Want.URL), Name: target.Want.Name,
		target: target,
	})
	return nil
}

// means reports whether a block is the one of --url, if that is given: what the
// others need is not asked for then.
func (r *subscriptionsRun) means(h *webhooks.Handler) bool {
	u := r.flags.String("url")
	if u == "" {
		return true
	}
	own, err := webhooks.Resolve("url", h.Subscribe.URL)
	return err == nil && subscription.IsSamePlace(u, own)
}

func (r *subscriptionsRun) addByHand(p *provider.Provider) {
	enter := webhooks.WhatToEnter(p)
	if p.Spec().Subscriptions != nil {
		enter += "; or add a `subscribe` to the block"
	}
	if manual := (byHand{p.Name(), enter}); !slices.Contains(r.byHands, manual) {
		r.byHands = append(r.byHands, manual)
	}
}

// handlersIn returns the webhooks handlers of a configuration, in its order,
// wherever they stand in it.
func handlersIn(config []byte) ([]*webhooks.Handler, error) {
	var handlers []*webhooks.Handler
	var walk func(value gjson.Result) error
	walk = func(value gjson.Result) (err error) {
		if value.IsObject() && value.Get("handler").String() == "webhooks" {
			var h struct {
				webhooks.Handler
				Module string `json:"handler"` // which Caddy takes out
			}
			if err := caddy.StrictUnmarshalJSON([]byte(value.Raw), &h); err != nil {
				return fmt.Errorf("a webhooks handler: %w", err)
			}
			handlers = append(handlers, &h.Handler)
			return nil
		}
		if value.IsObject() || value.IsArray() {
			value.ForEach(func(_, member gjson.Result) bool {
				err = walk(member)
				return err == nil
			})
		}
		return err
	}
	return handlers, walk(gjson.ParseBytes(config))
}
