package provider

import (
	"slices"
	"strings"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/internal/blocks"
)

// checkPerEvent is Provider.checkPerEvent for a block that has been parsed, so that its
// error has the number of a line.
func (s *Spec) checkPerEvent(head blocks.Line) error {
	outer, hasOuter := lineOf(head, readsAround)
	if len(s.Events.Paths) == 0 && !hasOuter {
		return nil
	}
	p := &Provider{spec: s, scope: newScope(), programs: make(map[string]*program)}
	for _, step := range []func() error{p.compileEvents, p.compileType, p.compileID, p.compileTime, p.compilePrograms} {
		if step() != nil {
			return nil // Compile returns it
		}
	}
	word, err := p.sharedByEvents()
	if err == nil {
		return nil
	}
	line := outer
	if word != "" {
		line, _ = lineOf(head, func(line blocks.Line) bool { return line.Word == word })
	}
	return line.Errf("%v", err)
}

// lineOf returns the first line of a block that fits, or else of the blocks in it.
func lineOf(head blocks.Line, fits func(blocks.Line) bool) (found blocks.Line, ok bool) {
	var lines []blocks.Line
	_ = head.Each(func(line blocks.Line) error { // it has been parsed without an error
		lines = append(lines, line)
		return nil
	})
	if i := slices.IndexFunc(lines, fits); i >= 0 {
		return lines[i], true
	}
	for _, line := range lines {
		if found, ok = lineOf(line, fits); ok {
			return found, true
		}
	}
	return blocks.Line{}, false
}

// readsAround reports whether a line has a path to what is around an event.
func readsAround(line blocks.Line) bool {
	return slices.ContainsFunc(line.Args, func(arg string) bool {
		name, isOuter := strings.CutPrefix(arg, outerPath)
		return isOuter && name != "" && name[0] != '.' || strings.Contains(arg, "$body("+outerPath)
	})
}
