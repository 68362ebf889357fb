package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// FuzzParse shows that no text makes the parser, the compiler or a provider of
// its own panic, and that every spec survives JSON.
func FuzzParse(f *testing.F) {
	for _, name := range provider.Builtin() {
		file, err := provider.File(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(file))
	}
	for _, golden := range goldens(f) {
		f.Add(golden.block)
	}
	const event = `{"id":7,"type":"message.created","at":1700000000.5,"text":"<é>\ud800","a":{"b":[{"name":"x","value":null},{"name":"x","value":[1]},"c"],"1":""},"a":true}`
	const batch = `{"events":[` + event + `],"data":{"events":[` + event + `,1,null]},"token":"t"}`
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := provider.Parse("acme.caddyfile", []byte(text))
		if err != nil {
			return
		}
		if utf8.ValidString(text) {
			if again := throughJSON(t, spec); !reflect.DeepEqual(again, spec) {
				t.Errorf("from JSON: %+v, want %+v", again, spec)
			}
		}
		p, err := spec.Compile()
		if err != nil {
			return
		}
		for _, body := range []string{event, batch} {
			events, err := p.Split(body)
			if err != nil {
				continue
			}
			for _, raw := range events {
				checkRead(t, p.Read(raw, nil))
			}
			checkJSON(t, p.ReadWhole(body, events, nil).Original)
		}
	})
}

// FuzzRead shows that no payload makes a built-in provider panic or write an
// envelope that is not JSON, and that what is absent, null or empty stays out.
func FuzzRead(f *testing.F) {
	all, err := fixtures.All()
	if err != nil {
		f.Fatal(err)
	}
	for _, fixture := range all {
		f.Add(string(fixture.Body))
	}
	f.Fuzz(func(t *testing.T, body string) {
		if envelope.Check([]byte(body)) != nil {
			return
		}
		for _, name := range provider.Builtin() {
			p := get(t, name)
			events, err := p.Split(body)
			if err != nil {
				continue
			}
			for _, raw := range events {
				e := p.Read(raw, nil)
				checkRead(t, e)
				checkLeaves(t, string(e.Fields))
				if again := p.Read(raw, nil); !reflect.DeepEqual(again, e) {
					t.Errorf("%s: read again: %+v, want %+v", name, again, e)
				}
			}
			checkJSON(t, p.ReadWhole(body, events, nil).Original)
		}
	})
}

// checkRead checks what holds for every event.
func checkRead(t *testing.T, e provider.Event) {
	t.Helper()
	checkJSON(t, "{"+string(e.Fields)+"}")
	checkJSON(t, e.Original)
	for name, value := range map[string]string{"id": e.ID, "type": e.Type, "provider": e.Provider} {
		if value == "" {
			t.Errorf("the event has no %s", name)
		}
	}
	if e.DedupKey == "" {
		t.Error("the event has no dedup key")
	}
	if _, err := time.Parse(time.RFC3339, e.Time); e.Time != "" && (err != nil || !strings.HasSuffix(e.Time, "Z")) {
		t.Errorf("time %q is not RFC 3339 in UTC", e.Time)
	}
	for name, value := range map[string]string{"id": e.ID, "type": e.ProviderType, "partition key": e.PartitionKey} {
		if value != "" && !envelope.ValidAttribute(value) {
			t.Errorf("%s %q cannot be carried", name, value)
		}
	}
}

func checkJSON(t *testing.T, text string) {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Errorf("not JSON: %s", text)
	}
}

// checkLeaves checks that no canonical member is null or empty.
func checkLeaves(t *testing.T, fields string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader("{" + fields + "}"))
	decoder.UseNumber()
	var data map[string]any
	if err := decoder.Decode(&data); err != nil {
		t.Fatal(err)
	}
	var check func(path string, value any)
	check = func(path string, value any) {
		switch value := value.(type) {
		case nil:
			t.Errorf("%s is null in %s", path, fields)
		case string:
			if value == "" {
				t.Errorf("%s is empty in %s", path, fields)
			}
		case map[string]any:
			if len(value) == 0 {
				t.Errorf("%s is empty in %s", path, fields)
			}
			for name, member := range value {
				if name == "value" {
					// The provider's own JSON: what is in it is the provider's.
					switch reflect.ValueOf(member).Kind() {
					case reflect.Map, reflect.Slice:
						if reflect.ValueOf(member).Len() == 0 {
							t.Errorf("%s.value is empty in %s", path, fields)
						}
						continue
					}
				}
				check(path+"."+name, member)
			}
		case []any:
			if len(value) == 0 {
				t.Errorf("%s is empty in %s", path, fields)
			}
			for i, item := range value {
				check(fmt.Sprintf("%s.%d", path, i), item)
			}
		}
	}
	for name, value := range data {
		check(name, value)
	}
}

// redactions are the paths of FuzzRedact: as the provider has them, and as the
// names in a tree. Two parts of one array or object meet in each of them.
var redactions = map[string][]string{
	"a":       {".a"},
	"b":       {".b"},
	"c.a":     {".c", ".a"},
	"c.b.a":   {".c", ".b", ".a"},
	"d.#.a":   {".d", "#", ".a"},
	"d.#.#.b": {".d", "#", "#", ".b"},
	`d.\#`:    {".d", ".#"},
	`e\.f`:    {".e.f"},
}

// FuzzRedact compares what is left of an event with a slow implementation that
// takes the event apart.
func FuzzRedact(f *testing.F) {
	for _, event := range []string{
		`{}`, `{"a":1}`, `{ "a" : 1 , "b" : 2 }`, `{"x":1,"a":2,"b":3,"y":4}`, `{"a":1,"x":2,"a":3}`,
		`{"c":{"a":1,"b":{"a":2,"x":3}},"\u0063":{"\u0061":4}}`, `{"d":[{"a":1,"x":2},[{"b":3}],{"x":4,"a":5},[]]}`,
		`{"e.f":1,"e":{"f":2}}`, `{"d":{"#":{"a":1},"x":2},"#":3}`, `{"d":[{"#":{"a":1}},{"a":2}]}`,
		`{"x":"\"a\":1,","a":"},{","c":[{"a":1}],"d":{"a":1}}`, "{\n\t\"x\":1,\n\t\"a\":2\n}",
	} {
		f.Add(event)
	}
	lines := basics + "redact"
	for path := range redactions {
		lines += " " + path
	}
	single := compile(f, acme(lines))
	batch := compile(f, acme(lines+"\nevents events"))
	f.Fuzz(func(t *testing.T, event string) {
		event = strings.Trim(event, " \t\r\n")
		if envelope.Check([]byte(event)) != nil || !strings.HasPrefix(event, "{") {
			return
		}
		got := single.Read(raw(event), nil).Original
		if !isSubsequence(got, event) {
			t.Errorf("%s has bytes that %s has not", got, event)
		}
		want := parseTree(t, event)
		for _, names := range redactions {
			want.remove(names)
		}
		if !reflect.DeepEqual(parseTree(t, got), want) {
			t.Errorf("%s became %s", event, got)
		}
		if again := single.Read(raw(got), nil).Original; again != got {
			t.Errorf("%s redacted twice is %s", got, again)
		}
		for _, space := range []string{"", "\n "} {
			if whole := single.ReadWhole(space+event, []provider.Raw{raw(space + event)}, nil).Original; whole != space+got {
				t.Errorf("whole: %s, want %s", whole, space+got)
			}
		}

		// The same of each event in a batch.
		body := fmt.Sprintf(`{"a":1,"events":[%s, {} ,%[1]s],"x":2}`, event)
		wantBody := fmt.Sprintf(`{"a":1,"events":[%s, {} ,%[1]s],"x":2}`, got)
		events, err := batch.Split(body)
		if err != nil || len(events) != 3 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if one := batch.Read(events[2], nil).Original; one != got {
			t.Errorf("in a batch: %s, want %s", one, got)
		}
		if whole := batch.ReadWhole(body, events, nil).Original; whole != wantBody {
			t.Errorf("whole batch: %s, want %s", whole, wantBody)
		}
	})
}

// tree is a JSON value that keeps order and duplicates.
type tree struct {
	token   json.Token
	members []member // of an object or array
}

type member struct {
	name  string // "#" in an array; with a dot before it in an object
	value *tree
}

// parseTree parses JSON; it fails the test for anything else.
func parseTree(t *testing.T, text string) *tree {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	next := func() json.Token {
		token, err := decoder.Token()
		if err != nil {
			t.Fatalf("not JSON: %s", text)
		}
		return token
	}
	var parse func() *tree
	parse = func() *tree {
		value := &tree{token: next()}
		if delim, ok := value.token.(json.Delim); ok {
			for decoder.More() {
				name := "#"
				if delim == '{' {
					name = "." + next().(string)
				}
				value.members = append(value.members, member{name, parse()})
			}
			next()
		}
		return value
	}
	value := parse()
	if _, err := decoder.Token(); err != io.EOF {
		t.Fatalf("more than JSON: %s", text)
	}
	return value
}

// remove removes the members at the end of the names.
func (v *tree) remove(names []string) {
	last := len(names) == 1
	v.members = slices.DeleteFunc(v.members, func(m member) bool {
		if m.name != names[0] {
			return false
		}
		if !last {
			m.value.remove(names[1:])
		}
		return last
	})
	if len(v.members) == 0 {
		v.members = nil
	}
}

// isSubsequence reports whether s can be made from text by leaving bytes out.
func isSubsequence(s, text string) bool {
	for i := range len(text) {
		if s != "" && s[0] == text[i] {
			s = s[1:]
		}
	}
	return s == ""
}
