package caddymodule_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/caddy-webhooks/caddy-webhooks/"

// mayImport lists, for each package, the packages of this module that it may import.
// The arrows run down: from what plugs in, over configuration, to requests and
// deliveries, to the core.
var mayImport = map[string]string{
	"caddymodule": "admin command console webhooks", // for their init functions

	"admin":                     "webhooks ingress journal envelope queue",
	"console":                   "webhooks journal envelope queue internal/blocks",
	"command":                   "admin webhooks ingress journal provider verify envelope queue subscription command/demo command/internal/diagnose command/internal/sample fixtures", // a client of the API, with its types
	"command/demo":              "webhooks provider verify envelope command/internal/sample fixtures",
	"command/internal/sample":   "template form provider verify fixtures",
	"command/internal/diagnose": "provider verify",

	"webhooks": "ingress delivery journal provider verify envelope dedup queue subscription internal/blocks",

	// Not each other, and not the configuration, which hands them all they need.
	"ingress":  "journal provider verify form envelope dedup queue internal/sampled internal/traced",
	"delivery": "journal envelope queue internal/sampled internal/traced",

	// What requests and deliveries report to.
	"journal": "envelope queue",

	// The core.
	"provider":     "verify template form envelope subscription internal/blocks internal/jsonpath",
	"verify":       "template",
	"template":     "",
	"form":         "",
	"envelope":     "internal/jsonpath",
	"dedup":        "",
	"queue":        "envelope",
	"subscription": "",

	"internal/blocks":   "",
	"internal/jsonpath": "",
	"internal/sampled":  "",
	"internal/traced":   "",
}

// TestImports holds the order of the packages: an import that is not listed, and a
// core package that knows Caddy's HTTP server, are errors.
func TestImports(t *testing.T) {
	imports := importsOf(t)
	for name, found := range imports {
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("package %s is not listed", name)
			continue
		}
		for _, imported := range found {
			if imported != "caddyhttp" && !slices.Contains(strings.Fields(allowed), imported) {
				t.Errorf("%s imports %s", name, imported)
			}
		}
	}
	for _, name := range []string{"provider", "verify", "template", "form", "envelope", "dedup", "queue", "subscription"} {
		if slices.Contains(imports[name], "caddyhttp") {
			t.Errorf("%s imports caddyhttp", name)
		}
	}
}

// importsOf returns, by package, the packages of this module that it imports outside
// of its tests, and "caddyhttp".
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	imports := make(map[string][]string)
	err := filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Dir(file))
		if name == "." {
			name = "caddymodule"
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			switch {
			case strings.HasPrefix(imported, modulePath):
				short := strings.TrimPrefix(strings.TrimPrefix(imported, modulePath), "caddymodule/")
				imports[name] = append(imports[name], short)
			case path.Base(imported) == "caddyhttp":
				imports[name] = append(imports[name], "caddyhttp")
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}
