package provider

import (
	"embed"
	"fmt"
	"path"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

//go:embed providers/*.caddyfile
var files embed.FS

// names lists the built-in providers in the order in which they are shown.
var names = []string{"notifly", "wotnot", "chatbot", "ndoto", "oneroute"}

// Builtin returns the names of the built-in providers.
func Builtin() []string { return append([]string(nil), names...) }

// File returns the file that describes a built-in provider.
func File(name string) ([]byte, error) {
	return files.ReadFile(path.Join("providers", name+".caddyfile"))
}

// builtin compiles the built-in providers once.
var builtin = sync.OnceValues(func() (map[string]*Provider, error) {
	providers := make(map[string]*Provider, len(names))
	for _, name := range names {
		file, err := File(name)
		if err != nil {
			return nil, err
		}
		spec, err := Parse(name+".caddyfile", file)
		if err != nil {
			return nil, err
		}
		if providers[name], err = spec.Compile(); err != nil {
			return nil, err
		}
	}
	return providers, nil
})

// Get returns a built-in provider; false if there is none of that name.
func Get(name string) (*Provider, bool) {
	providers, err := builtin()
	if err != nil {
		// The files are part of the program, and its tests compile them.
		panic(err)
	}
	p, ok := providers[name]
	return p, ok
}

// Parse parses a file that holds one `provider` block.
func Parse(filename string, text []byte) (*Spec, error) {
	tokens, err := caddyfile.Tokenize(text, filename)
	if err != nil {
		return nil, err
	}
	d := caddyfile.NewDispenser(tokens)
	if !d.Next() || d.Val() != "provider" {
		return nil, fmt.Errorf("%s: expected: provider <name> { ... }", filename)
	}
	d.Reset()
	spec := new(Spec)
	if err := spec.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	if d.Next() {
		return nil, d.Errf("unexpected %q after the provider", d.Val())
	}
	return spec, nil
}
