package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/jsonpath"
)

// Condition is a condition on an envelope. Exactly one of Is and IsNot is set.
type Condition struct {
	// The gjson path of a value in the envelope, such as `data.message.kind`,
	// `data.original.repository.full_name` or `subject`. Required.
	Path string `json:"path"`

	// The words of which the value must be one. `*` stands for any characters, and is
	// the only word that an object or an array can be. A value that is absent or null is
	// none of them.
	Is []string `json:"is,omitempty"`

	// The words that the value must not be, in the same form.
	IsNot []string `json:"is_not,omitempty"`
}

// members are the members of an envelope; see Event.Append.
var members = []string{
	"specversion", "id", "source", "type", "subject", "time", "recordedtime", "partitionkey", "provider", "providertype", "originaltype",
	"traceparent", "tracestate", "datacontenttype", "data",
}

// Validate returns an error for a condition that no envelope can be compared with.
func (c Condition) Validate() error {
	switch {
	case c.Path == "":
		return errors.New("a path is required, such as data.message.kind")
	case (len(c.Is) > 0) == (len(c.IsNot) > 0):
		return fmt.Errorf("%s: use either `is` or `is not`, with words after it", c.Path)
	}
	if path, isJSONPath := strings.CutPrefix(c.Path, "$."); isJSONPath {
		return fmt.Errorf("path %q: a path begins at the envelope, without $; write %s", c.Path, path)
	}
	if err := jsonpath.Check(c.Path); err != nil {
		return fmt.Errorf("path %q: %w", c.Path, err)
	}
	first, _, _ := strings.Cut(c.Path, ".")
	if !strings.ContainsAny(first, `*?#\`) && !slices.Contains(members, first) {
		return fmt.Errorf("path %q: an envelope has no %.40q; begin with data, as in data.message.kind or data.original.%s, or use an attribute such as type or subject",
			c.Path, first, c.Path)
	}
	return nil
}

// Holds reports whether the condition holds for an envelope.
func (c Condition) Holds(envelope []byte) bool {
	value := gjson.GetBytes(envelope, c.Path)
	if len(c.IsNot) > 0 {
		return !isOneOf(value, c.IsNot)
	}
	return isOneOf(value, c.Is)
}

// isOneOf reports whether a value is one of some words.
func isOneOf(value gjson.Result, words []string) bool {
	if !value.Exists() || value.Type == gjson.Null {
		return false
	}
	text := value.Str
	switch value.Type {
	case gjson.JSON:
		return slices.Contains(words, "*")
	case gjson.Number, gjson.True, gjson.False:
		text = value.Raw
	}
	return slices.ContainsFunc(words, func(word string) bool { return MatchWord(word, text) })
}

// String returns the condition as in a Caddyfile.
func (c Condition) String() string {
	if len(c.IsNot) > 0 {
		return "when " + c.Path + " is not " + strings.Join(c.IsNot, " ")
	}
	return "when " + c.Path + " is " + strings.Join(c.Is, " ")
}

// MatchWord reports whether word matches pattern, in which `*` is any characters.
func MatchWord(pattern, word string) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == word
	}
	word, ok := strings.CutPrefix(word, head)
	if !ok {
		return false
	}
	for {
		head, rest, star := strings.Cut(tail, "*")
		if !star {
			return strings.HasSuffix(word, tail)
		}
		i := strings.Index(word, head)
		if i < 0 {
			return false
		}
		word, tail = word[i+len(head):], rest
	}
}
