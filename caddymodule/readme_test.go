package caddymodule

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// TestReadmeProviders shows that the README's table of providers has the text of
// the providers' own files.
func TestReadmeProviders(t *testing.T) {
	var rows strings.Builder
	for _, name := range provider.Builtin() {
		p, ok := provider.Get(name)
		if !ok {
			t.Fatal(name)
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s |\n", name, p.Needs(), p.Spec().Note, proofText(p), identityText(p))
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(readme), rows.String()) {
		return
	}
	if update := flag.Lookup("update"); update == nil || update.Value.String() != "true" {
		t.Fatalf("the README's table of providers should be:\n%s", &rows)
	}
	table := regexp.MustCompile(`(?s)(\| provider \| needs \|[^\n]*\n\|[-|]+\n)(.*?)\n\n`)
	updated := table.ReplaceAllString(string(readme), "${1}"+strings.ReplaceAll(rows.String(), "$", "$$")+"\n")
	if err := os.WriteFile("../README.md", []byte(updated), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDocumentedFilter shows that the log filter of the README and of
// Caddyfile.example removes every credential of the built-in providers that
// Caddy's own logs would show: what the module warns about has a remedy there.
func TestDocumentedFilter(t *testing.T) {
	for _, file := range []string{"../README.md", "../Caddyfile.example"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range provider.Builtin() {
			h := &Handler{Provider: name}
			h.provider, _ = provider.Get(name)
			places := h.credentialPlaces()
			for _, header := range places.headers {
				line := "request>headers>" + header + " delete"
				if header != "Authorization" && !strings.Contains(string(text), line) {
					t.Errorf("%s has no %q, for %s", file, line, name)
				}
			}
			for _, parameter := range places.query {
				if line := "delete " + parameter; !strings.Contains(string(text), line) {
					t.Errorf("%s has no %q, for %s", file, line, name)
				}
			}
		}
	}
}

// commandHandler stands in for events-exec, which is not a standard module.
type commandHandler struct {
	Words []string `json:"words"`
}

func (commandHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.exec", New: func() caddy.Module { return new(commandHandler) }}
}

func (h *commandHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	h.Words = d.RemainingArgs()
	return nil
}

// TestReadmeConfigs shows that every configuration of the README is one: what
// begins with global options or a site, and has no `<...>`.
func TestReadmeConfigs(t *testing.T) {
	caddy.RegisterModule(commandHandler{})
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		config := block[1]
		if !strings.HasPrefix(config, "{\n") && !strings.HasPrefix(config, "hooks.example.com {\n") || strings.Contains(config, "<") {
			continue
		}
		n++
		// Its warnings are about alignment.
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil); err != nil {
			t.Errorf("%v in\n%s", err, config)
		}
	}
	if n != 7 {
		t.Errorf("%d configurations were tried, want 7", n)
	}
}

// TestBuiltFixtures shows that what is listed as built from a documented shape is
// there.
func TestBuiltFixtures(t *testing.T) {
	list, err := os.ReadFile("../fixtures/built.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(list)) {
		path := strings.TrimSpace(line)
		if path == "" || strings.HasPrefix(path, "#") {
			continue
		}
		n++
		if _, err := os.Stat("../fixtures/" + path); err != nil {
			t.Error(err)
		}
	}
	if n != 20 {
		t.Errorf("%d payloads are listed, want 20", n)
	}
}
