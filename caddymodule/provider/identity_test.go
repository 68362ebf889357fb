package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestID shows what identifies an event, and that an id that is missing or cannot
// be carried never makes two events the same.
func TestID(t *testing.T) {
	p := compile(t, acme(basics+"id id meta.id"))
	for _, test := range []struct {
		name, event string
		id          string // "" for the hash
	}{
		{"text", `{"id":"a056V7R7NmNRjl70"}`, "a056V7R7NmNRjl70"},
		{"number", `{"id":7525695}`, "7525695"},
		{"number of 400 digits", `{"id":` + strings.Repeat("1234567890", 40) + `}`, strings.Repeat("1234567890", 40)},
		{"number beyond a float", `{"id":9007199254740993}`, "9007199254740993"},
		{"number as it is written", `{"id":-1.50E+2}`, "-1.50E+2"},
		{"zero", `{"id":0}`, "0"},
		{"text with escapes", `{"id":"\u0061\/\"b"}`, `a/"b`},
		{"text beyond ASCII", `{"id":"zażółć-🎉"}`, "zażółć-🎉"},
		{"escaped astral character", `{"id":"\ud83c\udf89"}`, "🎉"},
		{"1,024 bytes", `{"id":"` + strings.Repeat("x", 1024) + `"}`, strings.Repeat("x", 1024)},
		{"second path", `{"meta":{"id":"m"}}`, "m"},
		{"null before the second path", `{"id":null,"meta":{"id":"m"}}`, "m"},
		{"both paths", `{"meta":{"id":"m"},"id":"i"}`, "i"},

		{"missing", `{"a":1}`, ""},
		{"null", `{"id":null}`, ""},
		{"empty", `{"id":""}`, ""},
		{"empty before the second path", `{"id":"","meta":{"id":"m"}}`, ""},
		{"blank", `{"id":" "}`, ""},
		{"true", `{"id":true}`, ""},
		{"false", `{"id":false}`, ""},
		{"object", `{"id":{"id":"a"}}`, ""},
		{"array", `{"id":["a"]}`, ""},
		{"control character", `{"id":"a\u0000b"}`, ""},
		{"line feed", `{"id":"a\nb"}`, ""},
		{"C1 control character", `{"id":"a\u0085b"}`, ""},
		{"lone surrogate", `{"id":"a\ud800b"}`, ""},
		{"noncharacter", `{"id":"a\uffff"}`, ""},
		{"1,025 bytes", `{"id":"` + strings.Repeat("x", 1025) + `"}`, ""},
		{"number of 1,025 digits", `{"id":1` + strings.Repeat("0", 1024) + `}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := read(t, p, test.event, nil)
			want := test.id
			if want == "" {
				want = envelope.Hash(test.event)
			}
			key := want
			if test.id == "" {
				key = "\x00" + want
			}
			if e.ID != want || e.DedupKey != key {
				t.Errorf("id %q, key %q, want %q and %q", e.ID, e.DedupKey, want, key)
			}
			if e.MissingID != (test.id == "") {
				t.Errorf("lacks an id: %v", e.MissingID)
			}
		})
	}
}

// TestNoIDByNature is about a provider that has no ids: its events lack none.
func TestNoIDByNature(t *testing.T) {
	p := compile(t, acme(basics))
	const event = `{"id":"not said to be one"}`
	e := read(t, p, event, nil)
	if hash := envelope.Hash(event); e.ID != hash || e.DedupKey != "\x00"+hash || e.MissingID {
		t.Errorf("id %q, key %q, lacks %v; want the hash %q", e.ID, e.DedupKey, e.MissingID, hash)
	}
	if !p.KeyIsHash() {
		t.Error("the key is not the hash")
	}
	if other := read(t, p, `{"id":"not said to be one" }`, nil); other.DedupKey == e.DedupKey {
		t.Error("other bytes have the same key")
	}
}

// TestKey combines what may identify an event.
func TestKey(t *testing.T) {
	const full, noID, noType, neither = `{"id":7,"type":"a.b"}`, `{"type":"a.b"}`, `{"id":7}`, `{}`
	for _, test := range []struct {
		lines, event string
		key          string // "" for the hash alone
		id           string // "" for the hash
		lacks        bool
	}{
		{"id id\nkey id", full, "7", "7", false},
		{"id id\nkey type id", full, "a.b\x007", "7", false},
		{"id id\nkey id type", full, "7\x00a.b", "7", false},
		{"id id\nkey type id", noID, "", "", true},
		{"id id\nkey type id", noType, "", "7", false},
		{"id id\nkey type id", neither, "", "", true},
		{"id id\nkey hash", full, "", "7", false},
		{"id id\nkey hash", noID, "", "", true},
		{"key hash", full, "", "", false},
		{"key hash type", full, "\x00" + envelope.Hash(full) + "\x00a.b", "", false},
		{"key hash type", noType, "", "", false},
		{"id id\nkey id type hash", full, "7\x00a.b\x00\x00" + envelope.Hash(full), "7", false},
		{"id id\nkey id hash", noID, "", "", true},
	} {
		t.Run(oneLine(test.lines)+" "+test.event, func(t *testing.T) {
			hash := envelope.Hash(test.event)
			key, id := test.key, test.id
			if key == "" {
				key = "\x00" + hash
			}
			if id == "" {
				id = hash
			}
			e := read(t, compile(t, acme(basics+test.lines)), test.event, nil)
			if e.DedupKey != key || e.ID != id || e.MissingID != test.lacks {
				t.Errorf("key %q, id %q, lacks %v; want %q, %q, %v", e.DedupKey, e.ID, e.MissingID, key, id, test.lacks)
			}
		})
	}
}

// TestKeyHasTheOwnType shows that two types of the provider with one canonical type
// still make two events.
func TestKeyHasTheOwnType(t *testing.T) {
	p := compile(t, acme("verify basic\nid id\nkey type id\ntype type {\na message.created\nb message.created\n}"))
	a, b := read(t, p, `{"id":1,"type":"a"}`, nil), read(t, p, `{"id":1,"type":"b"}`, nil)
	if a.Type != b.Type || a.DedupKey != "a\x001" || b.DedupKey != "b\x001" {
		t.Errorf("%s %s and %s %s", a.Type, a.DedupKey, b.Type, b.DedupKey)
	}
}

// TestKeyOfNothing shows that an empty list in JSON is the default, so that no two
// events have one key.
func TestKeyOfNothing(t *testing.T) {
	const event = `{"id":7,"type":"a.b"}`
	for lines, want := range map[string]string{
		"":      "\x00" + envelope.Hash(event),
		"id id": "7",
	} {
		t.Run(lines, func(t *testing.T) {
			spec, err := provider.Parse("acme.caddyfile", []byte(acme(basics+lines)))
			if err != nil {
				t.Fatal(err)
			}
			if err = json.Unmarshal([]byte(`{"keys":[]}`), spec); err != nil || spec.Keys == nil {
				t.Fatalf("key %#v, %v; want an empty list", spec.Keys, err)
			}
			p, err := spec.Compile()
			if err != nil {
				t.Fatal(err)
			}
			if e := p.Read(raw(event), nil); e.DedupKey != want {
				t.Errorf("key %q, want %q", e.DedupKey, want)
			}
			if p.KeyIsHash() != (lines == "") {
				t.Errorf("key is hash: %v", p.KeyIsHash())
			}
		})
	}
}

// TestKeyIsHash shows which keys two events can share, so that they are remembered for a
// short time.
func TestKeyIsHash(t *testing.T) {
	for lines, want := range map[string]bool{
		"key hash":                     true,
		"key type hash":                true,
		"id id\nkey hash":              true,
		"id id\nkey hash type":         true,
		"id id\nkey id hash":           false,
		"id id\nkey type id":           false,
		"key hash $body(data.version)": false,
	} {
		if got := compile(t, acme(basics+lines)).KeyIsHash(); got != want {
			t.Errorf("%s: %v", oneLine(lines), got)
		}
	}
}

// TestWotNotKeys shows that only the bytes of WotNot's events differ, and that they
// identify an event that comes again in another batch.
func TestWotNotKeys(t *testing.T) {
	p := get(t, "wotnot")
	all, err := fixtures.Of("wotnot")
	if err != nil {
		t.Fatal(err)
	}
	const samples = 30 // events, two of them in one request
	keys := make(map[string]string)
	var items, names []string
	for _, f := range all {
		events, splitErr := p.Split(string(f.Body))
		if splitErr != nil {
			t.Fatalf("%s: %v", f.Event, splitErr)
		}
		for _, event := range events {
			e := p.Read(event, nil)
			if other, ok := keys[e.DedupKey]; ok {
				t.Errorf("%s has the same key as %s", f.Event, other)
			}
			if e.MissingID || "\x00"+e.ID != e.DedupKey {
				t.Errorf("%s: id %s, lacks %v", f.Event, e.ID, e.MissingID)
			}
			keys[e.DedupKey] = f.Event
			items, names = append(items, event.Text), append(names, f.Event)
		}
	}
	if len(keys) != samples {
		t.Errorf("%d keys, want %d", len(keys), samples)
	}

	batch := "{\"token\": \"t\",\n\"events\": [\n  " + strings.Join(items, " ,\n  ") + "\n]}\n"
	events, err := p.Split(batch)
	if err != nil || len(events) != samples {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, event := range events {
		if e := p.Read(event, nil); keys[e.DedupKey] != names[i] {
			t.Errorf("%s has another key in a batch", names[i])
		}
	}
}
