package provider_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// The contract with applications, in numbers: parsers refuse what is deeper than
// the second one.
const (
	deepestPayload  = 60
	deepestEnvelope = 64
)

// nested returns n arrays, each in the one before.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// depthOf returns how deep valid JSON is nested.
func depthOf(t testing.TB, text []byte) int {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	deepest, depth := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// eachDeepened calls do with every payload in which one value of the original is
// replaced by arrays, so that it is as deep as a payload may be.
func eachDeepened(t testing.TB, original []byte, do func(payload []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(original, &root); err != nil {
		t.Fatal(err)
	}
	write := func() {
		payload, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		do(payload)
	}
	var walk func(value any, depth int)
	walk = func(value any, depth int) {
		deep := json.RawMessage(nested(deepestPayload - depth))
		switch value := value.(type) {
		case map[string]any:
			for name, was := range value {
				value[name] = deep
				write()
				value[name] = was
				walk(was, depth+1)
			}
		case []any:
			for i, was := range value {
				value[i] = deep
				write()
				value[i] = was
				walk(was, depth+1)
			}
		}
	}
	walk(root, 1)
}

// deepestEnvelopeOf returns how deep the envelopes of a payload are.
func deepestEnvelopeOf(t testing.TB, p *provider.Provider, payload string) int {
	t.Helper()
	if err := envelope.Check([]byte(payload)); err != nil {
		t.Fatalf("%v: %s", err, payload)
	}
	events, err := p.Split(payload)
	if errors.Is(err, provider.ErrNotArray) || errors.Is(err, provider.ErrNotEvent) || errors.Is(err, provider.ErrNoEvent) {
		return 0 // the arrays replaced the events
	}
	if err != nil {
		t.Fatal(err)
	}
	deepest := 0
	for _, raw := range events {
		e := p.Read(raw, nil)
		e.Source, e.Recorded = "/webhooks/test", time.Unix(0, 0)
		deepest = max(deepest, depthOf(t, e.Append(nil)))
	}
	return deepest
}

// TestDepth shows that no payload that is accepted makes an envelope too deep,
// wherever in the samples of the built-in providers the depth is.
func TestDepth(t *testing.T) {
	for _, name := range provider.Builtin() {
		t.Run(name, func(t *testing.T) {
			p := get(t, name)
			samples, err := fixtures.Of(name)
			if err != nil || len(samples) == 0 {
				t.Fatal("no samples", err)
			}
			deepest := 0
			for _, sample := range samples {
				eachDeepened(t, []byte(payloadOf(t, p, sample)), func(payload []byte) {
					if got := depthOf(t, payload); got != deepestPayload {
						t.Fatalf("the payload is %d deep", got)
					}
					deepest = max(deepest, deepestEnvelopeOf(t, p, string(payload)))
				})
			}
			if deepest > deepestEnvelope || deepest < deepestPayload {
				t.Errorf("the deepest envelope is %d deep, want at most %d", deepest, deepestEnvelope)
			}
		})
	}
}

// TestDepthOfRules shows how deep the deepest payload becomes by rules that are
// allowed, and that those that would make it deeper are refused.
func TestDepthOfRules(t *testing.T) {
	deep := `{"a":{"b":` + nested(deepestPayload-2) + `}}`
	inList := `{"a":[{"b":` + nested(deepestPayload-3) + `}]}`
	inMembers := `{"a":{"x":` + nested(deepestPayload-2) + `}}`
	for _, test := range []struct {
		rules, payload string
		want           int // 0 if the rules are refused
	}{
		{"field f a as value", deep, 62},
		{"field f . as value", deep, 62},
		{"field f.g.h . as value", deep, 64},
		{"field f.g.h.i . as value", deep, 0},
		{"field f.g.h.i.j a.b as value", deep, 64},
		{"field f.g.h.i.j.k a.b as value", deep, 0},
		{"field f.g.h.i a.b . as value", deep, 0}, // the second path is the deeper one
		{"list l . {\nfield f . as value\n}", deep, 64},
		{"list l . {\nfield f.g . as value\n}", deep, 0},
		{"list k.l . {\nfield f . as value\n}", deep, 0},
		{"list k.l a {\nfield f b as value\n}", inList, 62},
		{"members l a {\nfield f . as value\n}", inMembers, 62},
		{"members k.l a {\nfield f.g . as value\n}", inMembers, 64},
		{"members k.l a {\nfield f.g.h . as value\n}", inMembers, 0},
		{"when a is b {\nfield f.g.h.i . as value\n}", deep, 0},
		{"field " + strings.Repeat("a.", 61) + "a b", deep, 62}, // by the original
		{"field " + strings.Repeat("a.", 62) + "a always x", deep, 64},
		{"field " + strings.Repeat("a.", 63) + "a always x", deep, 0},
		{"list " + strings.Repeat("a.", 60) + "a . {\nfield b always x\n}", deep, 64},
		{"list " + strings.Repeat("a.", 61) + "a . {\nfield b always x\n}", deep, 0},
	} {
		t.Run(oneLine(test.rules), func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(basics+test.rules)))
			if err == nil {
				_, err = spec.Compile()
			}
			if test.want == 0 {
				if err == nil || !strings.Contains(err.Error(), "deeper than 64") {
					t.Errorf("got %v, want an error about the depth", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := deepestEnvelopeOf(t, compile(t, acme(basics+test.rules)), test.payload); got != test.want {
				t.Errorf("the envelope is %d deep, want %d", got, test.want)
			}
		})
	}
}
