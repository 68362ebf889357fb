package webhooks

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// parseDestination parses a destination. Syntax:
//
//	destination <name> {
//		types       <pattern...>
//		when        <path> is [not] <word...>
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
func (h *Handler) parseDestination(line blocks.Line) error {
	d := &Destination{Name: line.Args[0], block: newBlock(line)}
	h.Destinations = append(h.Destinations, d)
	return destinationWords.Parse(line, d.String(), d)
}

// destinationWords are the words of a destination's block.
var destinationWords = blocks.Words[*Destination]{
	{Name: "types", Usage: "<pattern...>", Parse: func(d *Destination, line blocks.Line) error {
		d.Types = line.Args
		return nil
	}},
	{Name: "when", Usage: "<path> is [not] <word...>", Hint: "for types of events, use `types`", Repeats: true, Parse: parseCondition},
	countWord("attempts", func(d *Destination) *int { return &d.Attempts }),
	{Name: "backoff", Usage: "<first> <max>", Parse: parseBackoff},
	durationWord("timeout", func(d *Destination) *caddy.Duration { return &d.Timeout }),
	countWord("concurrency", func(d *Destination) *int { return &d.Concurrency }),
	{Name: "rate", Usage: "<n>/<s|m|h>", Parse: parseRate},
	{Name: "ordered", Parse: func(d *Destination, _ blocks.Line) error {
		d.Ordered = true
		return nil
	}},
	blocks.Text("format", "cloudevents|original", func(d *Destination) *string { return &d.Format }),
	credentialsWord("sign", "<secret...>", func(d *Destination) *[]string { return &d.SigningKeys }),
	{Name: "to", Block: true, Parse: func(d *Destination, line blocks.Line) error {
		d.to = &line
		return nil
	}},
}

// parseCondition parses `when <path> is <word...>` and `when <path> is not <word...>`.
func parseCondition(d *Destination, line blocks.Line) error {
	args := line.Args
	if args[1] != "is" {
		return line.Misused()
	}
	c := envelope.Condition{Path: args[0], Is: args[2:]}
	if args[2] == "not" {
		c.Is, c.IsNot = nil, args[3:]
	}
	if err := c.Validate(); err != nil {
		return line.Errf("`when`: %v", err)
	}
	d.When = append(d.When, c)
	return nil
}

func parseBackoff(d *Destination, line blocks.Line) (err error) {
	if d.Backoff.First, err = parseDuration(line, line.Args[0]); err != nil {
		return err
	}
	d.Backoff.Max, err = parseDuration(line, line.Args[1])
	return err
}

// rateUnits are the units of `rate`.
var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

func parseRate(d *Destination, line blocks.Line) error {
	number, unit, _ := strings.Cut(line.Args[0], "/")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || rateUnits[unit] == 0 {
		return line.Errf("`rate`: %.40q is not a whole number above 0 per s, m or h, such as 10/s", line.Args[0])
	}
	d.Rate = &Rate{N: n, Per: caddy.Duration(rateUnits[unit])}
	return nil
}

// insideTo marks, in the state of a block, that it is a `to` or in one.
const insideTo = "webhooks.to"

// parseRoutes makes the routes of each destination from its `to`.
func (h *Handler) parseRoutes(helper httpcaddyfile.Helper) error {
	state := make(map[string]any, len(helper.BlockState)+1)
	maps.Copy(state, helper.BlockState)
	state[insideTo] = true
	helper.BlockState = state
	for _, d := range h.Destinations {
		if d.to == nil {
			continue // validate reports it
		}
		handler, err := httpcaddyfile.ParseSegmentAsSubroute(helper.WithDispenser(d.to.Dispenser()))
		if err != nil {
			return d.to.Errf("%s: %v", d, err)
		}
		subroute, ok := handler.(*caddyhttp.Subroute)
		if !ok {
			return d.to.Errf("%s: `to` did not become routes", d)
		}
		d.To = subroute.Routes
	}
	return nil
}

// insideToKey marks the context in which the handlers of a `to` are provisioned.
type insideToKey struct{}

var errInsideTo = errors.New("webhooks is inside a `to`, whose events are verified already; put it beside the outer webhooks, and handlers such as reverse_proxy into the `to`")

// checkNotNested refuses a directive inside of a `to`: its events are not the
// provider's requests, and verify nothing.
func checkNotNested(h httpcaddyfile.Helper) error {
	if h.BlockState[insideTo] == nil {
		return nil
	}
	h.Next()
	return h.Errf("%v", errInsideTo)
}
