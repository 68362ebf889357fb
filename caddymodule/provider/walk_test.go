package provider

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// FuzzWalk compares the walk over the raw bytes with gjson, which decodes.
func FuzzWalk(f *testing.F) {
	for _, seed := range []string{
		`{"a":{"b":{"c":1}},"d":[{"a":"}"}]}`, ` {"a" : "\\\"" , "a":2, "\u0061":3}`, `{"x":"\\","a":{"b":[]}}`,
		`{"a":{"b":"\\\\","b":1},"c":-1.5e+3}`, `[1,{"a":1}]`, `"a"`, `{}`, `{"":{"a":true}}`, "{\"a\":null\n}",
	} {
		f.Add(seed)
	}
	paths := []string{"a", "a.b", "a.b.c", "c", "d"}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.Trim(text, jsonSpace)
		if envelope.Check([]byte(text)) != nil {
			return
		}
		s := newScope()
		slots := make(map[string]int)
		for _, path := range paths {
			slot, err := s.slot(path)
			if err != nil {
				t.Fatal(err)
			}
			slots[path] = slot
		}
		found := make(values, s.slots)
		if end := s.root.walk(text, 0, found); end != len(text) {
			t.Fatalf("%q: the walk ends at %d of %d", text, end, len(text))
		}
		for _, path := range paths {
			if got, want := found.get(slots[path]), firstMember(text, path); string(got) != want {
				t.Errorf("%q: %s is %q, want %q", text, path, got, want)
			}
		}
	})
}

// firstMember follows a path, by the first member of each name.
func firstMember(text, path string) (raw string) {
	name, rest, more := strings.Cut(path, ".")
	object := gjson.Parse(text)
	if !object.IsObject() {
		return ""
	}
	object.ForEach(func(key, v gjson.Result) bool {
		if key.Str == name {
			raw = v.Raw
			return false
		}
		return true
	})
	if more && raw != "" {
		return firstMember(raw, rest)
	}
	return raw
}
