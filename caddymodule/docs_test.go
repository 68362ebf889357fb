package caddymodule_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is where the repository begins.
const repository = ".."

// TestPages holds every page of the repository against the program: its
// configurations are adapted and validated, its commands run, its links followed.
// The tests in docs_*_test.go use the program as its users do.
func TestPages(t *testing.T) {
	d := &docs{pages: docPages(t), caddy: filepath.Join(t.TempDir(), "caddy")}
	// Without the race detector, even if GOFLAGS asks for it: with it, each command
	// takes seconds to start.
	cmd := exec.Command("go", "build", "-race=false", "-o", d.caddy, "./cmd/caddy")
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("languages", d.testLanguages)
	t.Run("links", d.testLinks)
	t.Run("length", d.testLength)
	t.Run("caddyfiles", d.testCaddyfiles)
	t.Run("json", d.testJSON)
	t.Run("go", d.testGo)
	t.Run("commands", d.testCommands)
	t.Run("commands in the text", d.testInlineCommands)
	t.Run("requests", d.testRequests)
}

// docs is the pages, and the program that they describe.
type docs struct {
	pages []docPage
	caddy string // the path of the built cmd/caddy
}

// blocks returns the blocks of all pages in a language.
func (d *docs) blocks(language string) []docBlock {
	var all []docBlock
	for _, p := range d.pages {
		for _, b := range p.blocks {
			if b.language == language {
				all = append(all, b)
			}
		}
	}
	return all
}

// docPage is one Markdown file.
type docPage struct {
	path   string // from where the repository begins
	text   string
	blocks []docBlock
}

// docBlock is a fenced block of code.
type docBlock struct {
	page     string
	line     int // of the fence, from 1
	language string
	text     string
}

func (b docBlock) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// docPages returns every page of the repository, the README first.
func docPages(t *testing.T) []docPage {
	t.Helper()
	var all []docPage
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, repository+string(filepath.Separator)))
		all = append(all, docPage{name, string(text), blocksOf(t, name, text)})
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatal("no pages", err)
	}
	slices.SortStableFunc(all, func(a, b docPage) int { return strings.Count(a.path, "/") - strings.Count(b.path, "/") })
	return all
}

// blocksOf returns the fenced blocks of a page, without the indentation that they
// have in a list.
func blocksOf(t *testing.T, name string, text []byte) []docBlock {
	t.Helper()
	var all []docBlock
	var open *docBlock
	indent, n := "", 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		n++
		line := lines.Text()
		fence, isFence := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
		switch {
		case isFence && open == nil:
			indent = line[:strings.Index(line, "`")]
			open = &docBlock{page: name, line: n, language: fence}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s is not closed", open)
	}
	return all
}

// unchecked lists the languages of blocks that no test can check, with the reason.
var unchecked = map[string]string{
	"mermaid":    "GitHub draws it",
	"js":         "needs a package from npm",
	"python":     "needs packages from PyPI",
	"dockerfile": "needs Docker and images from its registry",
	"yaml":       "a Compose file, a workflow, or a configuration of Prometheus, which need Docker, GitHub or Prometheus",
	"ini":        "a unit of systemd, or settings of the kernel",
	"text":       "not for a program",
	"sql":        "for the user's own database",
}

// testLanguages shows that there is a check for each block, or a reason why
// there is none.
func (d *docs) testLanguages(t *testing.T) {
	checked := []string{"caddyfile", "json", "sh", "console", "go", "http"}
	for _, p := range d.pages {
		for _, b := range p.blocks {
			if unchecked[b.language] == "" && !slices.Contains(checked, b.language) {
				t.Errorf("%s: no test checks %q; use one of %s", b, b.language, strings.Join(checked, ", "))
			}
		}
	}
}

// run runs a command of Caddy and returns what it prints.
func (d *docs) run(t *testing.T, env []string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.caddy, args...)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = strings.NewReader("y\n") // to what it asks
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// testLength shows that the README is short enough to be read.
func (d *docs) testLength(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(readme, []byte("\n")); n > 250 {
		t.Errorf("%d lines, want at most 250: move what not every reader needs to the reference", n)
	}
}
