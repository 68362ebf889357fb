// Package jsonpath checks the gjson paths that a configuration reads values with.
package jsonpath

import (
	"errors"
	"fmt"
	"strings"
)

// Check refuses a path with which gjson writes new JSON or finds nothing.
func Check(path string) error {
	if path == "" {
		return errors.New("a path must not be empty")
	}
	if err := checkLanguage(path); err != nil {
		return err
	}
	depth := 0 // of parentheses: a query may hold anything
	start := true
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '\\':
			if i++; i == len(path) {
				return errors.New("nothing follows the backslash")
			}
		case c == '"' && depth > 0:
			for i++; i < len(path) && path[i] != '"'; i++ {
				if path[i] == '\\' {
					i++
				}
			}
			if i >= len(path) {
				return errors.New("a quote in a query is not closed")
			}
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return errors.New("unexpected closing parenthesis")
			}
		case depth > 0:
		case start && (c == '@' || c == '!'):
			return errors.New("modifiers and literals do not work here; for a member whose name begins with @ or !, write a backslash before it")
		case start && (c == '{' || c == '['):
			return errors.New("multipaths do not work here; write each path separately")
		case c == '[':
			return errors.New("a position goes between dots; write items.0.id instead of items[0].id")
		case c == '|':
			return errors.New("use . between members, not |")
		case c == '.' && (start || i == len(path)-1):
			return errors.New("a name is missing before or after a dot")
		}
		start = c == '.' && depth == 0
	}
	if depth > 0 {
		return errors.New("a parenthesis is not closed")
	}
	return nil
}

// simple writes a JSONPath or a JSON Pointer as a path.
var simple = strings.NewReplacer("['", ".", "']", "", "[", ".", "]", "", "/", ".")

// IsJSONPath reports whether a path is in the language JSONPath: `$.a` or `$[0]`.
func IsJSONPath(path string) bool {
	return strings.HasPrefix(path, "$.") || strings.HasPrefix(path, "$[")
}

// checkLanguage refuses paths in the languages JSONPath and JSON Pointer, with which gjson
// finds nothing.
func checkLanguage(path string) error {
	written := strings.Trim(simple.Replace(strings.TrimPrefix(path, "$")), ".")
	switch {
	case IsJSONPath(path):
		return fmt.Errorf("a path begins without $; write %s", written)
	case path[0] == '/':
		return fmt.Errorf("names have dots between them, not slashes; write %s", written)
	}
	return nil
}
