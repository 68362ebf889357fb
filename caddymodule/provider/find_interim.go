package provider

import (
	"fmt"
	"sort"
	"strings"
)

// Find returns one of own, providers of a user's own, or a built-in one.
func Find(name string, own map[string]*Provider) (*Provider, error) {
	if p := own[name]; p != nil {
		return p, nil
	}
	if p, ok := Get(name); ok {
		return p, nil
	}
	known := Builtin()
	for name := range own {
		known = append(known, name)
	}
	sort.Strings(known[len(Builtin()):])
	return nil, fmt.Errorf("unknown provider %q: use one of %s, or define it in the global options: webhooks { provider %s { ... } }", name, strings.Join(known, ", "), name)
}
