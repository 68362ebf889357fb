package webhooks

import (
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// validateFilter checks the format, and the types and conditions that select events.
func (d *Destination) validateFilter() error {
	if err := checkFormat(d.Format); err != nil {
		return err
	}
	if d.Format == envelope.FormatOriginal {
		const selects = "`%[1]s` selects events, and `format original` is a whole request; remove `%[1]s`, or use `format cloudevents`"
		switch {
		case len(d.Types) > 0:
			return wrong("types", selects, "types")
		case len(d.When) > 0:
			return wrong("when", selects, "when")
		}
	}
	for _, pattern := range d.Types {
		if _, err := envelope.ParseTypePattern(pattern); err != nil {
			return wrong("types", "`types`: %w", err)
		}
	}
	for _, c := range d.When {
		if err := c.Validate(); err != nil {
			return wrong("when", "`when`: %w", err)
		}
	}
	return nil
}

// newFilter returns the filter of a destination that is valid, of a handler with a
// source.
func (d *Destination) newFilter(source string) queue.Filter {
	f := queue.Filter{Source: source, When: d.When}
	for _, pattern := range d.Types {
		p, _ := envelope.ParseTypePattern(pattern) // validateFilter has checked it
		f.Types = append(f.Types, p)
	}
	return f
}

// Refusal returns why the destination, which is valid, does not take an event of its
// handler: the line in its block that says no, such as `types message.*`. It is empty if
// the destination takes the event.
func (d *Destination) Refusal(eventType string, body []byte) string {
	return d.newFilter("").Refusal(eventType, body)
}

// warnOfTypes warns about patterns that no event of the provider can match. It is not
// an error: the provider may be defined to send more types later.
func (d *Destination) warnOfTypes(h *Handler) {
	known := h.provider.CanonicalTypes()
	for i, pattern := range d.filter.Types {
		mayBeOwn := strings.HasPrefix(d.Types[i], h.Provider+".") || len(known) == 0 && pattern[0] == "*"
		if mayBeOwn || slices.ContainsFunc(known, pattern.Match) {
			continue
		}
		h.logger.Warn("a pattern in `types` matches no type of the provider; its events are skipped",
			zap.String("provider", h.Provider), zap.String("destination", d.Name), zap.String("pattern", d.Types[i]),
			zap.String("nearest", h.provider.NearestPattern(pattern)), zap.Strings("types", known))
	}
}
