package command

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// The pages with lists of the built-in providers, which the test writes.
const (
	providersPage = "../provider/providers/README.md" // from its first section on
	frontPage     = "../../README.md"                 // the list below a comment
)

var listInFrontPage = regexp.MustCompile(`(?s)(<!-- The list is written by: [^\n]+ -->\n)\n(?:- .*?\n\n)?`)

// TestProvidersPages shows that the pages list the built-in providers as their files
// describe them.
func TestProvidersPages(t *testing.T) {
	groups := make(map[string][]*provider.Provider)
	var names []string
	for _, p := range allProviders(nil) {
		name := groupOf(p)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		groups[name] = append(groups[name], p)
	}
	slices.Sort(names)

	var table, list strings.Builder
	for _, name := range names {
		fmt.Fprintf(&table, "## %s\n\n| provider | proof | block needs | event id | types | tested | page |\n|---|---|---|---|---|---|---|\n", name)
		var members []string
		for _, p := range groups[name] {
			table.WriteString(providerRow(p))
			members = append(members, "`"+p.Name()+"`")
		}
		table.WriteByte('\n')
		anchor := strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(name))
		fmt.Fprintf(&list, "- [%s](caddymodule/provider/providers/README.md#%s): %s\n", name, anchor, strings.Join(members, ", "))
	}
	comparePage(t, providersPage, func(page string) string {
		intro, _, _ := strings.Cut(page, "## ")
		return intro + strings.TrimSuffix(table.String(), "\n")
	})
	comparePage(t, frontPage, func(page string) string {
		if !listInFrontPage.MatchString(page) {
			t.Fatal("the place of the list is missing")
		}
		return listInFrontPage.ReplaceAllString(page, "${1}\n"+list.String()+"\n")
	})
}

// providerRow returns the line of a provider in the table.
func providerRow(p *provider.Provider) string {
	spec, page := p.Spec(), "-"
	if u, err := url.Parse(spec.Docs); err == nil && u.Host != "" {
		page = fmt.Sprintf("[%s](%s)", u.Host, spec.Docs)
	}
	escaped := strings.NewReplacer("|", `\|`)
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s | %s |\n", p.Name(), escaped.Replace(proofText(p)), p.Needs(),
		escaped.Replace(identityText(p)), typesText(p), cmp.Or(spec.Tested, "-"), page)
}

// comparePage compares a page with what it should be, or writes it with -update.
func comparePage(t *testing.T, file string, should func(page string) string) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := should(string(page))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(page) {
		t.Errorf("%s does not list the providers as their files describe them; run this test with -update", file)
	}
}
