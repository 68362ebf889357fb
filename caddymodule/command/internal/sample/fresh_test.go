package sample_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/command/internal/sample"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// compiled returns a provider of the user's own.
func compiled(t *testing.T, spec provider.Spec) *provider.Provider {
	t.Helper()
	spec.Name, spec.Verify = "acme", provider.Verify{Token: &verify.Token{Places: []verify.Place{{Query: "token"}}}}
	spec.Type = provider.Type{Source: provider.Source{Paths: []string{"type"}}}
	p, err := spec.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// read returns the events of a request.
func read(t *testing.T, p *provider.Provider, r fixtures.Request) []provider.Event {
	t.Helper()
	request := sample.Request(p, r)
	payload, ok := request.JSON()
	if !ok {
		t.Fatalf("no JSON: %s", r.Body)
	}
	raw, err := p.Split(payload)
	if err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	events := make([]provider.Event, len(raw))
	for i := range raw {
		events[i] = p.Read(raw[i], request)
	}
	return events
}

// wantFresh checks that all events of a payload become other ones of the same type.
func wantFresh(t *testing.T, p *provider.Provider, r fixtures.Request) []byte {
	t.Helper()
	before := read(t, p, r)
	fresh, err := sample.Fresh(p, r)
	if err != nil {
		t.Fatalf("%.100s: %v", r.Body, err)
	}
	seen := make(map[string]bool)
	for _, e := range before {
		seen[e.DedupKey] = true
	}
	after := read(t, p, fresh)
	if len(after) != len(before) {
		t.Fatalf("%d events became %d", len(before), len(after))
	}
	for i, e := range after {
		if seen[e.DedupKey] || e.Type != before[i].Type || e.Subject != before[i].Subject || e.MissingID && !before[i].MissingID {
			t.Errorf("%.200s became %.200s", before[i].Original, e.Original)
		}
		seen[e.DedupKey] = true
	}
	return fresh.Body
}

func TestFreshFixtures(t *testing.T) {
	all, err := fixtures.All()
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, f := range all {
		p, ok := provider.Get(f.Provider)
		if !ok {
			t.Fatal(f.Provider)
		}
		wantFresh(t, p, f.Request)
	}
}

func TestFresh(t *testing.T) {
	id := provider.Source{Paths: []string{"none", "a.id", "id"}}
	for name, c := range map[string]struct {
		spec provider.Spec
		body string
		want string // of the payload, with ID in the place of an id
	}{
		"text":            {provider.Spec{ID: id}, `{"id":"1","type":"a.b"} `, `{"id":"ID","type":"a.b"} `},
		"nested":          {provider.Spec{ID: id}, `{"id":"1", "a":{"id":"1"}}`, `{"id":"1", "a":{"id":"ID"}}`},
		"null before":     {provider.Spec{ID: id}, `{"none":null,"id":"1"}`, `{"none":null,"id":"ID"}`},
		"number":          {provider.Spec{ID: id}, `{"id": 17}`, ""},
		"query":           {provider.Spec{ID: provider.Source{Paths: []string{`v.#(name=="id").value`}}}, `{"v":[{"name":"a"},{"name":"id","value":"1"}]}`, `{"v":[{"name":"a"},{"name":"id","value":"ID"}]}`},
		"none there":      {provider.Spec{ID: id}, ` { "type":"a.b"}`, ` {"caddy_webhooks_new_id":"ID", "type":"a.b"}`},
		"hash":            {provider.Spec{Keys: []string{"hash"}}, `{}`, `{"caddy_webhooks_new_id":"ID"}`},
		"hash with space": {provider.Spec{Keys: []string{"hash"}}, "{ \n}", "{\"caddy_webhooks_new_id\":\"ID\" \n}"},
		"header":          {provider.Spec{ID: provider.Source{Header: "x-id"}}, `{"id":"1"}`, `{"id":"1"}`},
		"template":        {provider.Spec{ID: provider.Source{Paths: []string{"$body(kind)/$body(id)", "id"}}}, `{"kind":"k","id":"1"}`, `{"kind":"k","id":"ID"}`},
		"header template": {provider.Spec{ID: provider.Source{Paths: []string{"$header(x-id)/$body(id)"}}}, `{"id":"1"}`, `{"id":"ID"}`},
		"time":            {provider.Spec{Keys: []string{"$body(at)"}}, `{"at":"2026-11-20T12:00:00Z"}`, ""},
		"key of its own":  {provider.Spec{ID: id, Keys: []string{"$body(token)"}}, `{"id":"1","token":"2"}`, `{"id":"ID","token":"ID"}`},
		"subject":         {provider.Spec{Keys: []string{"$body(a.id)/$body(message)", "hash"}, Rules: provider.Rules{Fields: []provider.Field{{Name: "conversation.id", Source: provider.Source{Paths: []string{"message"}}}}}}, `{"type":"message","message":"1"}`, `{"caddy_webhooks_new_id":"ID","type":"message","message":"1"}`},
		"nested batch":    {provider.Spec{ID: id, Events: provider.Events{Paths: []string{"a.#.b"}}}, `{"a":[{"b":[{"id":"1"}]},{"b":{"id":"2"}}]}`, `{"a":[{"b":[{"id":"ID"}]},{"b":{"id":"ID"}}]}`},
		"batch":           {provider.Spec{ID: id, Events: provider.Events{Paths: []string{"a.events"}}}, `{"id":"x","a":{"events": [ {"id":"1"}, {"id":"1","a":[{"id":"1"}]} ],"b":1}}`, `{"id":"x","a":{"events": [ {"id":"ID"}, {"id":"ID","a":[{"id":"1"}]} ],"b":1}}`},
		"bare batch":      {provider.Spec{Keys: []string{"hash"}, Events: provider.Events{Paths: []string{"."}}}, ` [{},{}]`, ` [{"caddy_webhooks_new_id":"ID"},{"caddy_webhooks_new_id":"ID"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			r := fixtures.Body([]byte(c.body))
			r.Header.Set("X-Id", "1")
			fresh := wantFresh(t, compiled(t, c.spec), r)
			if got := newID.ReplaceAllString(string(fresh), `"ID"`); c.want != "" && got != c.want {
				t.Errorf("%s became %s; want %s", c.body, got, c.want)
			}
		})
	}
}

// newText matches the text of a new id.
var newText = regexp.MustCompile(`[A-Z2-7]{26}`)

// newID matches a new id that is a text.
var newID = regexp.MustCompile(`"[A-Z2-7]{26}"`)

func TestFreshErrors(t *testing.T) {
	hash := provider.Spec{Keys: []string{"hash"}, Events: provider.Events{Paths: []string{"events"}}}
	flag := provider.Spec{Keys: []string{"$body(flag)"}}
	for body, spec := range map[string]provider.Spec{
		`{"events":[]}`:  hash,
		`{"events":1}`:   hash,
		`{"events":[1]}`: hash,
		`[]`:             flag,
		`{"flag":true}`:  flag,
	} {
		if fresh, err := sample.Fresh(compiled(t, spec), fixtures.Body([]byte(body))); err == nil || !strings.HasPrefix(err.Error(), "--new-id: ") {
			t.Errorf("%s became %s, %v", body, fresh.Body, err)
		}
	}
}
