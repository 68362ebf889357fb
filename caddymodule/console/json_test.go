package console

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestIndent shows that indented JSON has the bytes that it had: no number, escape or
// duplicate key changes.
func TestIndent(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`: `{}`, ` [ ] `: `[]`, `1e400`: `1e400`, `"a"`: `"a"`,
		`{"n":1.0e400,"s":"\ud800","a":1,"a":2}`: "{\n  \"n\": 1.0e400,\n  \"s\": \"\\ud800\",\n  \"a\": 1,\n  \"a\": 2\n}",
		`{"a":[1,{"b":{}},[]]}`:                  "{\n  \"a\": [\n    1,\n    {\n      \"b\": {}\n    },\n    []\n  ]\n}",
		`{"a\"{":"}\\"}`:                         "{\n  \"a\\\"{\": \"}\\\\\"\n}",
		"{ \"a\" :\t1 ,\r\n\"b\":2}":             "{\n  \"a\": 1,\n  \"b\": 2\n}",
	} {
		if got := string(indent([]byte(raw), 1000)); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// TestIndentIsBounded shows that deep JSON does not become many times as long.
func TestIndentIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 60) + strings.Repeat("1,", 200_000) + "1" + strings.Repeat("]", 60)
	if got := len(indent([]byte(deep), maxShown)); got > maxShown+200 {
		t.Errorf("%d bytes", got)
	}
}

func TestShownBody(t *testing.T) {
	long, _ := json.Marshal(strings.Repeat("é", 200_000))
	for name, c := range map[string]struct {
		body  string
		isCut bool
		text  string
	}{
		"JSON":           {`{"a":1}`, false, "{\n  &#34;a&#34;: 1\n}"},
		"a form":         {"a=b&c=<d>", false, "a=b&amp;c=&lt;d&gt;"},
		"a long string":  {string(long), true, "&#34;é"},
		"long, not JSON": {strings.Repeat("é", 200_000), true, "é"},
		"not UTF-8":      {"a\xff", false, `a<span class="odd">\xFF</span>`},
		"right to left":  {"{\"a\":\"\u202e\"}", false, `U+202E`},
	} {
		b := newShownBody("original", []byte(c.body))
		if b.IsCut != c.isCut || !strings.Contains(string(b.Text), c.text) || b.Size != int64(len(c.body)) {
			t.Errorf("%s: %t, %d bytes, %.100s", name, b.IsCut, b.Size, b.Text)
		}
		if c.isCut && strings.Contains(string(b.Text), "odd") {
			t.Errorf("%s: a character was cut in two: %s", name, b.Text[len(b.Text)-50:])
		}
		if len(b.Text) > 2*maxShown {
			t.Errorf("%s: %d bytes are shown", name, len(b.Text))
		}
	}
}
