package provider

import (
	"cmp"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// NearestPattern returns what a pattern that matches no type of the provider was probably
// meant to be: a pattern of the same form that does, if it differs little, or else the
// pattern after the provider's name, as for a type without a mapping.
func (p *Provider) NearestPattern(pattern envelope.TypePattern) string {
	wrong := pattern.String()
	if wrong == p.Name() {
		return wrong + ".*"
	}
	if len(pattern) > 1 && isNear(pattern[0], p.Name()) {
		return p.Name() + "." + pattern[1:].String()
	}
	var near []string
	for _, t := range p.CanonicalTypes() {
		near = append(near, likePattern(t, pattern))
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(editDistance(wrong, a), editDistance(wrong, b)) })
	if len(near) > 0 && isNear(wrong, near[0]) {
		return near[0]
	}
	return p.Name() + "." + wrong
}

// isNear reports whether a text is probably a slip of another one.
func isNear(wrong, right string) bool { return editDistance(wrong, right) <= max(1, len(wrong)/3) }

// likePattern returns a type with `*` for the segments for which a pattern has it.
func likePattern(eventType string, pattern envelope.TypePattern) string {
	segments := strings.Split(eventType, ".")
	for i := range min(len(segments), len(pattern)) {
		if pattern[i] != "*" {
			continue
		}
		segments[i] = "*"
		if i == len(pattern)-1 { // all that follow
			segments = segments[:i+1]
		}
	}
	return strings.Join(segments, ".")
}
