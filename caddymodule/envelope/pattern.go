package envelope

import (
	"fmt"
	"strings"
)

// TypePattern is a pattern of event types: segments separated by dots, in which `*` is
// one whole segment, or at the end all segments that follow. `message.*` and
// `*.created` match `message.created`, and `*` matches every type.
type TypePattern []string

// ParseTypePattern parses a pattern.
func ParseTypePattern(pattern string) (TypePattern, error) {
	segments := strings.Split(pattern, ".")
	for _, segment := range segments {
		if segment == "" || (segment != "*" && strings.Contains(segment, "*")) {
			return nil, fmt.Errorf("%q is not a pattern of event types; use words with dots between them, or * for a whole word, such as message.* or *.created", pattern)
		}
	}
	return segments, nil
}

// String returns the pattern as it was parsed.
func (p TypePattern) String() string { return strings.Join(p, ".") }

// Match reports whether the pattern matches eventType.
func (p TypePattern) Match(eventType string) bool {
	for i, segment := range p {
		head, tail, more := strings.Cut(eventType, ".")
		last := i == len(p)-1
		if segment == "*" && last {
			return head != ""
		}
		if segment != "*" && segment != head || more == last {
			return false
		}
		eventType = tail
	}
	return true
}
