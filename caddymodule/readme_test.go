package caddymodule

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

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
