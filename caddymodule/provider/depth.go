package provider

import (
	"fmt"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// depthOfData is how deep `data` is in an envelope, itself included.
const depthOfData = 2

// checkDepth refuses a field that could make an envelope deeper than
// MaxEnvelopeDepth. The field is in an object that is outside deep in the
// envelope, and its paths are in a value that is at most inside deep.
func checkDepth(f Field, outside, inside int) error {
	depth := outside + strings.Count(f.Name, ".")
	if f.As == asValue {
		depth += inside - pathDepth(f.Paths)
	}
	if depth > envelope.MaxEnvelopeDepth {
		return fmt.Errorf("field %.40s: it can make the envelope deeper than %d; use a name with fewer dots", f.Name, envelope.MaxEnvelopeDepth)
	}
	return nil
}

// depth returns how deep the items of the list are in an envelope.
func (l List) depth() int {
	const arrayAndItem = 2
	return depthOfData + strings.Count(l.Name, ".") + arrayAndItem
}

// itemDepth returns how deep an item can be at the provider.
func (l List) itemDepth() int {
	depth := envelope.MaxDepth - pathDepth([]string{l.Path})
	if l.Members {
		depth--
	}
	return depth
}

// pathDepth returns how many levels one of the paths enters at least. A path that
// needs a search counts up to there: a search can return a new array.
func pathDepth(paths []string) int {
	least := envelope.MaxDepth
	for _, path := range paths {
		names, _, _ := parsePath(path) // an error is reported elsewhere
		least = min(least, len(names))
	}
	return least
}
