package provider_test

import (
	"strconv"
	"strings"
	"testing"
)

// rulesTest is what rules make of an event.
type rulesTest struct{ rules, event, want string }

func runRules(t *testing.T, tests []rulesTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(oneLine(test.rules)+" "+test.event, func(t *testing.T) {
			if got := data(t, test.rules, test.event); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// TestPaths shows where a value is found: the first path that exists and is not
// null, and the first of members with one name.
func TestPaths(t *testing.T) {
	runRules(t, []rulesTest{
		{"field a b", `{"b":"x"}`, `{"a":"x"}`},
		{"field a b.c.d", `{"b":{"c":{"d":"x"}}}`, `{"a":"x"}`},
		{"field a b.c", `{"b":"x"}`, `{}`},
		{"field a b.c", `{"b":[{"c":"x"}]}`, `{}`},
		{"field a b", `{"B":"x"}`, `{}`},
		{"field a.b.c d", `{"d":"x"}`, `{"a":{"b":{"c":"x"}}}`},
		{"field a b\nfield c b", `{"b":"x"}`, `{"a":"x","c":"x"}`},
		{"field a b.c\nfield d b as value", `{"b":{"c":"x"}}`, `{"a":"x","d":{"c":"x"}}`},

		// The first that exists and is not null.
		{"field a b c d", `{"c":"c","d":"d"}`, `{"a":"c"}`},
		{"field a b c d", `{"d":"d","c":null}`, `{"a":"d"}`},
		{"field a b c", `{"b":"","c":"c"}`, `{}`},
		{"field a b c", `{"b":{},"c":"c"}`, `{}`},
		{"field a b c", `{"b":false,"c":"c"}`, `{}`},
		{"field a b\nfield a c", `{"b":"","c":"c"}`, `{"a":"c"}`}, // of fields, the first that yields something
		{"field a b c", `{"b":null,"c":null}`, `{}`},

		// Of members with one name the first, on every level.
		{"field a b", `{"b":"x","b":"y"}`, `{"a":"x"}`},
		{"field a b", `{"b":null,"b":"y"}`, `{}`},
		{"field a b.c", `{"b":{"c":"x"},"b":{"c":"y"}}`, `{"a":"x"}`},
		{"field a b.c", `{"b":{},"b":{"c":"y"}}`, `{}`},
		{"field a b.c", `{"b":1,"b":{"c":"y"}}`, `{}`},
		{"field a b.0", `{"b":1,"b":["y"]}`, `{}`},
		{"field a b.#(c==1).d", `{"b":[{"c":1,"d":"x","d":"y"}]}`, `{"a":"x"}`},
		{"field a b.#(c==1).d", `{"b":[{"c":2,"c":1,"d":"x"}]}`, `{}`},
		{"list a b {\nfield c c\n}", `{"b":[{"c":"x","c":"y"}],"b":[]}`, `{"a":[{"c":"x"}]}`},

		// Names that are written with escapes, there and here.
		{"field a b", `{"\u0062":"x"}`, `{"a":"x"}`},
		{"field a b", `{"\u0062":"x","b":"y"}`, `{"a":"x"}`},
		{"field a `b/\"c`", `{"b\/\"c":"x"}`, `{"a":"x"}`},
		{"field a b.c.d", `{"b":{"\u0063":{"d":"x"}}}`, `{"a":"x"}`},
		{`field a b\.c`, `{"b.c":"x","b":{"c":"y"}}`, `{"a":"x"}`},
		{`field a b.c`, `{"b.c":"x","b":{"c":"y"}}`, `{"a":"y"}`},
		{`field a b\.c.d\.e`, `{"b.c":{"d.e":"x"}}`, `{"a":"x"}`},
		{`field a \@type`, `{"@type":"x"}`, `{"a":"x"}`},
		{`field a b.\!c`, `{"b":{"!c":"x"}}`, `{"a":"x"}`},
		{`field a b\|c`, `{"b|c":"x"}`, `{"a":"x"}`},
		{`field a b\*`, `{"bx":"y","b*":"x"}`, `{"a":"x"}`},
		{`field a ` + "`b\\\\c`", `{"b\\c":"x"}`, `{"a":"x"}`},
		{"field a użytkownik.imię", `{"użytkownik":{"imię":"Łucja"}}`, `{"a":"Łucja"}`},
		{"field a ¿·name·?.b", `{"¿·name·?":{"b":"x"}}`, `{"a":"x"}`}, // by wildcard: a literal ? matches it too
		{`field a "a b"`, `{"a b":"x"}`, `{"a":"x"}`},

		// Not a plain name.
		{"field a b.1", `{"b":["x","y"]}`, `{"a":"y"}`},
		{"field a b.1.c", `{"b":[{},{"c":"x"}]}`, `{"a":"x"}`},
		{"field a b.1", `{"b":{"1":"x"}}`, `{"a":"x"}`},
		{"field a 1", `{"1":"x"}`, `{"a":"x"}`},
		{`field a b.\1`, `{"b":{"1":"x"}}`, `{"a":"x"}`}, // a backslash makes it a name
		{`field a b.\1`, `{"b":["x","y"]}`, `{}`},
		{"field a b.9", `{"b":["x","y"]}`, `{}`},
		{"field a b.#", `{"b":["x","y"]}`, `{"a":"2"}`},
		{"field a b.#.c as value", `{"b":[{"c":1},{},{"c":"y"}]}`, `{"a":[1,"y"]}`},
		{"field a b.#.c as value", `{"b":[]}`, `{}`},
		{"field a b*", `{"bcd":"x"}`, `{"a":"x"}`},
		{"field a b?.c", `{"bb":{"c":"x"}}`, `{"a":"x"}`},
		{`field a b.#(name=="x").value`, `{"b":[{"name":"y","value":"1"},{"name":"x","value":"2"},{"name":"x","value":"3"}]}`, `{"a":"2"}`},
		{`field a b.#(name=="x").value c`, `{"b":[{"name":"y","value":"1"}],"c":"d"}`, `{"a":"d"}`},
		{`field a b.#(name=="x").value c`, `{"b":[{"name":"x","value":null}],"c":"d"}`, `{"a":"d"}`},
		{`field a b.#(name=="x").value`, `{"b":{"name":"x","value":"2"}}`, `{}`},
		{"field a `b.#(name==\"a.b|c) \\\" @\").value`", `{"b":[{"name":"a.b|c) \" @","value":"x"}]}`, `{"a":"x"}`},
		{`field a b.#(n>1).v`, `{"b":[{"n":1,"v":"x"},{"n":2,"v":"y"}]}`, `{"a":"y"}`},
		{`field a b.#(n%"x*").v`, `{"b":[{"n":"ax","v":"x"},{"n":"xa","v":"y"}]}`, `{"a":"y"}`},
		{`field a b.#(c.#(d=="e")).f`, `{"b":[{"c":[],"f":"x"},{"c":[{"d":"e"}],"f":"y"}]}`, `{"a":"y"}`},
		{`field a b.#(n==1)#.v as value`, `{"b":[{"n":1,"v":"x"},{"n":2,"v":"y"},{"n":1,"v":"z"}]}`, `{"a":["x","z"]}`},

		// Other members do not matter.
		{"field a z", `{"a":[[{"z":"no"}]],"b":{"z":"no"},"c":"\"z\":\"no\"","z":"yes"}`, `{"a":"yes"}`},
		{"field a b.c\nfield d b.0\nfield e b.#", `{"b":["x"]}`, `{"d":"x","e":"1"}`},
	})
}

// TestFieldAs shows what a value becomes, and that what is absent, null or empty
// never appears.
func TestFieldAs(t *testing.T) {
	values := []string{
		`"Text"`, `"\u0054ext\/\ud800<"`, `""`, `"12"`, `12`, `-1.50E+2`, `true`, `false`, `null`,
		`{}`, `{ }`, `[]`, "[\n]", `{"x":null}`, `[1, 2 ]`, ``,
	}
	for as, want := range map[string][]string{
		"": {
			`"Text"`, `"\u0054ext\/\ud800<"`, ``, `"12"`, `"12"`, `"-1.50E+2"`, ``, ``, ``,
			``, ``, ``, ``, ``, ``, ``,
		},
		"text": {
			`"Text"`, `"\u0054ext\/\ud800<"`, ``, `"12"`, `"12"`, `"-1.50E+2"`, ``, ``, ``,
			``, ``, ``, ``, ``, ``, ``,
		},
		"string": {
			`"Text"`, `"\u0054ext\/\ud800<"`, ``, `"12"`, ``, ``, ``, ``, ``,
			``, ``, ``, ``, ``, ``, ``,
		},
		"lower": {
			`"text"`, `"text/` + "\ufffd" + `\u003c"`, ``, `"12"`, ``, ``, ``, ``, ``,
			``, ``, ``, ``, ``, ``, ``,
		},
		"value": {
			`"Text"`, `"\u0054ext\/\ud800<"`, ``, `"12"`, `12`, `-1.50E+2`, `true`, `false`, ``,
			``, ``, ``, ``, `{"x":null}`, `[1, 2 ]`, ``,
		},
	} {
		rule := "field a b"
		if as != "" {
			rule += " as " + as
		}
		for i, value := range values {
			t.Run(rule+" "+value, func(t *testing.T) {
				event := `{"b":` + value + `}`
				if value == "" {
					event = `{}`
				}
				wanted := `{"a":` + want[i] + `}`
				if want[i] == "" {
					wanted = `{}`
				}
				if got := data(t, rule, event); got != wanted {
					t.Errorf("got %s, want %s", got, wanted)
				}
			})
		}
	}
	runRules(t, []rulesTest{
		{"field a b as lower", `{"b":"ZAŻÓŁĆ"}`, `{"a":"zażółć"}`},
		{"field a always text", `{}`, `{"a":"text"}`},
		{"field a always `q\"<>\\`", `{}`, `{"a":"q\"\u003c\u003e\\"}`},
	})
}

// TestMaps shows what becomes of a provider's words; one that is not in the map
// is left out.
func TestMaps(t *testing.T) {
	const status = "field a b {\nopen\ndone closed\nre* reopened\n*ing pending\n1 one\ntrue yes\nfalse no\n\"two words\" two\n}"
	runRules(t, []rulesTest{
		{status, `{"b":"open"}`, `{"a":"open"}`},
		{status, `{"b":"done"}`, `{"a":"closed"}`},
		{status, `{"b":"d\u006fne"}`, `{"a":"closed"}`},
		{status, `{"b":"Done"}`, `{}`},
		{status, `{"b":"re"}`, `{"a":"reopened"}`},
		{status, `{"b":"reading"}`, `{"a":"reopened"}`},
		{status, `{"b":"waiting"}`, `{"a":"pending"}`},
		{status, `{"b":1}`, `{"a":"one"}`},
		{status, `{"b":"1"}`, `{"a":"one"}`},
		{status, `{"b":1.0}`, `{}`},
		{status, `{"b":true}`, `{"a":"yes"}`},
		{status, `{"b":false}`, `{"a":"no"}`},
		{status, `{"b":"two words"}`, `{"a":"two"}`},
		{status, `{"b":"other"}`, `{}`},
		{status, `{"b":""}`, `{}`},
		{status, `{"b":null}`, `{}`},
		{status, `{"b":{"open":1}}`, `{}`},
		{status, `{}`, `{}`},

		{"field a b as string {\n1 one\n* other\n}", `{"b":"1"}`, `{"a":"one"}`},
		{"field a b as string {\n1 one\n* other\n}", `{"b":1}`, `{}`},
		{"field a b as string {\n1 one\n* other\n}", `{"b":""}`, `{"a":"other"}`}, // a map can have a word for it
		{"field a b as lower {\nopen\n}", `{"b":"OPEN"}`, `{"a":"open"}`},
		{"field a b {\n* other\nopen\n}", `{"b":"open"}`, `{"a":"open"}`}, // exact words first
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"axxbxxc"}`, `{"a":"abc"}`},
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"abc"}`, `{"a":"abc"}`},
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"acb"}`, `{"a":"other"}`},
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"xabc"}`, `{"a":"other"}`},
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"abcx"}`, `{"a":"other"}`},
		{"field a b {\na*b*c abc\n* other\n}", `{"b":"axc"}`, `{"a":"other"}`},
		{"field a b {\na*b*bc abbc\n}", `{"b":"abc"}`, `{}`},
		{"field a b {\nab*ba abba\n}", `{"b":"aba"}`, `{}`},
		{"field a b {\nab*ba abba\n}", `{"b":"abba"}`, `{"a":"abba"}`},
		{"field a b {\n**b two\n}", `{"b":"ab"}`, `{"a":"two"}`},

		// Of fields with one name the first that yields something.
		{"field a b {\nx y\n}\nfield a b as lower\nfield a always z", `{"b":"x"}`, `{"a":"y"}`},
		{"field a b {\nx y\n}\nfield a b as lower\nfield a always z", `{"b":"X"}`, `{"a":"x"}`},
		{"field a b {\nx y\n}\nfield a b as lower\nfield a always z", `{"b":1}`, `{"a":"z"}`},
	})
}

// TestOrderOfMembers pins that members are in the order in which the file names
// them first, whatever the event's order.
func TestOrderOfMembers(t *testing.T) {
	runRules(t, []rulesTest{
		{"field b.x b\nfield a a\nfield b.w a\nfield c a", `{"a":"1","b":"2"}`, `{"b":{"x":"2","w":"1"},"a":"1","c":"1"}`},
		{"field b.x b\nfield a a\nfield b.w a\nfield c a", `{"a":"1"}`, `{"b":{"w":"1"},"a":"1","c":"1"}`},
		{"field b.x b\nfield a c\nfield b.w c\nfield c c", `{"c":"3","a":1}`, `{"b":{"w":"3"},"a":"3","c":"3"}`},
		{"field a.b.c x\nfield a.b.d y\nfield a.e y", `{"x":"1"}`, `{"a":{"b":{"c":"1"}}}`},
		{"field a.b.c x\nfield a.b.d y\nfield a.e y", `{"z":"1"}`, `{}`},
	})
}

// TestMostMembers reads as many members of one object as can be counted.
func TestMostMembers(t *testing.T) {
	lines := strings.Join(strings.SplitAfter(manyFields, "\n")[:61], "") // and `type`, and one to spare
	event := strings.Builder{}
	want := strings.Builder{}
	for i := 60; i >= 0; i-- {
		event.WriteString(`"m` + strconv.Itoa(i) + `":` + strconv.Itoa(i) + `,`)
	}
	for i := range 61 {
		want.WriteString(`"f` + strconv.Itoa(i) + `":"` + strconv.Itoa(i) + `",`)
	}
	lines += "field last last\n"
	event.WriteString(`"last":"x","type":"a.b"`)
	want.WriteString(`"last":"x"`)
	if got := data(t, lines, "{"+event.String()+"}"); got != "{"+want.String()+"}" {
		t.Errorf("got %s", got)
	}
}
