package provider_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

var update = flag.Bool("update", false, "write the golden files anew")

// separator is between the two parts of a golden file.
const separator = "----------\n"

// golden is one file of testdata/spec.
type golden struct {
	name, path  string
	block, json string
}

func goldens(t testing.TB) []golden {
	t.Helper()
	paths, err := filepath.Glob("testdata/spec/*.caddyfiletest")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	var all []golden
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block, json, _ := strings.Cut(string(text), separator)
		all = append(all, golden{strings.TrimSuffix(filepath.Base(path), ".caddyfiletest"), path, block, json})
	}
	return all
}

// TestParse compares what becomes of every form of the language with its golden
// JSON. What parses here compiles too.
func TestParse(t *testing.T) {
	for _, golden := range goldens(t) {
		t.Run(golden.name, func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(golden.block))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(spec, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			if *update {
				if err := os.WriteFile(golden.path, []byte(golden.block+separator+string(got)), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if string(got) != golden.json {
				t.Errorf("got:\n%s\nwant:\n%s", got, golden.json)
			}
			if _, err := spec.Compile(); err != nil {
				t.Error(err)
			}
		})
	}
}

// languageWords are the words of the language.
const languageWords = `
	provider docs group note tested vector library page
	verify hmac sha1 sha256 sha512 ed25519 token basic
	signature header item separator prefix encoding hex base64 base64url content timestamp key raw
	from bearer query body unix unix_ms rfc3339
	form handshake GET HEAD POST unproved empty when is not status answer as reply
	events request id type always time redact hash
	field text string lower value list require members is not has . .key
	subscriptions api path get update patch put name url inbox basic_auth active error
`

// languageParts are the parts of its templates.
var languageParts = []string{"$body", "$timestamp", "$method", "$uri", "$header", "$account", "$query", "$hex", "$hmac", "$json"}

// TestEveryWord keeps the goldens complete: each word of the language is in one of
// them.
func TestEveryWord(t *testing.T) {
	var blocks strings.Builder
	for _, golden := range goldens(t) {
		blocks.WriteString(golden.block)
	}
	seen := make(map[string]bool)
	for _, word := range strings.Fields(blocks.String()) {
		seen[word] = true
	}
	for _, word := range strings.Fields(languageWords) {
		if !seen[word] {
			t.Errorf("no golden file has %s", word)
		}
	}
	for _, part := range languageParts {
		if !strings.Contains(blocks.String(), part) {
			t.Errorf("no golden file has %s", part)
		}
	}
}

// throughJSON returns a spec as it comes back from the JSON config.
func throughJSON(t testing.TB, spec *provider.Spec) *provider.Spec {
	t.Helper()
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	again := new(provider.Spec)
	if err := decoder.Decode(again); err != nil {
		t.Fatal(err)
	}
	return again
}

// TestThroughJSON shows that JSON holds all that the Caddyfile holds.
func TestThroughJSON(t *testing.T) {
	blocks := make(map[string]string)
	for _, golden := range goldens(t) {
		blocks[golden.name] = golden.block
	}
	for _, name := range provider.Builtin() {
		file, err := provider.File(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks[name+" (built in)"] = string(file)
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(block))
			if err != nil {
				t.Fatal(err)
			}
			if again := throughJSON(t, spec); !reflect.DeepEqual(again, spec) {
				t.Errorf("got %+v, want %+v", again, spec)
			}
		})
	}
}

// TestJSONReads shows that the built-in providers read every fixture in the same
// way when they come from JSON.
func TestJSONReads(t *testing.T) {
	for _, name := range provider.Builtin() {
		t.Run(name, func(t *testing.T) {
			p := get(t, name)
			fromJSON, err := throughJSON(t, p.Spec()).Compile()
			if err != nil {
				t.Fatal(err)
			}
			all, err := fixtures.Of(name)
			if err != nil || len(all) == 0 {
				t.Fatal("no fixtures", err)
			}
			for _, f := range all {
				body := payloadOf(t, p, f)
				events, err := p.Split(body)
				if err != nil {
					t.Fatalf("%s: %v", f.Event, err)
				}
				if again, err := fromJSON.Split(body); err != nil || !reflect.DeepEqual(again, events) {
					t.Errorf("%s: the events differ", f.Event)
				}
				for _, event := range events {
					if got, want := fromJSON.Read(event, nil), p.Read(event, nil); !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got %+v, want %+v", f.Event, got, want)
					}
				}
				if got, want := fromJSON.ReadWhole(body, events, nil), p.ReadWhole(body, events, nil); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: got %+v, want %+v", f.Event, got, want)
				}
			}
		})
	}
}
