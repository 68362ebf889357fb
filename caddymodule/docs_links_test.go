package caddymodule_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// testLinks shows that every link within the repository leads somewhere.
func (d *docs) testLinks(t *testing.T) {
	anchors := make(map[string][]string)
	for _, p := range d.pages {
		for _, match := range heading.FindAllStringSubmatch(p.text, -1) {
			slug := notInSlug.ReplaceAllString(strings.ToLower(match[1]), "")
			anchors[p.path] = append(anchors[p.path], strings.ReplaceAll(slug, " ", "-"))
		}
	}
	for _, p := range d.pages {
		for _, match := range linkTarget.FindAllStringSubmatch(p.text, -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path, anchor, hasAnchor := strings.Cut(target, "#")
			to := p.path
			if path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), path))
			}
			if _, err := os.Stat(filepath.Join(repository, to)); err != nil {
				t.Errorf("%s: %v", p.path, err)
			} else if hasAnchor && !slices.Contains(anchors[to], anchor) {
				t.Errorf("%s links to %s, which has no such heading", p.path, target)
			}
		}
	}
}
