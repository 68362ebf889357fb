package command

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// acme compiles a provider of a user's own.
func acme(t *testing.T, change func(*provider.Spec)) *provider.Provider {
	t.Helper()
	spec := &provider.Spec{Name: "acme"}
	spec.Verify.Token = &verify.Token{Places: []verify.Place{{Header: "X-Token"}}}
	spec.Type.Always = "acme.event"
	change(spec)
	p, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestListProviders shows that the list of all providers fits on a screen, and that a
// pipe gets all of it, each provider once and below its group.
func TestListProviders(t *testing.T) {
	own := acme(t, func(s *provider.Spec) {})
	grouped := acme(t, func(s *provider.Spec) { s.Name, s.Group, s.Tested = "zulu", "Zulu group\x1b", "library" })
	all := allProviders(map[string]*provider.Provider{"acme": own, "zulu": grouped})
	for _, width := range []int{0, 80, 120} {
		var out strings.Builder
		if err := listProviders(&out, screen{width: width}, all); err != nil {
			t.Fatal(err)
		}
		if width > 0 {
			wantFit(t, out.String(), width)
		}
		for _, p := range all {
			if n := len(regexp.MustCompile(`(?m)^`+p.Name()+` `).FindAllString(out.String(), -1)); n != 1 {
				t.Errorf("%d columns: %s is there %d times in\n%s", width, p.Name(), n, &out)
			}
		}
		for _, want := range []string{
			"PROVIDER", "TESTED", `\n\nYour own\nacme `, `\n\nZulu group\\u001b\nzulu +token +1 +library +token in header X-Token\n$`,
		} {
			if !regexp.MustCompile(want).MatchString(out.String()) {
				t.Errorf("%d columns: no %q in\n%s", width, want, &out)
			}
		}
	}
}

func TestSearchProviders(t *testing.T) {
	all := []*provider.Provider{
		acme(t, func(s *provider.Spec) { s.Name, s.Note = "noted", "Enter the URL in Settings" }),
		acme(t, func(s *provider.Spec) { s.Name, s.Group = "grouped", "Commerce and payments" }),
		acme(t, func(s *provider.Spec) {
			s.Name, s.Type = "typed", provider.Type{Source: provider.Source{Paths: []string{"type"}}, Mappings: []provider.Mapping{{From: "Pay_Done", To: "order.paid"}}}
		}),
		acme(t, func(s *provider.Spec) { s.Name, s.Type = "having", provider.Type{Has: []string{"payment", "refund"}} }),
	}
	for word, want := range map[string]string{
		"noted": "noted", "SETTINGS": "noted", "pay": "grouped typed having", "pay_done": "typed", "order.": "typed",
		"refund": "having", "acme": "noted grouped", "nothing": "", "": "",
	} {
		var names []string
		for _, p := range searchProviders(all, word) {
			names = append(names, p.Name())
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q finds %q, want %q", word, got, want)
		}
	}
}

func TestTypesText(t *testing.T) {
	path := provider.Source{Paths: []string{"type"}}
	for want, spec := range map[string]provider.Type{
		"1":     {Always: "a.b"},
		"any":   {Source: path},
		"2":     {Source: path, Mappings: []provider.Mapping{{From: "a", To: "a.b"}, {From: "b", To: "a.b"}}},
		"3":     {Has: []string{"a", "b", "c"}, Mappings: []provider.Mapping{{From: "a", To: "a.b"}}},
		"any  ": {Source: path, Mappings: []provider.Mapping{{From: "a.*", To: "a.b"}}},
	} {
		p := acme(t, func(s *provider.Spec) { s.Type = spec })
		if got := typesText(p); got != strings.TrimSpace(want) {
			t.Errorf("%+v: %q", spec, got)
		}
	}
}

func TestProvidersJSON(t *testing.T) {
	for _, args := range [][]string{{"providers", "--json", "notifly"}, {"providers", "--json"}} {
		out, _, err := execute(t, "", args...)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for line := range strings.Lines(out) {
			var spec provider.Spec
			if err := json.Unmarshal([]byte(line), &spec); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if _, ok := provider.Get(spec.Name); !ok {
				t.Errorf("no provider %q", spec.Name)
			}
			found = found || spec.Name == "notifly"
		}
		if !found || len(args) == 3 && strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %s", args, out)
		}
	}
}
