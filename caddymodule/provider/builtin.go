package provider

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

//go:embed providers/*.caddyfile
var files embed.FS

// names are the names of the built-in providers, sorted.
var names = sync.OnceValue(func() []string {
	paths, err := fs.Glob(files, "providers/*"+extension)
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for i, file := range paths {
		paths[i] = strings.TrimSuffix(path.Base(file), extension)
	}
	return paths
})

// extension is that of a provider's file.
const extension = ".caddyfile"

// Builtin returns the names of the built-in providers, sorted.
func Builtin() []string { return slices.Clone(names()) }

// File returns the file that describes a built-in provider.
func File(name string) ([]byte, error) {
	return files.ReadFile(path.Join("providers", name+extension))
}

// builtin compiles each of the built-in providers once, when it is asked for: all of
// them take longer than Caddy's own start.
var builtin = sync.OnceValue(func() map[string]func() (*Provider, error) {
	providers := make(map[string]func() (*Provider, error))
	for _, name := range names() {
		providers[name] = sync.OnceValues(func() (*Provider, error) { return compileFile(name) })
	}
	return providers
})

// compileFile compiles the file of a built-in provider.
func compileFile(name string) (*Provider, error) {
	file, err := File(name)
	if err != nil {
		return nil, err
	}
	spec, err := Parse(name+extension, file)
	if err != nil {
		return nil, err
	}
	return spec.Compile()
}

// Get returns a built-in provider. ok is false if no file has that name.
func Get(name string) (p *Provider, ok bool) {
	compile, ok := builtin()[name]
	if !ok {
		return nil, false
	}
	p, err := compile()
	if err != nil {
		panic(err) // the files are part of the program, and its tests compile them
	}
	return p, true
}

// Parse parses a file that holds one `provider` block. The filename is for errors.
func Parse(filename string, text []byte) (*Spec, error) {
	tokens, err := caddyfile.Tokenize(text, filename)
	if err != nil {
		return nil, err
	}
	d := caddyfile.NewDispenser(tokens)
	if !d.Next() || d.Val() != "provider" {
		return nil, fmt.Errorf("%s: no provider block; write: provider <name> { ... }", filename)
	}
	d.Reset()
	spec := new(Spec)
	if err := spec.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if d.Next() {
		return nil, d.Errf("unexpected %q after the provider block; remove it", d.Val())
	}
	return spec, nil
}
