package envelope

import (
	"fmt"
	"strings"
)

// TypePattern selects event types: segments separated by dots, in which `*`
// stands for one whole segment, or at the end for all that follow.
// `message.*` and `*.created` select `message.created`, `*` selects everything.
type TypePattern []string

// ParseTypePattern parses a pattern.
func ParseTypePattern(pattern string) (TypePattern, error) {
	segments := strings.Split(pattern, ".")
	for _, segment := range segments {
		if segment == "" || (segment != "*" && strings.Contains(segment, "*")) {
			return nil, fmt.Errorf("%q is not a pattern of event types: segments separated by dots, `*` as a whole segment, such as message.* or *.created", pattern)
		}
	}
	return segments, nil
}

// Match reports whether the pattern selects eventType.
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
