package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// elided takes the place of the original in an envelope that a page shows.
var elided = map[string]any{"…": "the provider's own bytes"}

// checkEnvelope checks that an envelope in a page is what becomes of the fixture
// with its type and id; but for the time when it was recorded, and the original.
func checkEnvelope(t *testing.T, b docBlock, shown map[string]any) {
	t.Helper()
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		golden, err := f.Envelope()
		if err != nil {
			t.Fatal(err)
		}
		for envelopes := json.NewDecoder(bytes.NewReader(golden)); envelopes.More(); {
			var want map[string]any
			if err := envelopes.Decode(&want); err != nil {
				t.Fatal(f.EnvelopePath(), err)
			}
			if want["id"] != shown["id"] || want["type"] != shown["type"] {
				continue
			}
			want["recordedtime"] = shown["recordedtime"]
			want["data"].(map[string]any)["original"] = elided
			if !reflect.DeepEqual(shown, want) {
				t.Errorf("%s is not %s", b, f.EnvelopePath())
			}
			return
		}
	}
	t.Errorf("%s is not the envelope of any fixture", b)
}

// TestDocumentedFilter shows that the documented log filters remove every credential of
// the blocks beside them that Caddy's own logs would show: what the module warns about
// has a remedy there.
func TestDocumentedFilter(t *testing.T) {
	block := regexp.MustCompile(`(?m)^\s*webhooks (?:/\S+ )?([a-z-]+) \{$`)
	for _, file := range []string{"caddymodule/README.md", "Caddyfile.example"} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			name := found[1]
			if _, ok := provider.Get(name); !ok {
				continue // of the user's own
			}
			checked++
			for _, line := range filterLines(name) {
				if !strings.Contains(string(text), line+"\n") {
					t.Errorf("%s has no %q, for %s", file, line, name)
				}
			}
		}
		if checked == 0 {
			t.Errorf("%s has no block of a built-in provider", file)
		}
	}
}

// filterLines returns the lines of a log filter that a provider needs. Caddy
// itself redacts Authorization.
func filterLines(name string) []string {
	p, _ := provider.Get(name)
	spec := p.Spec()
	var lines []string
	for _, place := range spec.Verify.Places() {
		switch {
		case place.Header != "":
			lines = append(lines, "request>headers>"+http.CanonicalHeaderKey(place.Header)+" delete")
		case place.Query != "":
			lines = append(lines, "delete "+place.Query)
		}
	}
	for _, handshake := range spec.Handshakes {
		if handshake.Token != "" {
			lines = append(lines, "delete "+handshake.Token)
		}
	}
	return lines
}

// TestBuiltFixtures shows that each payload in built.txt exists, and is listed once.
func TestBuiltFixtures(t *testing.T) {
	all, err := fixtures.All()
	if err != nil {
		t.Fatal(err)
	}
	var payloads []string
	for _, f := range all {
		payloads = append(payloads, f.Path())
	}
	list, err := os.ReadFile(filepath.Join(repository, "fixtures", "built.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var built []string
	for line := range strings.Lines(string(list)) {
		path := strings.TrimSpace(line)
		if path == "" || strings.HasPrefix(path, "#") {
			continue
		}
		if !slices.Contains(payloads, path) {
			t.Errorf("%s is listed, and is not a payload", path)
		}
		if slices.Contains(built, path) {
			t.Errorf("%s is listed twice", path)
		}
		built = append(built, path)
	}
	if len(built) == 0 {
		t.Error("nothing is listed")
	}
}
