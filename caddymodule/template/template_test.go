package template_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/template"
)

// request is what the tests look up: a part that is not listed is absent.
var request = map[string]string{
	"$body":              "{\"a\":1}\n",
	"$body(a)":           "1",
	"$body(quoted)":      "say \"hi\" & <go>\n",
	`$body(a\.b)`:        "dotted",
	`$body(#(n=="x").v)`: "queried",
	"$timestamp":         "1700000000",
	"$method":            "POST",
	"$uri":               "/hook?x=1",
	"$url":               "https://example.com/hook?x=1",
	"$form":              "ab",
	"$header(X-Event)":   "push",
	"$query(hub.mode)":   "subscribe",
}

func lookup(p template.Part) ([]byte, bool) {
	if p.Kind == template.HMAC {
		return []byte("<" + p.Text + ">"), true
	}
	text, ok := request[p.String()]
	return []byte(text), ok
}

func parse(t testing.TB, s string) template.Template {
	t.Helper()
	parsed, err := template.Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return parsed
}

func TestAppend(t *testing.T) {
	for source, want := range map[string]string{
		"":                              "",
		"text":                          "text",
		"v0:$timestamp:$body":           "v0:1700000000:{\"a\":1}\n",
		"$body_$timestamp":              "{\"a\":1}\n_1700000000",
		"$method$uri$body(a)":           "POST/hook?x=11",
		"$url|$form":                    "https://example.com/hook?x=1|ab",
		"$header(x-event).$body(a)":     "push.1",
		"$query(hub.mode)":              "subscribe",
		`a\nb\\n\$body`:                 "a\nb\\n$body",
		`(a) b) $body(a)\(c\)`:          "(a) b) 1(c)",
		`$body(a\.b)`:                   "dotted",
		`$body(#(n=="x").v)`:            "queried",
		"$hex($sha256(abc))":            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-2, B.1
		`$base64(f(o)o\)$body(a))`:      "ZihvKW8pMQ==",
		"$hmac(a$body(a)b)":             "<a1b>",
		"$json($body(quoted))":          `"say \"hi\" & <go>\n"`,
		"{\"t\":$json($hex($hmac(a)))}": `{"t":"3c613e"}`,
	} {
		got, ok := parse(t, source).Append([]byte("before "), lookup)
		if !ok || string(got) != "before "+want {
			t.Errorf("%s: got %q, %v, want %q", source, got, ok, want)
		}
	}
}

// TestAppendAbsent holds that a text with a part that is absent has no value, and
// that AppendAll takes the part for empty.
func TestAppendAbsent(t *testing.T) {
	empty := sha256.Sum256([]byte("x"))
	for source, want := range map[string]string{
		"$body(none)":            "",
		"a$header(X-None)b":      "ab",
		"$body(a)$query(none)":   "1",
		"$sha256(x$query(none))": string(empty[:]),
		"$hmac($body(none))":     "<>",
	} {
		parsed := parse(t, source)
		dst := []byte("before")
		if got, ok := parsed.Append(dst, lookup); ok || string(got) != "before" {
			t.Errorf("%s: Append returns %q, %v", source, got, ok)
		}
		if got := parsed.AppendAll(dst, lookup); string(got) != "before"+want {
			t.Errorf("%s: AppendAll returns %q, want %q", source, got, "before"+want)
		}
	}
}

// TestAppendNoMAC holds that a MAC that cannot be made is an absent part.
func TestAppendNoMAC(t *testing.T) {
	none := func(template.Part) ([]byte, bool) { return nil, false }
	if got, ok := parse(t, "a$hmac(b)").Append(nil, none); ok || got != nil {
		t.Errorf("Append returns %q, %v", got, ok)
	}
}

func TestParts(t *testing.T) {
	parsed := parse(t, "v0:$header(x-event)$hex($sha256($body(a)))")
	var got []string
	for part := range parsed.Parts() {
		got = append(got, part.String())
	}
	want := []string{"v0:", "$header(X-Event)", "$hex($sha256($body(a)))", "$sha256($body(a))", "$body(a)"}
	if !slices.Equal(got, want) {
		t.Errorf("Parts() = %q, want %q", got, want)
	}
	for range parsed.Parts() {
		break // must not go on
	}
	if !parsed.Has(template.Form, template.BodyPath) || parsed.Has(template.Body, template.HMAC) {
		t.Errorf("Has is wrong about %v", parsed)
	}
}

func TestIs(t *testing.T) {
	for s, want := range map[string]bool{"": false, "data.id": false, `data\.id`: false, "$body(a)": true, `\$id`: true} {
		if template.Is(s) != want {
			t.Errorf("Is(%q) = %v", s, !want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for source, want := range map[string]string{
		"$":                     `for the character itself, write \$`,
		"a$ b":                  `for the character itself, write \$`,
		"{method}$body":         "{method} is a placeholder of Caddy, and does not work here; write a part,",
		"{query.challenge}":     "{query.challenge} is a placeholder of Caddy",
		"$hex({header.X-Id})":   "{header.X-Id} is a placeholder of Caddy",
		"$bodies":               "unknown part $bodies; use $body,",
		"$Body":                 "unknown part $Body; use $body,",
		"$header":               "$header needs a name; write $header(<name>)",
		"$query()":              "the name in $query() is missing",
		"$body()":               "for the whole body, write $body",
		"$body(a":               "the parenthesis of $body( is not closed",
		`$body(a\)`:             "the parenthesis of $body( is not closed",
		"$hex($sha256($body)":   "the parenthesis of $hex( is not closed",
		"$hex(a(b)":             "the parenthesis of $hex( is not closed",
		"$sha256":               "$sha256 is a function; write what it is of in parentheses, such as $sha256($body)",
		"$sha256()":             "$sha256() is of nothing",
		"$timestamp(s)":         `$timestamp takes nothing in parentheses; for the character itself, write \(`,
		`a\tb`:                  `unknown escape "\\t"`,
		`a\`:                    "a backslash is at the end",
		"$json($sha256($body))": "write $json($hex($sha256($body))) or $json($base64($sha256($body)))",
		strings.Repeat("$hex(", 9) + "a" + strings.Repeat(")", 9): "inside each other more than 8 times",
	} {
		if _, err := template.Parse(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %q", source, err, want)
		}
	}
}

// FuzzParse looks for a template that panics, or that reads differently once it is
// written again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"v0:$timestamp:$body", `$header(X-A).$body(a\.b)$query(a(b)c)`, `\n\\\$\(\)`, "$hex($sha256(a(b)$body))", "$json($hex($hmac($body(a))))", "$", `\`, "$body(",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := template.Parse(s)
		if err != nil {
			return
		}
		again, err := template.Parse(parsed.String())
		if err != nil || again.String() != parsed.String() || !slices.EqualFunc(parsed, again, equal) {
			t.Errorf("%q: %v reads as %v, %v", s, parsed, again, err)
		}
		if _, ok := parsed.Append(nil, func(template.Part) ([]byte, bool) { return []byte("x"), true }); !ok {
			t.Errorf("%q has no value, although every part is there", s)
		}
	})
}

func equal(a, b template.Part) bool {
	return a.Kind == b.Kind && a.Text == b.Text && slices.EqualFunc(a.Inside, b.Inside, equal)
}
