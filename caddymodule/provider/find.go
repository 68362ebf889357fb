package provider

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CompileAll compiles a user's own providers. The result has them by name. The
// error is of a provider that does not compile, or whose name is taken.
func CompileAll(specs []*Spec) (map[string]*Provider, error) {
	own := make(map[string]*Provider, len(specs))
	for _, spec := range specs {
		if spec == nil {
			return nil, errors.New("a provider is null; remove it")
		}
		p, err := spec.Compile()
		if err != nil {
			return nil, err
		}
		if _, ok := Get(spec.Name); ok {
			return nil, fmt.Errorf("provider %s is built in; give yours another name", spec.Name)
		}
		if own[spec.Name] != nil {
			return nil, fmt.Errorf("duplicate provider %s; give one of them another name", spec.Name)
		}
		own[spec.Name] = p
	}
	return own, nil
}

// Find returns the provider of a name: one of a user's own, which CompileAll
// returned, or a built-in one. The error names the closest ones.
func Find(name string, own map[string]*Provider) (*Provider, error) {
	if p := own[name]; p != nil {
		return p, nil
	}
	if p, ok := Get(name); ok {
		return p, nil
	}
	names := Builtin()
	for name := range own {
		names = append(names, name)
	}
	near := closest(name, names)
	last := len(near) - 1
	unknown, placeholder := "unknown provider", "<name>"
	switch {
	case name == "":
		unknown = "the name of a provider is required"
	case len(name) <= maxShownName && namePattern.MatchString(name):
		unknown, placeholder = fmt.Sprintf("unknown provider %q", name), name
	}
	return nil, fmt.Errorf(`%s; the closest are %s or %s; see "caddy webhooks providers", or define it in the global options: webhooks { provider %s { ... } }`,
		unknown, strings.Join(near[:last], ", "), near[last], placeholder)
}

// maxShownName is the length of the longest unknown name in an error. A longer one, or
// one that no provider can have, may be a secret in the wrong place.
const maxShownName = 20

// closest returns the three names that differ least from name.
func closest(name string, names []string) []string {
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(editDistance(name, a), editDistance(name, b)), cmp.Compare(a, b))
	})
	return names[:min(len(names), 3)]
}

// editDistance returns how many bytes to insert, remove or replace to make b of a
// (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // the distances between a[:i] and each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
