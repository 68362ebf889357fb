package jsonpath

import "testing"

func TestCheck(t *testing.T) {
	for path, want := range map[string]string{
		"a":                  "",
		"a.b.0.#.c":          "",
		`a\.b.\@c`:           "",
		`a.#(b=="c)|\"")#.d`: "",
		"a*.b?":              "",
		"":                   "a path must not be empty",
		`a\`:                 "nothing follows the backslash",
		`a.#(b=="c)`:         "a quote in a query is not closed",
		"a.#(b==1":           "a parenthesis is not closed",
		"a)":                 "unexpected closing parenthesis",
		"a.@reverse":         "modifiers and literals do not work here; for a member whose name begins with @ or !, write a backslash before it",
		`!"a"`:               "modifiers and literals do not work here; for a member whose name begins with @ or !, write a backslash before it",
		"{a,b}":              "multipaths do not work here; write each path separately",
		"a.[b,c]":            "multipaths do not work here; write each path separately",
		"a|b":                "use . between members, not |",
		".a":                 "a name is missing before or after a dot",
		"a..b":               "a name is missing before or after a dot",
		"a.":                 "a name is missing before or after a dot",
	} {
		got := ""
		if err := Check(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}
