package provider_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// readme returns the page, and the code blocks of a language in it.
func readme(t *testing.T, language string) (page string, blocks []string) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block[1])
	}
	return string(text), blocks
}

// providersIn returns the providers that are defined in a Caddyfile.
func providersIn(t *testing.T, config string) []*provider.Spec {
	t.Helper()
	tokens, err := caddyfile.Tokenize([]byte(config), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	var specs []*provider.Spec
	for d := caddyfile.NewDispenser(tokens); d.Next(); {
		if d.Val() != "provider" {
			continue
		}
		spec := new(provider.Spec)
		if err := spec.UnmarshalCaddyfile(d.NewFromNextSegment()); err != nil {
			t.Fatal(err)
		}
		specs = append(specs, spec)
	}
	return specs
}

// TestReadmeCaddyfiles shows that every Caddyfile of the page is formatted as
// `caddy fmt` does it, and that it compiles: complete providers as they are, and
// lines of one in a provider.
func TestReadmeCaddyfiles(t *testing.T) {
	_, blocks := readme(t, "caddyfile")
	if len(blocks) == 0 {
		t.Fatal("no Caddyfile")
	}
	complete := 0
	for _, block := range blocks {
		if formatted := string(caddyfile.Format([]byte(block))); formatted != block {
			t.Errorf("not formatted:\n%s\nwant:\n%s", block, formatted)
		}
		specs := providersIn(t, block)
		complete += len(specs)
		if _, err := provider.CompileAll(specs); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		if len(specs) > 0 {
			if strings.Contains(block, ".com {") && !strings.Contains(block, "\thandle {\n\t\trespond 404\n\t}\n") {
				t.Errorf("other paths are answered with 200 in\n%s", block)
			}
			continue
		}
		for lines := range strings.SplitSeq(block, "\n\n") { // several alternatives
			if !strings.Contains(lines, "verify ") {
				lines = "verify basic\n" + lines
			}
			if !strings.Contains("\n"+lines, "\ntype ") {
				lines += "\ntype type {\nmessage.created\n}"
			}
			compile(t, acme(lines))
		}
	}
	if complete == 0 {
		t.Error("no complete provider")
	}
}

// TestReadmeEnvelope shows that the first payload of the page becomes the envelope
// below it.
func TestReadmeEnvelope(t *testing.T) {
	_, blocks := readme(t, "caddyfile")
	_, texts := readme(t, "json")
	if len(blocks) == 0 || len(texts) < 2 {
		t.Fatal("no example")
	}
	specs := providersIn(t, blocks[0])
	if len(specs) != 1 {
		t.Fatalf("%d providers in the example", len(specs))
	}
	p, err := specs[0].Compile()
	if err != nil {
		t.Fatal(err)
	}
	e := read(t, p, texts[0], nil)
	e.Source = "/webhooks/" + p.Name()
	e.Recorded = time.Date(2026, 11, 20, 11, 0, 0, 123_456_000, time.UTC)
	var got, want any
	if err := json.Unmarshal(e.Append(nil), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(texts[1]), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", e.Append(nil), texts[1])
	}
}

// TestReadmeWords shows that the page has every word of the language.
func TestReadmeWords(t *testing.T) {
	page, _ := readme(t, "caddyfile")
	for _, word := range append(strings.Fields(languageWords), languageParts...) {
		if !regexp.MustCompile(`(^|[^a-z_])` + regexp.QuoteMeta(word) + `($|[^a-z_])`).MatchString(page) {
			t.Errorf("the page has no %s", word)
		}
	}
}
