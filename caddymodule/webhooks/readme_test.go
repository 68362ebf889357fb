package webhooks

import (
	"os"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// TestDocumentedFilter shows that the log filter of the README and of
// Caddyfile.example removes every credential of the built-in providers that
// Caddy's own logs would show: what the module warns about has a remedy there.
func TestDocumentedFilter(t *testing.T) {
	for _, file := range []string{"../../README.md", "../../Caddyfile.example"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range provider.Builtin() {
			h := &Handler{Provider: name}
			h.provider, _ = provider.Get(name)
			places := h.credentialPlaces()
			for _, header := range places.Headers {
				line := "request>headers>" + header + " delete"
				if header != "Authorization" && !strings.Contains(string(text), line) {
					t.Errorf("%s has no %q, for %s", file, line, name)
				}
			}
			for _, parameter := range places.Query {
				if line := "delete " + parameter; !strings.Contains(string(text), line) {
					t.Errorf("%s has no %q, for %s", file, line, name)
				}
			}
		}
	}
}
