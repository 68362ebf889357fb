package provider_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// acme returns a provider block around lines, the first of which is line 2 of
// acme.caddyfile.
func acme(lines string) string { return "provider acme {\n" + lines + "\n}\n" }

// basics are the lines without which no provider compiles.
const basics = "verify basic\ntype type\n"

// compile parses and compiles a provider block.
func compile(t testing.TB, text string) *provider.Provider {
	t.Helper()
	spec, err := provider.Parse("acme.caddyfile", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compileFile compiles a file in testdata.
func compileFile(t testing.TB, name string) *provider.Provider {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(text))
}

// get returns a built-in provider.
func get(t testing.TB, name string) *provider.Provider {
	t.Helper()
	p, ok := provider.Get(name)
	if !ok {
		t.Fatalf("no provider %s", name)
	}
	return p
}

// raw returns a body that is one event.
func raw(body string) provider.Raw { return provider.Raw{Text: body} }

// read returns the only event in a body.
func read(t testing.TB, p *provider.Provider, body string, header http.Header) provider.Event {
	t.Helper()
	events, err := p.Split(body)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 1 {
		t.Fatalf("%d events, want 1", len(events))
	}
	return p.Read(events[0], &verify.Request{Header: header})
}

// data returns what rules make of an event: the canonical members of `data`.
func data(t testing.TB, rules, event string) string {
	t.Helper()
	e := read(t, compile(t, acme(basics+rules)), event, nil)
	return "{" + string(e.Fields) + "}"
}

// TestBuiltin compares what a `webhooks` block must know of each built-in provider
// with its golden file.
func TestBuiltin(t *testing.T) {
	for _, name := range provider.Builtin() {
		t.Run(name, func(t *testing.T) {
			file, err := provider.File(name)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := provider.Parse(name+".caddyfile", file)
			if err != nil {
				t.Fatal(err)
			}
			p := get(t, name)
			if !reflect.DeepEqual(p.Spec(), spec) {
				t.Error("the spec is not that of the file")
			}
			if p.Name() != name {
				t.Errorf("it is called %s", p.Name())
			}
			if spec.Note == "" {
				t.Error("no note says what to enter at the provider")
			}
			for _, known := range p.CanonicalTypes() {
				if !p.KnowsType(known) {
					t.Errorf("it does not know %s", known)
				}
			}
			for _, unknown := range []string{"", name + ".unknown", "message.lost"} {
				if p.KnowsType(unknown) {
					t.Errorf("it knows %q", unknown)
				}
			}
			compareJSON(t, filepath.Join("testdata/builtin", name+".json"), map[string]any{
				"needs":       p.Needs(),
				"reply":       spec.Reply,
				"batch":       p.IsBatch(),
				"key_is_hash": p.KeyIsHash(),
				"redactions":  spec.Redactions,
				"types":       p.CanonicalTypes(),
			})
		})
	}
}

// compareJSON compares a value with a golden file.
func compareJSON(t *testing.T, path string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err = os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestBuiltinNames shows that every file but the page is a provider, and that nothing
// else is.
func TestBuiltinNames(t *testing.T) {
	files, err := os.ReadDir("providers")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	var want []string
	for _, file := range files {
		if file.Name() != "README.md" {
			want = append(want, strings.TrimSuffix(file.Name(), ".caddyfile"))
		}
	}
	names := provider.Builtin()
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	names[0] = "mine"
	if names := provider.Builtin(); !slices.Equal(names, want) {
		t.Errorf("a caller changed the names to %q", names)
	}
	if _, ok := provider.Get("acme"); ok {
		t.Error("there is a provider acme")
	}
	if _, err := provider.File("acme"); err == nil {
		t.Error("there is a file of provider acme")
	}
}

// TestNeeds shows which credentials a block must have.
func TestNeeds(t *testing.T) {
	const stamped = "verify hmac sha256 {\nsignature header X-Sig\ncontent $timestamp.$body\ntimestamp header X-Time\n}\n"
	for _, test := range []struct {
		name, verify string
		want         provider.Needs
		text         string
	}{
		{"basic", "verify basic\n", provider.Needs{BasicAuth: true}, "`basic_auth`"},
		{"token", "verify token {\nfrom bearer\n}\n", provider.Needs{Token: true}, "`token`"},
		{"timestamp", stamped, provider.Needs{Secret: true, Timestamp: true}, "`secret`"},
		{"basic and a challenge", "verify basic\nhandshake GET {\ntoken query t\nanswer $query(challenge)\n}\n", provider.Needs{BasicAuth: true, Token: true}, "`token` and `basic_auth`"},
		{"a signature and a challenge", stamped + "handshake GET {\ntoken query t\nanswer $query(challenge)\n}\n", provider.Needs{Secret: true, Token: true, Timestamp: true}, "`secret` and `token`"},
		{"a signature and a challenge in the body", "verify basic\nhandshake {\nanswer $body(challenge)\n}\n", provider.Needs{BasicAuth: true}, "`basic_auth`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			needs := compile(t, acme(test.verify+"type type")).Needs()
			if needs != test.want || needs.String() != test.text {
				t.Errorf("%+v (%s), want %+v (%s)", needs, needs, test.want, test.text)
			}
		})
	}
}

// TestCanonicalTypes lists each type once, however many words lead to it.
func TestCanonicalTypes(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		want        []string
	}{
		{"map", "type type {\nb message.created\na contact.created\nc message.created\n* acme.other\n}", []string{"message.created", "contact.created", "acme.other"}},
		{"always", "type always message.created", []string{"message.created"}},
		{"neither", "type type", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := compile(t, acme("verify basic\n"+test.lines)).CanonicalTypes(); !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestConcurrentReads shows that a compiled provider serves requests side by
// side; the race detector watches.
func TestConcurrentReads(t *testing.T) {
	all, err := fixtures.Of("notifly")
	if err != nil {
		t.Fatal(err)
	}
	p := get(t, "notifly")
	want := make([]provider.Event, len(all))
	for i, f := range all {
		want[i] = read(t, p, string(f.Body), nil)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for i, f := range all {
				if got := p.Read(raw(string(f.Body)), nil); !reflect.DeepEqual(got, p.Read(raw(string(f.Body)), nil)) || string(got.Fields) != string(want[i].Fields) {
					t.Errorf("%s: %s, want %s", f.Event, got.Fields, want[i].Fields)
				}
			}
		})
	}
	readers.Wait()
}

// oneLine returns the text of a block as the name of a test.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
