package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// wordMap maps a provider's words to canonical ones.
type wordMap struct {
	exact    map[string]string
	patterns []Mapping
}

func newWordMap(pairs []Mapping) *wordMap {
	if len(pairs) == 0 {
		return nil
	}
	m := &wordMap{exact: make(map[string]string, len(pairs))}
	for _, pair := range pairs {
		if strings.Contains(pair.From, "*") {
			m.patterns = append(m.patterns, pair)
		} else {
			m.exact[pair.From] = pair.To
		}
	}
	return m
}

// checkMappings refuses duplicate words.
func checkMappings(pairs []Mapping) error {
	seen := make(map[string]bool, len(pairs))
	for _, pair := range pairs {
		if seen[pair.From] {
			return fmt.Errorf("duplicate %q in the map; remove one", pair.From)
		}
		seen[pair.From] = true
	}
	return nil
}

// lookup returns the canonical word. Exact words go before patterns, and patterns in
// their order.
func (m *wordMap) lookup(word string) (string, bool) {
	if to, ok := m.exact[word]; ok {
		return to, true
	}
	for _, pair := range m.patterns {
		if envelope.MatchWord(pair.From, word) {
			return pair.To, true
		}
	}
	return "", false
}

// hasEvery reports whether `*` alone is one of the words. It matches objects and arrays
// too, which have no text.
func (m *wordMap) hasEvery() bool {
	return slices.ContainsFunc(m.patterns, func(pair Mapping) bool { return pair.From == "*" })
}
