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

// read reads the configuration, and selects blocks.
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
		return errors.New("no Caddyfile in this directory; set --config")
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
		return r.nothingSelected(args, file, handlers)
	}
	r.nameSides()
	return nil
}

// nameSides adds the blocks to each other's targets, and gives each a unique title.
func (r *subscriptionsRun) nameSides() {
	titles := make(map[string]int) // number of blocks, by place
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

// nothingSelected returns the error for a selection without a block. handlers are all
// blocks of the file.
func (r *subscriptionsRun) nothingSelected(args []string, file string, handlers []*webhooks.Handler) error {
	block, wanted := "block", ""
	if len(args) > 0 {
		wanted = "`webhooks " + args[0] + "`"
		block += " " + wanted
	}
	var present, urls []string
	for _, h := range handlers {
		present = appendNew(present, "`webhooks "+h.Provider+"`")
	}
	for _, other := range r.others {
		urls = appendNew(urls, subscription.ShownURL(other.Want.URL))
	}
	switch {
	case len(present) == 0:
		return fmt.Errorf("%s has no block `webhooks`", file)
	case wanted != "" && !slices.Contains(present, wanted):
		return fmt.Errorf("%s has no %s; it has %s", file, block, strings.Join(present, ", "))
	case len(urls) == 0 && !r.othersUnknown:
		return fmt.Errorf("no %s in %s has a `subscribe`", block, file)
	default:
		return fmt.Errorf("%s has no %s with a `subscribe` to %s; it has %s",
			file, block, subscription.ShownURL(r.flags.String("url")), cmp.Or(strings.Join(urls, ", "), "none that can be read"))
	}
}

// appendNew appends a value unless the list has it.
func appendNew(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// add adds a block to the run.
func (r *subscriptionsRun) add(h *webhooks.Handler, own map[string]*provider.Provider) error {
	p, err := provider.Find(h.Provider, own)
	if err != nil {
		return err
	}
	if err = h.Complete(p); err != nil {
		return err
	}
	if h.Subscribe == nil {
		if r.flags.String("url") == "" {
			r.addByHand(p)
		}
		return nil
	}
	isSelected := r.selects(h)
	target, err := h.Target(p, r.flags.Duration("timeout"))
	switch {
	case err != nil && isSelected:
		r.unread = append(r.unread, fmt.Errorf("webhooks %s: %w", h.Provider, err))
		return nil
	case err != nil:
		r.othersUnknown = true
		return nil
	case !isSelected:
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
		return fmt.Errorf("two blocks of %s subscribe %s as %q, and differ; change the `name` or `url` of one",
			h.Provider, subscription.ShownURL(target.Want.URL), target.Want.Name)
	}
	r.sides = append(r.sides, &providerSide{
		Provider: h.Provider, Account: target.Client.Account,
		URL: subscription.ShownURL(target.Want.URL), Name: target.Want.Name,
		target: target,
	})
	return nil
}

// selects reports whether a block has the URL of --url, if that is set. Unset
// placeholders in other blocks are no errors then.
func (r *subscriptionsRun) selects(h *webhooks.Handler) bool {
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

// handlersIn returns all webhooks handlers of a configuration, in its order.
func handlersIn(config []byte) ([]*webhooks.Handler, error) {
	var handlers []*webhooks.Handler
	var walk func(value gjson.Result) error
	walk = func(value gjson.Result) (err error) {
		if value.IsObject() && value.Get("handler").String() == "webhooks" {
			var h struct {
				webhooks.Handler
				Module string `json:"handler"` // which Caddy takes out
			}
			if err = caddy.StrictUnmarshalJSON([]byte(value.Raw), &h); err != nil {
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
