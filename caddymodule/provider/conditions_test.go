package provider_test

import (
	"net/http"
	"testing"
)

// TestWhenByType lets rules hold for some types only.
func TestWhenByType(t *testing.T) {
	const rules = "when message.* {\nfield a always message\n}\nwhen contact.created message.lost {\nfield b always one\n}\nwhen *.created {\nfield c always created\n}\nwhen * {\nfield d always all\n}\nwhen acme.unknown {\nfield e always unknown\n}\n"
	p := compile(t, acme("verify basic\ntype t {\n1 message.created\n2 contact.created\n3 message.lost\n4 group.lost.again\n}\n"+rules))
	for event, want := range map[string]string{
		`{"t":1}`: `"a":"message","c":"created","d":"all"`,
		`{"t":2}`: `"b":"one","c":"created","d":"all"`,
		`{"t":3}`: `"a":"message","b":"one","d":"all"`,
		`{"t":4}`: `"d":"all"`,
		`{}`:      `"d":"all","e":"unknown"`,
	} {
		if got := read(t, p, event, nil); string(got.Fields) != want {
			t.Errorf("%s (%s): got %s, want %s", event, got.Type, got.Fields, want)
		}
	}

	// A type that no event has is a mistake.
	const possible = "when message.* {\nfield a always message\n}\nwhen *.created {\nfield c always created\n}\nwhen * {\nfield d always all\n}\nwhen acme.other {\nfield e always other\n}\n"
	always := compile(t, acme("verify basic\ntype always message.created\n"+possible))
	if got, want := read(t, always, `{}`, nil), `"a":"message","c":"created","d":"all"`; string(got.Fields) != want {
		t.Errorf("got %s, want %s", got.Fields, want)
	}
}

// TestWhenByTypeAtRunTime lets rules hold for some types of a provider whose types
// are known only when an event comes.
func TestWhenByTypeAtRunTime(t *testing.T) {
	const rules = "when acme.message.* {\nfield a x\nlist l l {\nfield n .\n}\nwhen *.*.created {\nfield a y\nfield conversation.id c\n}\n}\nwhen acme.contact.created acme.group.* {\nfield b x\nwhen k is 1 {\nfield b y\n}\n}\nwhen acme.* {\nfield d always own\n}\nwhen acme.unknown {\nfield e always unknown\n}\nfield a z\n"
	const rest = `"x":"X","y":"Y","z":"Z","c":"C","l":[1],"k":1}`
	const own = `"a":"Z","d":"own"`
	for _, test := range []struct{ name, lines string }{
		{"by path", "type type\n"},
		{"by header", "type header x-type\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compile(t, acme("verify basic\n"+test.lines+rules))
			for _, test := range []struct{ own, want, subject string }{
				{"message.created", `"a":"Y","l":[{"n":"1"}],"conversation":{"id":"C"},"d":"own"`, "conversations/C"},
				{"message.deleted", `"a":"X","l":[{"n":"1"}],"d":"own"`, ""},
				{"contact.created", `"a":"Z","b":"Y","d":"own"`, ""},
				{"contact.deleted", own, ""},
				{"group.created.again", `"a":"Z","b":"Y","d":"own"`, ""},
				{"created", own, ""},
				{"Message.created", own, ""},
				{"", own + `,"e":"unknown"`, ""},
				{"message.created", `"a":"Y","l":[{"n":"1"}],"conversation":{"id":"C"},"d":"own"`, "conversations/C"},
			} {
				event := `{"type":"` + test.own + `",` + rest
				e := read(t, p, event, http.Header{"X-Type": {test.own}})
				if string(e.Fields) != test.want || e.Subject != test.subject {
					t.Errorf("%s: got %s, subject %q, want %s, %q", e.Type, e.Fields, e.Subject, test.want, test.subject)
				}
			}
		})
	}

	// The same holds for a type that is not in the map.
	p := compile(t, acme("verify basic\ntype type {\nx message.created\n}\nwhen acme.foo {\nfield a always foo\n}\nwhen acme.* {\nfield b always own\n}\nwhen message.* {\nfield c always message\n}"))
	for event, want := range map[string]string{
		`{"type":"foo"}`:             `"a":"foo","b":"own"`,
		`{"type":"bar"}`:             `"b":"own"`,
		`{"type":"x"}`:               `"c":"message"`,
		`{"type":"message.created"}`: `"b":"own"`,
		`{}`:                         `"b":"own"`,
	} {
		if got := read(t, p, event, nil); string(got.Fields) != want {
			t.Errorf("%s (%s): got %s, want %s", event, got.Type, got.Fields, want)
		}
	}
}

// TestWhenByPath lets rules hold where a value is one of some words.
func TestWhenByPath(t *testing.T) {
	const one = "when k is x 1 true *.end \"two words\" {\nfield a b\n}"
	const siblings = "when k is 1 {\nwhen l is 1 {\nwhen m is 1 {\nwhen n is 1 {\nfield a b\n}\nwhen o is 1 {\nfield c b\n}\n}\n}\n}"
	const nested = "when k is x {\nwhen l.m is y z {\nfield a b\n}\nfield c b\n}"
	runRules(t, []rulesTest{
		{one, `{"k":"x","b":"B"}`, `{"a":"B"}`},
		{one, `{"k":"\u0078","b":"B"}`, `{"a":"B"}`},
		{one, `{"k":1,"b":"B"}`, `{"a":"B"}`},
		{one, `{"k":"1","b":"B"}`, `{"a":"B"}`},
		{one, `{"k":true,"b":"B"}`, `{"a":"B"}`},
		{one, `{"k":"the.end","b":"B"}`, `{"a":"B"}`},
		{one, `{"k":"two words","b":"B"}`, `{"a":"B"}`},
		{one, `{"k":"X","b":"B"}`, `{}`},
		{one, `{"k":false,"b":"B"}`, `{}`},
		{one, `{"k":null,"b":"B"}`, `{}`},
		{one, `{"k":["x"],"b":"B"}`, `{}`},
		{one, `{"k":{"x":1},"b":"B"}`, `{}`},
		{one, `{"b":"B"}`, `{}`},
		{one, `{"k":"x"}`, `{}`},
		{"when k is * {\nfield a b\n}", `{"k":"","b":"B"}`, `{"a":"B"}`},
		{"when k is * {\nfield a b\n}", `{"b":"B"}`, `{}`},
		{"when k is * {\nfield a b\n}", `{"k":null,"b":"B"}`, `{}`},
		{"when k is * {\nfield a b\n}", `{"k":{},"b":"B"}`, `{"a":"B"}`},
		{"when k is x* *x {\nfield a b\n}", `{"k":{"x":1},"b":"B"}`, `{}`},
		{"when k is * {\nfield a b\n}", `{"k":[],"b":"B"}`, `{"a":"B"}`},
		{"when k is * {\nfield a b\n}", `{"k":null,"b":"B"}`, `{}`},
		{"when k is * {\nfield a b\n}", `{"b":"B"}`, `{}`},
		{"when k is not x y {\nfield a b\n}", `{"k":"x","b":"B"}`, `{}`},
		{"when k is not x y {\nfield a b\n}", `{"k":"z","b":"B"}`, `{"a":"B"}`},
		{"when k is not x y {\nfield a b\n}", `{"k":{},"b":"B"}`, `{"a":"B"}`},
		{"when k is not x y {\nfield a b\n}", `{"b":"B"}`, `{"a":"B"}`},
		{"when k is not * {\nfield a b\n}", `{"k":null,"b":"B"}`, `{"a":"B"}`},
		{"when k is not * {\nfield a b\n}", `{"k":[],"b":"B"}`, `{}`},
		{"when k is \"\" {\nfield a b\n}", `{"k":{},"b":"B"}`, `{}`},
		{"when k is \"\" {\nfield a b\n}", `{"k":"","b":"B"}`, `{"a":"B"}`},
		{"when k is \"\" {\nfield a b\n}", `{"b":"B"}`, `{}`},
		{`when k.#(n=="x").v is y {` + "\nfield a b\n}", `{"k":[{"n":"x","v":"y"}],"b":"B"}`, `{"a":"B"}`},

		{nested, `{"k":"x","l":{"m":"z"},"b":"B"}`, `{"c":"B","a":"B"}`},
		{nested, `{"k":"x","l":{"m":"q"},"b":"B"}`, `{"c":"B"}`},
		{nested, `{"k":"q","l":{"m":"z"},"b":"B"}`, `{}`},

		{siblings, `{"k":1,"l":1,"m":1,"n":1,"b":"B"}`, `{"a":"B"}`},
		{siblings, `{"k":1,"l":1,"m":1,"o":1,"b":"B"}`, `{"c":"B"}`},
		{siblings, `{"k":1,"l":1,"n":1,"o":1,"b":"B"}`, `{}`},

		{"when k is x {\nlist a b {\nfield c .\n}\nmembers d e {\nfield f .key\n}\n}", `{"k":"x","b":[1],"e":{"g":1}}`, `{"a":[{"c":"1"}],"d":[{"f":"g"}]}`},
		{"when k is x {\nlist a b {\nfield c .\n}\nmembers d e {\nfield f .key\n}\n}", `{"k":"y","b":[1],"e":{"g":1}}`, `{}`},
		{"list a b {\nfield c .\n}\nwhen k is x {\nlist a d {\nfield c .\n}\n}", `{"k":"x","b":1,"d":2}`, `{"a":[{"c":"1"},{"c":"2"}]}`},
		{"list a b {\nfield c .\n}\nwhen k is x {\nlist a d {\nfield c .\n}\n}", `{"k":"y","b":1,"d":2}`, `{"a":[{"c":"1"}]}`},
	})
}

// TestWhenGoesFirst shows that the special rule wins over the general one,
// wherever it is, and that the general one holds where the special one yields
// nothing.
func TestWhenGoesFirst(t *testing.T) {
	const rules = "field a general\nwhen k is x y {\nfield a special\nwhen l is z {\nfield a most\n}\n}\nwhen k is y {\nfield a other\n}"
	runRules(t, []rulesTest{
		{rules, `{"k":"x","general":"g","special":"s","most":"m"}`, `{"a":"s"}`},
		{rules, `{"k":"x","l":"z","general":"g","special":"s","most":"m"}`, `{"a":"m"}`},
		{rules, `{"k":"x","l":"z","general":"g","special":"s"}`, `{"a":"s"}`},
		{rules, `{"k":"x","l":"z","general":"g","special":""}`, `{"a":"g"}`},
		{rules, `{"k":"q","l":"z","general":"g","special":"s","most":"m"}`, `{"a":"g"}`},
		{rules, `{"k":"y","general":"g","special":"s","other":"o"}`, `{"a":"s"}`}, // of equals, the one above
		{rules, `{"k":"y","general":"g","other":"o"}`, `{"a":"o"}`},
		{"when k is x {\nfield a.b c\n}\nfield a.b d\nfield a.e f", `{"k":"x","c":"C","d":"D","f":"F"}`, `{"a":{"b":"C","e":"F"}}`},
	})

	// The same by type.
	p := compile(t, acme("verify basic\ntype t {\n1 message.created\n2 message.updated\n}\nfield a general\nwhen message.* {\nfield a special\nwhen *.updated {\nfield a most\n}\n}"))
	for event, want := range map[string]string{
		`{"t":1,"general":"g","special":"s","most":"m"}`: `"a":"s"`,
		`{"t":2,"general":"g","special":"s","most":"m"}`: `"a":"m"`,
		`{"t":2,"general":"g","special":"s"}`:            `"a":"s"`,
		`{"t":3,"general":"g","special":"s","most":"m"}`: `"a":"g"`,
	} {
		if got := read(t, p, event, nil); string(got.Fields) != want {
			t.Errorf("%s: got %s, want %s", event, got.Fields, want)
		}
	}
}
