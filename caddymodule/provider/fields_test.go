package provider_test

import (
	"net/http"
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
		{"field a ¿·name·?.b", `{"¿·name·?":{"b":"x"}}`, `{"a":"x"}`}, // by wildcard: ? stands for itself too
		{`field a "a b"`, `{"a b":"x"}`, `{"a":"x"}`},

		// What is no plain name.
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

		// What stands beside a member that is looked for does not disturb.
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
		{"field a b as string {\n1 one\n* other\n}", `{"b":""}`, `{"a":"other"}`}, // a map may say what is empty
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

// TestTimes shows that every time becomes RFC 3339 in UTC, at the precision given
// and no other, and that what is not quite a time is left out.
func TestTimes(t *testing.T) {
	const (
		seconds  = `"2006-01-02 15:04:05"`
		zoned    = `"2006-01-02 15:04:05 -0700"`
		slashes  = `"02/01/2006 15:04"`
		httpDate = `"Mon, 02 Jan 2006 15:04:05 GMT"`
		short    = `06-01-02`
		compact  = `20060102T150405.000`
	)
	for _, test := range []struct{ as, value, want string }{
		{"rfc3339", `"2023-09-01T14:13:32Z"`, "2023-09-01T14:13:32Z"},
		{"rfc3339", `"2023-09-01T14:13:32.141788Z"`, "2023-09-01T14:13:32.141788Z"},
		{"rfc3339", `"2023-09-01T14:13:32.100Z"`, "2023-09-01T14:13:32.100Z"},
		{"rfc3339", `"2023-09-01T14:13:32.0Z"`, "2023-09-01T14:13:32.0Z"},
		{"rfc3339", `"2023-09-01T14:13:32.1234567899Z"`, "2023-09-01T14:13:32.123456789Z"},
		{"rfc3339", `"2023-09-01T14:13:32\u005a"`, "2023-09-01T14:13:32Z"},
		{"rfc3339", `"2023-09-01T16:13:32+02:00"`, "2023-09-01T14:13:32Z"},
		{"rfc3339", `"2023-08-31T23:30:00.50-05:30"`, "2023-09-01T05:00:00.50Z"},
		{"rfc3339", `"2024-02-29T00:00:00+14:00"`, "2024-02-28T10:00:00Z"},
		{"rfc3339", `"1969-12-31T23:59:59.999Z"`, "1969-12-31T23:59:59.999Z"},
		{"rfc3339", `"0001-01-01T00:00:00Z"`, "0001-01-01T00:00:00Z"},
		{"rfc3339", `"0001-01-01T00:59:59+01:00"`, ""}, // which is a year 0 in UTC
		{"rfc3339", `"0000-12-31T23:00:00-01:00"`, "0001-01-01T00:00:00Z"},
		{"rfc3339", `"0000-12-31T23:59:59.999Z"`, ""},
		{"rfc3339", `"0000-01-01T00:00:00Z"`, ""},
		{"rfc3339", `"9999-12-31T23:59:59Z"`, "9999-12-31T23:59:59Z"},
		{"rfc3339", `"9999-12-31T23:59:59-01:00"`, ""},
		{"rfc3339", `"0000-01-01T00:00:00+01:00"`, ""},
		{"rfc3339", `"2023-02-29T00:00:00Z"`, ""},
		{"rfc3339", `"2023-09-01T25:00:00Z"`, ""},
		{"rfc3339", `"2023-09-01T14:13:32"`, ""},
		{"rfc3339", `"2023-09-01"`, ""},
		{"rfc3339", `"yesterday"`, ""},
		{"rfc3339", `""`, ""},
		{"rfc3339", `1693577612`, ""},
		{"rfc3339", `null`, ""},
		{"rfc3339", `{}`, ""},

		{"unix", `1693577612`, "2023-09-01T14:13:32Z"},
		{"unix", `"1693577612"`, "2023-09-01T14:13:32Z"},
		{"unix", `1693577612.5`, "2023-09-01T14:13:32.5Z"},
		{"unix", `1693577612.141788000`, "2023-09-01T14:13:32.141788000Z"},
		{"unix", `"1693577612.001"`, "2023-09-01T14:13:32.001Z"},
		{"unix", `1693577612.0`, "2023-09-01T14:13:32.0Z"},
		{"unix", `1693577612.1234567899`, "2023-09-01T14:13:32.123456789Z"},
		{"unix", `0`, "1970-01-01T00:00:00Z"},
		{"unix", `0.25`, "1970-01-01T00:00:00.25Z"},
		{"unix", `-1`, "1969-12-31T23:59:59Z"},
		{"unix", `-1.5`, ""},
		{"unix", `-1.0`, ""},
		{"unix", `-0.5`, ""},
		{"unix", `"-0.5"`, ""},
		{"unix", `1.7e9`, ""},
		{"unix", `1.7000000005e9`, ""},
		{"unix", `1.1234567891E9`, ""},
		{"unix", `17e8`, ""},
		{"unix", `17E-1`, ""},
		{"unix", `253402300799`, "9999-12-31T23:59:59Z"},
		{"unix", `253402300800`, ""},
		{"unix", `-62135596800`, "0001-01-01T00:00:00Z"},
		{"unix", `-62135596801`, ""},
		{"unix", `9223372036854775807`, ""},
		{"unix", `-9223372036854775808`, ""},
		{"unix", `9223372036854775808`, ""},
		{"unix", strings.Repeat("9", 400), ""},
		{"unix", `"2023-09-01T14:13:32Z"`, ""},
		{"unix", `"1693577612.x"`, ""},
		{"unix", `"1693577612.5x"`, ""},
		{"unix", `"1693577612.123456789xyz"`, ""},
		{"unix", `"1693577612.5 "`, ""},
		{"unix", `"1693577612.5.5"`, ""},
		{"unix", `"1693577612.-5"`, ""},
		{"unix", `"1693577612."`, ""},
		{"unix", `".5"`, ""},
		{"unix", `"-.5"`, ""},
		{"unix", `"."`, ""},
		{"unix", `"1693577612x"`, ""},
		{"unix", `"1693577612 "`, ""},
		{"unix", `"soon"`, ""},
		{"unix", `""`, ""},
		{"unix", `true`, ""},
		{"unix", `null`, ""},
		{"unix", `[1693577612]`, ""},

		{"unix_ms", `1693577612141`, "2023-09-01T14:13:32.141Z"},
		{"unix_ms", `"1693577612000"`, "2023-09-01T14:13:32.000Z"},
		{"unix_ms", `0`, "1970-01-01T00:00:00.000Z"},
		{"unix_ms", `-1`, "1969-12-31T23:59:59.999Z"},
		{"unix_ms", `253402300799999`, "9999-12-31T23:59:59.999Z"},
		{"unix_ms", `253402300800000`, ""},
		{"unix_ms", `-62135596800000`, "0001-01-01T00:00:00.000Z"},
		{"unix_ms", `-62135596800001`, ""},
		{"unix_ms", `9223372036854775807`, ""},
		{"unix_ms", `-9223372036854775808`, ""},
		{"unix_ms", `1693577612141.5`, ""},
		{"unix_ms", `1.693577612141e12`, ""},
		{"unix_ms", `"1693577612141x"`, ""},
		{"unix_ms", `"soon"`, ""},
		{"unix_ms", `false`, ""},

		{seconds, `"2023-09-01 14:13:32"`, "2023-09-01T14:13:32Z"},
		{seconds, `"2023-09-01 14:13:32.141788"`, "2023-09-01T14:13:32.141788Z"},
		{seconds, `"2023-09-01 14:13:32,14"`, "2023-09-01T14:13:32.14Z"},
		{seconds, `"2023-09-01T14:13:32Z"`, ""},
		{seconds, `"2023-09-01"`, ""},
		{seconds, `1693577612`, ""},
		{seconds, `null`, ""},
		{zoned, `"2023-09-01 14:13:32 +0200"`, "2023-09-01T12:13:32Z"},
		{zoned, `"2023-09-01 14:13:32.50 -0030"`, "2023-09-01T14:43:32.50Z"},
		{zoned, `"2023-09-01 14:13:32"`, ""},
		{zoned, `"0001-01-01 00:30:00 +0100"`, ""},
		{zoned, `"9999-12-31 23:30:00 -0100"`, ""},
		{slashes, `"01/09/2023 14:13"`, "2023-09-01T14:13:00Z"},
		{httpDate, `"Fri, 01 Sep 2023 14:13:32 GMT"`, "2023-09-01T14:13:32Z"},
		{short, `"23-09-01"`, "2023-09-01T00:00:00Z"},

		// Where no colon tells how long the fraction is, nothing of it is lost.
		{compact, `"20230901T141332.123"`, "2023-09-01T14:13:32.123000000Z"},
		{compact, `"20230901T141332.000"`, "2023-09-01T14:13:32Z"},
	} {
		t.Run(test.as+" "+test.value, func(t *testing.T) {
			want := `{"a":"` + test.want + `"}`
			if test.want == "" {
				want = `{}`
			}
			if got := data(t, "field a b as "+test.as, `{"b":`+test.value+`}`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	runRules(t, []rulesTest{
		{"field a b c as unix", `{"b":null,"c":1}`, `{"a":"1970-01-01T00:00:01Z"}`},
		{"field a b c as unix", `{"b":"soon","c":1}`, `{}`},
		{"field a b as unix\nfield a b as rfc3339", `{"b":"2023-09-01T14:13:32Z"}`, `{"a":"2023-09-01T14:13:32Z"}`},
	})
}

// TestLists fills arrays: of the elements of an array, or of one item that is
// anything else.
func TestLists(t *testing.T) {
	const files = "list files f {\nfield url url\nfield name name title\nfield by.id owner.id\nfield size size as value\nfield kind type as lower {\npic image\n}\nrequire url\n}\n"
	runRules(t, []rulesTest{
		{files, `{"f":[{"url":"u"},{"url":"v","title":"T","owner":{"id":7},"size":1.50,"type":"PIC"}]}`, `{"files":[{"url":"u"},{"url":"v","name":"T","by":{"id":"7"},"size":1.50,"kind":"image"}]}`},
		{files, `{"f":[{"name":"no url"},{"url":"u"},{"url":""},{"url":null},{},null,1,"x",[],{"url":"v"}]}`, `{"files":[{"url":"u"},{"url":"v"}]}`},
		{files, `{"f":[{"name":"a"},{"name":"b"}]}`, `{}`},
		{files, `{"f":{"url":"u","name":"one"}}`, `{"files":[{"url":"u","name":"one"}]}`},
		{files, `{"f":[]}`, `{}`},
		{files, `{"f":{}}`, `{}`},
		{files, `{"f":null}`, `{}`},
		{files, `{"f":""}`, `{}`},
		{files, `{"f":"text"}`, `{}`},
		{files, `{}`, `{}`},
		{files, `{"f":[[{"url":"u"}]]}`, `{}`},
		{files, `{"f":[{"url":"u"},{"url":"u"}]}`, `{"files":[{"url":"u"},{"url":"u"}]}`},
		{files, `{"f":[{"name":"of the first","url":"u"},{"url":"v"}]}`, `{"files":[{"url":"u","name":"of the first"},{"url":"v"}]}`},

		// The item itself.
		{"list a b {\nfield c .\n}", `{"b":["x","",null,1,true,{},"y"]}`, `{"a":[{"c":"x"},{"c":"1"},{"c":"y"}]}`},
		{"list a b {\nfield c .\n}", `{"b":"x"}`, `{"a":[{"c":"x"}]}`},
		{"list a b {\nfield c .\n}", `{"b":0}`, `{"a":[{"c":"0"}]}`},
		{"list a b {\nfield c . as value\n}", `{"b":[[1],{"d": 2},false,null,[]]}`, `{"a":[{"c":[1]},{"c":{"d": 2}},{"c":false}]}`},
		{"list a b {\nfield c . as unix\n}", `{"b":[1,"x"]}`, `{"a":[{"c":"1970-01-01T00:00:01Z"}]}`},
		{"list a b {\nfield c 0\nfield d 1\n}", `{"b":[["x","y"],["z"]]}`, `{"a":[{"c":"x","d":"y"},{"c":"z"}]}`},

		// A constant makes an item of whatever is there.
		{"list a b {\nfield c always x\n}", `{"b":[1,null,{}]}`, `{"a":[{"c":"x"},{"c":"x"},{"c":"x"}]}`},
		{"list a b {\nfield c always x\n}", `{"b":null}`, `{}`},
		{"list a b {\nfield c always x\nfield d .\nrequire d\n}", `{"b":["y",""]}`, `{"a":[{"c":"x","d":"y"}]}`},

		// Several fields of one name, and several required ones.
		{"list a b {\nfield c c\nfield c always x\n}", `{"b":[{"c":"y"},{}]}`, `{"a":[{"c":"y"},{"c":"x"}]}`},
		{"list a b {\nfield c c\nfield c d\nfield e e\nrequire c\n}", `{"b":[{"d":"y"},{"e":"z"}]}`, `{"a":[{"c":"y"}]}`},
		{"list a b {\nfield c c\nfield d d\nfield e e\nrequire c d\n}", `{"b":[{"c":1,"d":2},{"c":1,"e":3},{"d":2}]}`, `{"a":[{"c":"1","d":"2"}]}`},

		// Several lists for one array.
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"d":["2"],"b":["1"]}`, `{"a":[{"c":"1"},{"e":"2"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"d":["2"]}`, `{"a":[{"e":"2"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{"b":"1"}`, `{"a":[{"c":"1"}]}`},
		{"list a b {\nfield c .\n}\nlist a d {\nfield e .\n}", `{}`, `{}`},
		{"list a b {\nfield c .\n}\nmembers a b {\nfield d .key\n}", `{"b":{"x":1}}`, `{"a":[{"d":"x"}]}`},

		// By a path that is no name, and within an object.
		{`list a.b c.#(d=="e").f {` + "\nfield g .\n}", `{"c":[{"d":"e","f":["x"]}]}`, `{"a":{"b":[{"g":"x"}]}}`},
		{"list a b.#.c {\nfield d .\n}", `{"b":[{"c":"x"},{},{"c":"y"}]}`, `{"a":[{"d":"x"},{"d":"y"}]}`},
	})
}

// TestMembers makes an item of each member of an object.
func TestMembers(t *testing.T) {
	const variables = "members vs v {\nfield name .key\nfield value . as value\n}\n"
	runRules(t, []rulesTest{
		{variables, `{"v":{"a":1,"b c":"x","¿·n·?":{"d":[]}}}`, `{"vs":[{"name":"a","value":1},{"name":"b c","value":"x"},{"name":"¿·n·?","value":{"d":[]}}]}`},
		{variables, `{"v":{"\u0061\"":"x"}}`, `{"vs":[{"name":"\u0061\"","value":"x"}]}`},
		{variables, `{"v":{"a":null,"b":"","c":{},"d":[],"":"e","":""}}`, `{"vs":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"value":"e"}]}`},
		{variables, `{"v":{}}`, `{}`},
		{variables, `{"v":[{"a":1}]}`, `{}`},
		{variables, `{"v":"a"}`, `{}`},
		{variables, `{"v":1}`, `{}`},
		{variables, `{"v":null}`, `{}`},
		{variables, `{}`, `{}`},
		{variables + "members vs w {\nfield name .key\nfield value . as value\n}", `{"w":{"b":2},"v":{"a":1}}`, `{"vs":[{"name":"a","value":1},{"name":"b","value":2}]}`},

		{"members vs v {\nfield name .key as lower\nfield value x.y\nrequire name value\n}", `{"v":{"A":{"x":{"y":1}},"B":{"x":1},"":{"x":{"y":2}}}}`, `{"vs":[{"name":"a","value":"1"}]}`},
		{"members vs v {\nfield name .key {\na one\n}\nrequire name\n}", `{"v":{"a":1,"b":2}}`, `{"vs":[{"name":"one"}]}`},
		{"members vs v {\nfield id id .key\n}", `{"v":{"a":{"id":7},"b":{}}}`, `{"vs":[{"id":"7"},{"id":"b"}]}`},
	})
}

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

	// A type that no event has is a mistake of whoever wrote it.
	const possible = "when message.* {\nfield a always message\n}\nwhen *.created {\nfield c always created\n}\nwhen * {\nfield d always all\n}\nwhen acme.other {\nfield e always other\n}\n"
	always := compile(t, acme("verify basic\ntype always message.created\n"+possible))
	if got, want := read(t, always, `{}`, nil), `"a":"message","c":"created","d":"all"`; string(got.Fields) != want {
		t.Errorf("got %s, want %s", got.Fields, want)
	}
}

// TestWhenByTypeAtRunTime lets rules hold for some types of a provider whose types
// are known only when an event comes.
func TestWhenByTypeAtRunTime(t *testing.T) {
	const rules = "when message.* {\nfield a x\nlist l l {\nfield n .\n}\nwhen *.created {\nfield a y\nfield conversation.id c\n}\n}\nwhen contact.created group.* {\nfield b x\nwhen k is 1 {\nfield b y\n}\n}\nwhen acme.* {\nfield d always own\n}\nwhen acme.unknown {\nfield e always unknown\n}\nfield a z\n"
	const rest = `"x":"X","y":"Y","z":"Z","c":"C","l":[1],"k":1}`
	const own = `"a":"Z","d":"own"`
	for _, test := range []struct{ name, lines string }{
		{"by path", "type type\n"},
		{"by header", "type header x-type\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compile(t, acme("verify basic\n"+test.lines+rules))
			for _, test := range []struct{ own, want, subject string }{
				{"message.created", `"a":"Y","l":[{"n":"1"}],"conversation":{"id":"C"}`, "conversations/C"},
				{"message.deleted", `"a":"X","l":[{"n":"1"}]`, ""},
				{"contact.created", `"a":"Z","b":"Y"`, ""},
				{"contact.deleted", `"a":"Z"`, ""},
				{"group.created.again", `"a":"Z","b":"Y"`, ""},
				{"created", own, ""},
				{"Message.created", own, ""},
				{"", own + `,"e":"unknown"`, ""},
				{"message.created", `"a":"Y","l":[{"n":"1"}],"conversation":{"id":"C"}`, "conversations/C"},
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
		{"when k is * {\nfield a b\n}", `{"k":{},"b":"B"}`, `{}`},
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
// wherever it stands, and that the general one holds where the special one yields
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

// TestOrderOfMembers pins that members stand in the order in which the file names
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
