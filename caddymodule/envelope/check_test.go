package envelope_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// nested returns n arrays, each in the one before.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// members returns n objects, each in the one before.
func members(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }

func TestCheck(t *testing.T) {
	const max = envelope.MaxDepth
	for _, test := range []struct {
		name, payload string
		want          error
	}{
		{"object", `{"a":[1,-2.5e-3,true,false,null,"b"]}`, nil},
		{"white space around", " \t\r\n{} \t\r\n", nil},
		{"number", `1`, nil},
		{"text", `"a"`, nil},
		{"null", `null`, nil},
		{"doubled members", `{"a":1,"a":2}`, nil},
		{"letters of other scripts", `{"é":"日本語😀"}`, nil},
		{"lone surrogates", `["\ud800","\udc00","\ud800x","\udfff\ud800"]`, nil},
		{"NUL as an escape", `{"\u0000":"\u0000"}`, nil},
		{"all escapes", `"\"\\\/\b\f\n\r\t\uAbCd"`, nil},
		{"DEL", "\"\x7f\"", nil},
		{"number of 400 digits", `{"n":` + strings.Repeat("9", 400) + `}`, nil},
		{"fraction and exponent of 400 digits", `0.` + strings.Repeat("3", 400) + `E+` + strings.Repeat("1", 400), nil},

		{"empty", ``, envelope.ErrNotJSON},
		{"white space", " \n", envelope.ErrNotJSON},
		{"truncated object", `{"a":1`, envelope.ErrNotJSON},
		{"truncated name", `{"a`, envelope.ErrNotJSON},
		{"truncated text", `"a`, envelope.ErrNotJSON},
		{"truncated behind a backslash", `"a\`, envelope.ErrNotJSON},
		{"truncated escape", `"\u12"`, envelope.ErrNotJSON},
		{"truncated literal", `tru`, envelope.ErrNotJSON},
		{"truncated number", `-`, envelope.ErrNotJSON},
		{"more behind", `{}{}`, envelope.ErrNotJSON},
		{"comma behind", `[1,]`, envelope.ErrNotJSON},
		{"comma only", `[,]`, envelope.ErrNotJSON},
		{"no colon", `{"a"}`, envelope.ErrNotJSON},
		{"name that is no text", `{1:2}`, envelope.ErrNotJSON},
		{"crossed", `[{]}`, envelope.ErrNotJSON},
		{"quotes of another kind", `{'a':1}`, envelope.ErrNotJSON},
		{"comment", `{}//`, envelope.ErrNotJSON},
		{"zero in front", `01`, envelope.ErrNotJSON},
		{"plus in front", `+1`, envelope.ErrNotJSON},
		{"dot in front", `.5`, envelope.ErrNotJSON},
		{"dot behind", `5.`, envelope.ErrNotJSON},
		{"no number", `NaN`, envelope.ErrNotJSON},
		{"unknown escape", `"\x41"`, envelope.ErrNotJSON},
		{"line break in a text", "\"\n\"", envelope.ErrNotJSON},
		{"NUL in a text", "\"\x00\"", envelope.ErrNotJSON},
		{"NUL behind", "{}\x00", envelope.ErrNotJSON},
		{"byte order mark", "\ufeff{}", envelope.ErrNotJSON},
		{"another white space", "{}\u00a0", envelope.ErrNotJSON},
		{"form", `a=b&c=d`, envelope.ErrNotJSON},

		{"not UTF-8", "\"\xff\"", envelope.ErrNotUTF8},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", envelope.ErrNotUTF8},
		{"overlong", "\"\xc0\x80\"", envelope.ErrNotUTF8},
		{"truncated UTF-8", "\"\xc3", envelope.ErrNotUTF8},
		{"UTF-16", "\xff\xfe{\x00}\x00", envelope.ErrNotUTF8},
		{"not UTF-8, and too deep", nested(max+1) + "\xff", envelope.ErrNotUTF8},

		{"60 arrays", nested(60), nil},
		{"61 arrays", nested(61), envelope.ErrTooDeep},
		{"arrays, deepest", nested(max), nil},
		{"arrays, too deep", nested(max + 1), envelope.ErrTooDeep},
		{"objects, deepest", members(max), nil},
		{"objects, too deep", members(max + 1), envelope.ErrTooDeep},
		{"both, deepest", strings.Repeat(`[{"a":`, max/2) + `0` + strings.Repeat(`}]`, max/2), nil},
		{"both, too deep", strings.Repeat(`[{"a":`, max/2) + `[]` + strings.Repeat(`}]`, max/2), envelope.ErrTooDeep},
		{"wide", "[" + strings.Repeat("[],", 10_000) + "{}]", nil},
		{"wide and deepest", "[" + strings.Repeat(nested(max-1)+",", 100) + nested(max-1) + "]", nil},
		{"wide, and too deep at the end", "[" + strings.Repeat(nested(max-1)+",", 100) + nested(max) + "]", envelope.ErrTooDeep},
		{"brackets in a text", `"` + strings.Repeat("[{", 1000) + `"`, nil},
		{"brackets in a name", `{"` + strings.Repeat("[{", 1000) + `":1}`, nil},
		{"brackets behind an escaped quote", `"\"` + strings.Repeat("[", 1000) + `"`, nil},
		{"brackets behind an escaped backslash", `["\\",` + nested(max) + `]`, envelope.ErrTooDeep},
		{"brackets behind a backslash and a quote", `["\\\"` + strings.Repeat("[", 1000) + `"]`, nil},
		{"closing brackets in a text do not count", strings.Repeat(`["]",`, max+1) + `0` + strings.Repeat("]", max+1), envelope.ErrTooDeep},
		{"closed more often than opened", strings.Repeat("]", 1000) + nested(max+500), envelope.ErrNotJSON},
		{"text that does not end", `"` + strings.Repeat("[", 1000), envelope.ErrNotJSON},
		{"a megabyte of brackets", strings.Repeat("[", 1<<20), envelope.ErrTooDeep},
		{"a megabyte of braces", strings.Repeat("{", 1<<20), envelope.ErrTooDeep},
		{"a megabyte of objects", strings.Repeat(`{"a":`, 1<<18), envelope.ErrTooDeep},
		{"a megabyte of pairs", strings.Repeat("[]", 1<<19), envelope.ErrNotJSON},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := envelope.Check([]byte(test.payload)); !errors.Is(err, test.want) {
				t.Errorf("Check() = %v; want %v", err, test.want)
			}
		})
	}
}
