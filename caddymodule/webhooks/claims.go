package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// claims are the sources and destinations of a configuration, each with the first
// handler that has it: a source is the scope of a memory, and the name of a
// destination that of its progress.
type claims struct {
	sources, destinations map[string]*claimant
	handlers              int // that were claimed for
}

// claimant is a handler that has a source.
type claimant struct {
	h        *Handler
	name     string         // in errors
	settings map[string]any // by their names in JSON
}

func newClaims() *claims {
	return &claims{sources: make(map[string]*claimant), destinations: make(map[string]*claimant)}
}

// claim claims the source and the destinations of a handler whose defaults are set.
// It returns an error if another handler has them, unless both are equal.
func (c *claims) claim(h *Handler, name string) error {
	settings, err := settingsOf(h)
	if err != nil {
		return err
	}
	second := &claimant{h, name, settings}
	first := c.sources[h.Source]
	if first == nil {
		c.sources[h.Source] = second
	} else if differing := differences(first.settings, settings); len(differing) > 0 {
		return fmt.Errorf("two webhooks handlers have the source %q and differ in %s: %s, and %s; give one a `source` of its own",
			h.Source, strings.Join(differing, ", "), first.name, name)
	}
	for _, d := range h.Destinations {
		first := c.destinations[d.Name]
		if first == nil {
			c.destinations[d.Name] = second
		} else if first.h.Source != h.Source {
			return &destinationError{d, fmt.Errorf("duplicate name, in %s and in %s; names are unique in a configuration, give one another name", first.name, name)}
		}
	}
	return nil
}

// isFirst reports whether a handler is the first one with its source.
func (c *claims) isFirst(h *Handler) bool { return c.sources[h.Source].h == h }

// claim claims the source and the destinations of a handler.
func (a *App) claim(h *Handler) error {
	a.claims.handlers++
	return a.claims.claim(h, fmt.Sprintf("webhooks %s, number %d in the configuration", h.Provider, a.claims.handlers))
}

// settingsOf returns the settings of a handler by their names in JSON, for
// comparison. It must come before routes are provisioned, which empties them.
func settingsOf(h *Handler) (map[string]any, error) {
	serving := *h
	serving.Subscribe = nil // has no effect on requests
	text, err := json.Marshal(serving)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a float64 does not have all digits of a duration
	var settings map[string]any
	if err := decoder.Decode(&settings); err != nil {
		return nil, err
	}
	numberGroups(settings, make(map[string]int))
	return settings, nil
}

// adaptedGroup matches the name of a group of routes from the Caddyfile adapter.
var adaptedGroup = regexp.MustCompile(`^group\d+$`)

// numberGroups replaces the names of groups of routes, as the Caddyfile adapter gives
// them, by numbers in the order in which they appear. The adapter counts groups
// through the whole file, so that equal blocks have unequal ones.
func numberGroups(value any, numbers map[string]int) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			numberGroups(item, numbers)
		}
	case map[string]any:
		if group, ok := value["group"].(string); ok && adaptedGroup.MatchString(group) {
			if _, ok := numbers[group]; !ok {
				numbers[group] = len(numbers)
			}
			value["group"] = numbers[group]
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			numberGroups(value[name], numbers)
		}
	}
}

// differences lists the names of the settings in which two handlers differ.
func differences(a, b map[string]any) []string {
	var names []string
	for name, value := range a {
		if !reflect.DeepEqual(value, b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
