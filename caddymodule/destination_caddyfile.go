package caddymodule

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// parseDestination parses a destination. Syntax:
//
//	destination <name> {
//		types       <pattern...>
//		attempts    <n>
//		backoff     <first> <max>
//		timeout     <duration>
//		concurrency <n>
//		rate        <n>/<s|m|h>
//		ordered
//		format      cloudevents|original
//		sign        <secret...>
//		to {
//			<directives...>
//		}
//	}
func (h *Handler) parseDestination(d *caddyfile.Dispenser) error {
	d.Next() // the word destination
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("`destination` takes one name, not %d arguments: destination <name> { ... }", len(args))
	}
	destination := &Destination{Name: args[0], block: d}
	h.Destinations = append(h.Destinations, destination)
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		word := d.Val()
		parse, ok := destinationWords[word]
		if !ok {
			return d.Errf("unknown word %q in %s: use types, attempts, backoff, timeout, concurrency, rate, ordered, format, sign or to", word, destination)
		}
		if seen[word] {
			return d.Errf("`%s` stands in %s twice; remove one", word, destination)
		}
		seen[word] = true
		if err := parse(destination, d); err != nil {
			return err
		}
		if d.NextBlock(1) {
			return d.Errf("`%s` takes no block", word)
		}
	}
	return nil
}

// destinationWords parses each word of a destination.
var destinationWords = map[string]func(*Destination, *caddyfile.Dispenser) error{
	"types": parseTypes,
	"attempts": func(destination *Destination, d *caddyfile.Dispenser) error {
		return parseCount(d, &destination.Attempts)
	},
	"backoff": parseBackoff,
	"timeout": parseTimeout,
	"concurrency": func(destination *Destination, d *caddyfile.Dispenser) error {
		return parseCount(d, &destination.Concurrency)
	},
	"rate":    parseRate,
	"ordered": parseOrdered,
	"format": func(destination *Destination, d *caddyfile.Dispenser) error {
		return parseText(d, "format", d.RemainingArgs(), &destination.Format)
	},
	"sign": func(destination *Destination, d *caddyfile.Dispenser) error {
		return parseCredentials(d, "sign", d.RemainingArgs(), &destination.Sign)
	},
	"to": parseTo,
}

func parseTypes(destination *Destination, d *caddyfile.Dispenser) error {
	destination.Types = d.RemainingArgs()
	if len(destination.Types) == 0 {
		return d.Errf("`types` takes at least one pattern, such as message.*; leave it out for all")
	}
	return nil
}

// parseCount parses exactly one number.
func parseCount(d *caddyfile.Dispenser, to *int) error {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("`%s` takes one number, not %d arguments", word, len(args))
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 1 {
		return d.Errf("`%s` %q is not a whole number above 0", word, args[0])
	}
	*to = n
	return nil
}

func parseBackoff(destination *Destination, d *caddyfile.Dispenser) (err error) {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Errf("`backoff` takes the first wait and the longest: backoff 5s 6h")
	}
	if destination.Backoff.First, err = parsePositiveDuration(d, "backoff", args[0]); err != nil {
		return err
	}
	destination.Backoff.Max, err = parsePositiveDuration(d, "backoff", args[1])
	return err
}

func parseTimeout(destination *Destination, d *caddyfile.Dispenser) (err error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("`timeout` takes one duration, such as 30s")
	}
	destination.Timeout, err = parsePositiveDuration(d, "timeout", args[0])
	return err
}

// rateUnits are the units of `rate`.
var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

func parseRate(destination *Destination, d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("`rate` takes a number per unit of time, such as 10/s")
	}
	number, unit, _ := strings.Cut(args[0], "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || rateUnits[unit] == 0 {
		return d.Errf("`rate` %q is not a whole number above 0 per s, m or h, such as 10/s", args[0])
	}
	destination.Rate = &Rate{N: n, Per: caddy.Duration(rateUnits[unit])}
	return nil
}

func parseOrdered(destination *Destination, d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("`ordered` takes no argument")
	}
	destination.Ordered = true
	return nil
}

// parseTo keeps the block for parseRoutes.
func parseTo(destination *Destination, d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() > 0 {
		return d.Errf("`to` takes no argument: put the handlers into its block, and their matchers there too")
	}
	destination.toBlock = d.NewFromNextSegment()
	return nil
}

// firstLine returns the block at its first line, for errors.
func (d *Destination) firstLine() *caddyfile.Dispenser { return restarted(d.block) }

// insideTo marks, in the state of a block, that it is a `to` or stands in one.
const insideTo = "webhooks.to"

// parseRoutes makes the routes of each destination from its `to`.
func (h *Handler) parseRoutes(helper httpcaddyfile.Helper) error {
	state := make(map[string]any, len(helper.BlockState)+1)
	maps.Copy(state, helper.BlockState)
	state[insideTo] = true
	helper.BlockState = state
	for _, destination := range h.Destinations {
		if destination.toBlock == nil {
			continue // complete says so
		}
		handler, err := httpcaddyfile.ParseSegmentAsSubroute(helper.WithDispenser(destination.toBlock))
		if err != nil {
			return destination.firstLine().Errf("%s: %v", destination, err)
		}
		subroute, ok := handler.(*caddyhttp.Subroute)
		if !ok {
			return destination.firstLine().Errf("%s: `to` did not become routes", destination)
		}
		destination.To = subroute.Routes
	}
	return nil
}

// checkNotNested refuses a directive inside of a `to`: what is delivered there
// is not what the provider sent, and proves nothing.
func checkNotNested(h httpcaddyfile.Helper) error {
	if h.BlockState[insideTo] == nil {
		return nil
	}
	h.Next()
	return h.Errf("webhooks stands in a `to`, whose events are proved already; put it beside the outer webhooks, and handlers such as reverse_proxy into the `to`")
}
