package command

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

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
	readme, err := os.ReadFile("../../README.md")
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
	if err := os.WriteFile("../../README.md", []byte(updated), 0o644); err != nil {
		t.Fatal(err)
	}
}
