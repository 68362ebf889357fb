package command

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// allProviders returns the built-in providers and a user's own, sorted by name.
func allProviders(own map[string]*provider.Provider) []*provider.Provider {
	all := slices.Collect(maps.Values(own))
	for _, name := range provider.Builtin() {
		if p, ok := provider.Get(name); ok {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *provider.Provider) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

// searchProviders returns the providers with a word in their name, group, note or
// types, in any case. No word is in none: it is probably an unset variable.
func searchProviders(all []*provider.Provider, word string) []*provider.Provider {
	if word == "" {
		return nil
	}
	word = strings.ToLower(word)
	return slices.DeleteFunc(slices.Clone(all), func(p *provider.Provider) bool {
		spec := p.Spec()
		texts := append(append([]string{spec.Name, spec.Group, spec.Note}, spec.Type.Has...), p.CanonicalTypes()...)
		for _, mapping := range spec.Type.Mappings {
			texts = append(texts, mapping.From)
		}
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(strings.ToLower(text), word) })
	})
}

// ownGroup is the heading of providers without a group.
const ownGroup = "Your own"

func groupOf(p *provider.Provider) string { return cmp.Or(p.Spec().Group, ownGroup) }

// listProviders prints a line for each provider, by group.
func listProviders(w io.Writer, to screen, all []*provider.Provider) error {
	table := newTable(w, to,
		column{name: "PROVIDER"},
		column{name: "NEEDS", least: 12},
		column{name: "TYPES", rank: 2},
		column{name: "TESTED", rank: 1},
		column{name: "PROOF", least: 24, rank: 3},
	)
	slices.SortStableFunc(all, func(a, b *provider.Provider) int { return strings.Compare(groupOf(a), groupOf(b)) })
	group := ""
	for _, p := range all {
		if g := groupOf(p); g != group {
			group = g
			table.heading(g)
		}
		table.add(styled{text: p.Name()}, styled{text: needsText(p)}, styled{text: typesText(p)},
			styled{text: cmp.Or(p.Spec().Tested, "-")}, styled{text: proofText(p)})
	}
	return table.flush()
}

// typesText returns the number of types that the provider's file names, or "any" if the
// provider's own types pass as they are.
func typesText(p *provider.Provider) string {
	spec := p.Spec()
	names := make(map[string]bool)
	for _, own := range spec.Type.Has {
		names[own] = true
	}
	for _, mapping := range spec.Type.Mappings {
		if strings.Contains(mapping.From, "*") {
			return "any"
		}
		names[mapping.From] = true
	}
	switch {
	case spec.Type.Always != "":
		return "1"
	case len(names) == 0:
		return "any"
	}
	return strconv.Itoa(len(names))
}

// writeProviders prints each provider as JSON, a line each.
func writeProviders(w io.Writer, all []*provider.Provider) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, p := range all {
		if err := encoder.Encode(p.Spec()); err != nil {
			return err
		}
	}
	return nil
}
