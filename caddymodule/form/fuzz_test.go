package form_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
)

// FuzzForm reads any body as a form, and compares what it finds with net/url.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"", "a=1&b=2", "a=%41&a=+&token=x", "a;b=%zz", "{}", "%00=\x7f"} {
		f.Add(form.URLEncoded, []byte(body))
	}
	f.Add(multipartType, []byte(parts(field("a")+"|1", field("token")+"|2", field("f")+`; filename="f"|3`)))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		found, err := form.Parse(contentType, body)
		if err != nil {
			return
		}
		checkJSON(t, found, len(body))
		if form.MediaType(contentType) == form.URLEncoded && !strings.Contains(string(body), ";") {
			want, queryErr := url.ParseQuery(string(body))
			if queryErr != nil {
				t.Fatalf("net/url: %v", queryErr)
			}
			if got := byName(found); !equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		rewritten, err := form.Rewrite(contentType, body, func(p form.Parameter) (string, bool) { return p.Value, p.Name != "token" })
		if err != nil {
			return // a boundary that cannot be written
		}
		again, err := form.Parse(contentType, rewritten)
		if err != nil {
			t.Fatalf("the form without a parameter: %v", err)
		}
		others := slices.DeleteFunc(slices.Clone(found), func(p form.Parameter) bool { return p.Name == "token" })
		if !slices.Equal(again, others) {
			t.Errorf("got %q, want %q", again, others)
		}
	})
}

// checkJSON checks that the JSON of a form holds it, and how long it is.
func checkJSON(t *testing.T, f form.Form, length int) {
	t.Helper()
	text := f.JSON()
	if most := 6*length + 8*len(f) + 2; len(text) > most {
		t.Errorf("%d bytes of JSON, want at most %d", len(text), most)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	got := make(map[string][]string)
	for name, member := range members {
		switch member := member.(type) {
		case string:
			got[name] = []string{member}
		case []any:
			for _, value := range member {
				got[name] = append(got[name], value.(string))
			}
		}
	}
	if want := byName(f); !equal(got, want) {
		t.Errorf("JSON %q, want %q", got, want)
	}
}

func byName(f form.Form) map[string][]string {
	values := make(map[string][]string)
	for _, p := range f {
		values[p.Name] = append(values[p.Name], p.Value)
	}
	return values
}

func equal(a, b map[string][]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if !slices.Equal(values, b[name]) {
			return false
		}
	}
	return true
}
