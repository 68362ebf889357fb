package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// caseSeparator is between the cases of one golden file of errors.
const caseSeparator = "==========\n"

// errNone is the error of a mistake that is not found.
var errNone = errors.New("no error")

// TestErrors compares the error of every mistake in testdata/errors with the
// golden one below it. The lines of a mistake are those of a provider block, from
// line 2 on; of a whole file in file.caddyfiletest; and the members of the JSON
// object, without its name, in json.jsontest.
func TestErrors(t *testing.T) {
	paths, err := filepath.Glob("testdata/errors/*test")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range paths {
		find := mistakeInBlock
		switch filepath.Base(path) {
		case "file.caddyfiletest":
			find = mistakeInFile
		case "json.jsontest":
			find = mistakeInJSON
		}
		t.Run(filepath.Base(path), func(t *testing.T) { compareErrors(t, path, find) })
	}
}

// compareErrors compares the errors of one golden file.
func compareErrors(t *testing.T, path string, find func(text string) error) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var updated []string
	for mistake := range strings.SplitSeq(string(text), caseSeparator) {
		lines, want, found := strings.Cut(mistake, separator)
		if !found {
			t.Fatalf("no %q in %q", separator, mistake)
		}
		err := find(lines)
		if errors.Is(err, errNone) {
			t.Errorf("%s: no error", oneLine(lines))
		}
		got := err.Error() + "\n"
		if got != want && !*update {
			t.Errorf("%s:\ngot:  %swant: %s", lines, got, want)
		}
		updated = append(updated, lines+separator+got)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(path, []byte(strings.Join(updated, caseSeparator)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// mistakeInBlock returns the error of the lines of a provider block.
func mistakeInBlock(lines string) error {
	return mistakeInFile(strings.TrimSuffix(acme(lines), "\n"))
}

// mistakeInFile returns the error of a file, of parsing or of compiling.
func mistakeInFile(text string) error {
	spec, err := provider.Parse("acme.caddyfile", []byte(strings.TrimSuffix(text, "\n")))
	if err != nil {
		return err
	}
	return compileError(spec)
}

// mistakeInJSON returns the error of the members of a provider in JSON.
func mistakeInJSON(members string) error {
	spec := new(provider.Spec)
	if err := json.Unmarshal([]byte(`{"name":"acme",`+members+`}`), spec); err != nil {
		return err
	}
	return compileError(spec)
}

func compileError(spec *provider.Spec) error {
	if _, err := spec.Compile(); err != nil {
		return err
	}
	return errNone
}

// manyFields are more fields than an object may have.
var manyFields = func() string {
	var b strings.Builder
	for i := range 64 {
		fmt.Fprintf(&b, "field f%d m%d\n", i, i)
	}
	return b.String()
}()

// TestTooManyMembers has too many lines for a golden file.
func TestTooManyMembers(t *testing.T) {
	const want = "more than 63 members of one object are read"
	for name, lines := range map[string]string{
		"top":   manyFields,
		"below": strings.ReplaceAll(manyFields, " m", " a.b.m"),
		"list":  "list a b {\n" + manyFields + "}",
	} {
		t.Run(name, func(t *testing.T) {
			if err := mistakeInBlock(basics + lines); !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

// TestNameErrors shows which names a `webhooks` block can use.
func TestNameErrors(t *testing.T) {
	for name, ok := range map[string]bool{
		"acme": true, "acme-2": true, "a": true, "a-": true,
		"": false, "Acme": false, "2acme": false, "-acme": false, "ac_me": false, "ac.me": false, "acmé": false, "acme\n": false,
	} {
		t.Run(name, func(t *testing.T) {
			spec := provider.Spec{Name: name, Verify: provider.Verify{Basic: true}, Type: provider.Type{Always: "a.b"}}
			_, err := spec.Compile()
			want := "provider " + name + ": the name must be lower-case letters, digits and dashes, and begin with a letter"
			if ok && err != nil || !ok && (err == nil || err.Error() != want) {
				t.Errorf("got %v, want ok %v", err, ok)
			}
		})
	}
}
