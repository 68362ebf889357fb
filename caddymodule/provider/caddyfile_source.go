package provider

import (
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// sourceUsage is the usage of a word whose arguments are a source.
const sourceUsage = "<path|template...> | header <name>"

// parseSource parses `<path|template...>` or `header <name>`, in a scope such as s, so
// that an error has the number of the line. The name is the word's in errors.
func parseSource(line blocks.Line, name string, args []string, s *scope) (Source, error) {
	if len(args) == 0 {
		return Source{}, line.Misused()
	}
	if args[0] == "header" {
		return parseHeaderSource(line, name, args)
	}
	if err := findMistake(line, name, args); err != nil {
		return Source{}, err
	}
	source := Source{Paths: args}
	if _, err := s.source(source); err != nil {
		return Source{}, line.Errf("%s: %v", name, err)
	}
	return source, nil
}

// parseOne parses a source of the event's own scope that has one text.
func parseOne(line blocks.Line, args []string) (Source, error) {
	s, err := parseSource(line, line.Word, args, newScope())
	if err != nil {
		return Source{}, err
	}
	if err := s.checkOne(); err != nil {
		return Source{}, line.Errf("%s: %v", line.Word, err)
	}
	return s, nil
}

func parseHeaderSource(line blocks.Line, name string, args []string) (Source, error) {
	if len(args) != 2 {
		return Source{}, line.Errf(`"%s header" takes one name; for a member that is called header, write \header; to try several places, write templates, such as $header(X-Id)`, name)
	}
	source := Source{Header: args[1]}
	if err := verify.CheckHeaderName(source.Header); err != nil {
		return Source{}, line.Errf("%s: %v", name, err)
	}
	return source, nil
}

// checkPaths checks the paths of a line, so that an error has its number.
func checkPaths(line blocks.Line, paths []string) error {
	for _, path := range paths {
		if _, err := newScope().slot(path); err != nil {
			return line.Errf("%s: %v", line.Word, err)
		}
	}
	return nil
}

// cutAs cuts `as <format>` off the end of args.
func cutAs(line blocks.Line, args []string) (rest []string, as string, err error) {
	n := len(args)
	switch {
	case n >= 2 && args[n-2] == "as":
		return args[:n-2], args[n-1], nil
	case n >= 1 && args[n-1] == "as":
		return nil, "", line.Errf(`"as" needs a format after it; for a member that is called as, write \as`)
	case n >= 2 && strings.Contains(args[n-1], layoutYear):
		return nil, "", line.Errf(`"as" is missing; write: as %q`, args[n-1])
	case n >= 2 && slices.Contains(timeFormats, args[n-1]):
		return nil, "", line.Errf(`"as" is missing; write: as %[1]s; for a member that is called %[1]s, write \%[1]s`, args[n-1])
	}
	return args, "", nil
}

// layoutYear is the year of Go's reference time, which a layout has and a path hardly.
const layoutYear = "2006"

// timeFormats are the formats of a time that have a name.
var timeFormats = []string{verify.RFC3339, verify.Unix, verify.UnixMilli}

// notPaths are arguments that other languages have between paths, by what to write
// instead.
var notPaths = map[string]string{
	"+":      "to join texts, write a template, such as $body(event)/$body(id)",
	"||":     "write the paths with a space between them; the first one that yields a value counts",
	"or":     "write the paths with a space between them; the first one that yields a value counts",
	"=":      "write the path after the name, without =",
	"in":     "to map words, write a block of lines: { <own word> <canonical word> }",
	"->":     "to map words, write a block of lines: { <own word> <canonical word> }",
	"=>":     "to map words, write a block of lines: { <own word> <canonical word> }",
	"as":     "a format works only at the end of \"time\" and of \"field\"",
	"header": "header <name> works only alone; among paths, write $header(<name>)",
}

// findMistake returns the error of arguments that could be paths, but hardly are.
func findMistake(line blocks.Line, name string, args []string) error {
	for _, arg := range args {
		if remedy, ok := notPaths[arg]; ok {
			return line.Errf("%s: unexpected %q; %s; for a member of this name, write \\%[2]s", name, arg, remedy)
		}
	}
	if args[0] == "query" && len(args) == 2 {
		return line.Errf(`%s: for a query parameter, write $query(%s); for a member that is called query, write \query`, name, args[1])
	}
	return nil
}
