package form_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/form"
)

// multipartType is the Content-Type of the multipart bodies of these tests.
const multipartType = "multipart/form-data; boundary=X"

// parts returns a multipart body. Each part is its header and its value, with a `|`
// between them.
func parts(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		header, value, _ := strings.Cut(part, "|")
		fmt.Fprintf(&b, "--X\r\n%s\r\n\r\n%s\r\n", header, value)
	}
	return b.String() + "--X--\r\n"
}

// field returns the header of a parameter.
func field(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }

// TestParse shows what becomes of a body.
func TestParse(t *testing.T) {
	var (
		a1, b2 = field("a") + "|1", field("b") + "|2"
		file   = field("f") + `; filename="f.txt"` + "\r\nContent-Type: text/plain|content"
	)
	for _, test := range []struct{ name, contentType, body, want string }{
		{"order", form.URLEncoded, "b=2&a=1&c=3", `{"b":"2","a":"1","c":"3"}`},
		{"nothing", form.URLEncoded, "", `{}`},
		{"no value", form.URLEncoded, "a&b=", `{"a":"","b":""}`},
		{"no name", form.URLEncoded, "=1", `{"":"1"}`},
		{"nothing between", form.URLEncoded, "&a=1&&b=2&", `{"a":"1","b":"2"}`},
		{"equals sign", form.URLEncoded, "a=b=c", `{"a":"b=c"}`},
		{"semicolon", form.URLEncoded, "a=1;b=2", `{"a":"1;b=2"}`},
		{"escapes", form.URLEncoded, "a+b=c+d%26%3D%2b%c3%A9", `{"a b":"c d&=+é"}`},
		{"raw UTF-8", form.URLEncoded, "a=é", `{"a":"é"}`},
		{"repeated", form.URLEncoded, "a=1&b=2&a=3&a=1", `{"a":["1","3","1"],"b":"2"}`},
		{"JSON escapes", form.URLEncoded, `%22=%5C%0A%0D%09%00%1f%7F</&%E2%80%A8=1`, "{\"\\\"\":\"\\\\\\n\\r\\t\\u0000\\u001f\x7f</\",\"\u2028\":\"1\"}"},
		{"charset", form.URLEncoded + "; charset=UTF-8", "a=1", `{"a":"1"}`},
		{"type in another case", "Application/X-WWW-Form-Urlencoded ;charset=utf-8", "a=1", `{"a":"1"}`},

		{"parts", multipartType, parts(b2, a1), `{"b":"2","a":"1"}`},
		{"no parts", multipartType, parts(), `{}`},
		{"lines in a part", multipartType, parts(field("a") + "|x\r\ny--X"), `{"a":"x\r\ny--X"}`},
		{"repeated parts", multipartType, parts(a1, b2, a1), `{"a":["1","1"],"b":"2"}`},
		{"a file is left out", multipartType, parts(a1, file, b2), `{"a":"1","b":"2"}`},
		{"no file was chosen", multipartType, parts(field("f") + `; filename=""|`), `{"f":""}`},
		{"JSON in a part", multipartType, parts(field("json") + "\r\nContent-Type: application/json|" + `{"a":1}`), `{"json":"{\"a\":1}"}`},
		{"lines before", multipartType, "\r\n\r\n" + parts(a1), `{"a":"1"}`},
		{"spaces after the boundary", multipartType, strings.Replace(parts(a1), "--X\r", "--X \t\r", 1), `{"a":"1"}`},
		{"text after", multipartType, parts(a1) + "after", `{"a":"1"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := form.Parse(test.contentType, []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := f.JSON(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestBroken shows which bodies are refused, and why. No error holds a part of the body.
func TestBroken(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, want string }{
		{"another type", "application/json", "{}", "not a form"},
		{"no type", "", "a=1", "not a form"},
		{"escape", form.URLEncoded, "a=s3cret%zz", "a % without"},
		{"escape in a name", form.URLEncoded, "s3cret%=1", "a % without"},
		{"JSON", form.URLEncoded, `{"a":"s3cret"}`, "looks like JSON"},
		{"an array", form.URLEncoded, ` ["s3cret"]`, "looks like JSON"},
		{"a line feed", form.URLEncoded, "s3cret=1\n", "byte 9 is a control character"},
		{"a part", form.URLEncoded, parts(field("a") + "|s3cret"), "is a control character"},
		{"not UTF-8", form.URLEncoded, "a=s3cret%ff", "not UTF-8"},
		{"raw bytes", form.URLEncoded, "a=s3cret\xff", "not UTF-8"},
		{"a name that is not UTF-8", form.URLEncoded, "s3cret%ff=a", "not UTF-8"},
		{"half a surrogate", form.URLEncoded, "a=s3cret%ed%a0%80", "not UTF-8"},
		{"no boundary", "multipart/form-data", parts(), "no boundary"},
		{"a malformed boundary", "multipart/form-data; boundary=\"", parts(), "no boundary"},
		{"another boundary", "multipart/form-data; boundary=Y", parts(field("a") + "|s3cret"), "cut short"},
		{"text before", multipartType, "s3cret\r\n" + parts(field("a")+"|1"), "does not begin with the boundary"},
		{"a boundary in a part", "multipart/form-data; boundary=Y", parts(field("a") + "|" + strings.ReplaceAll(parts(field("b")+"|s3cret"), "--X", "--Y")), "does not begin with the boundary"},
		{"the beginning of the boundary", multipartType, strings.Replace(parts(field("a")+"|s3cret\r\n"+parts(field("b")+"|1")), "--X", "--XY", 1), "does not begin with the boundary"},
		{"an empty body", multipartType, "", "cut short"},
		{"a boundary alone", multipartType, "--X\r\n", "cut short"},
		{"cut short", multipartType, "--X\r\n" + field("a") + "\r\n\r\ns3cret", "cut short"},
		{"cut short after a part", multipartType, strings.TrimSuffix(parts(field("a")+"|s3cret"), "--X--\r\n"), "cut short"},
		{"a malformed header", multipartType, "--X\r\ns3cret\r\n\r\n1\r\n--X--\r\n", "cut short, or malformed"},
		{"a part without a name", multipartType, parts("Content-Type: text/plain|s3cret"), "has no name"},
		{"another disposition", multipartType, parts(`Content-Disposition: attachment; name="a"|s3cret`), "has no name"},
		{"a part that is not UTF-8", multipartType, parts(field("a") + "|s3cret\xff"), "not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := form.Parse(test.contentType, []byte(test.body))
			if !errors.Is(err, form.ErrBroken) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestTooMany counts parameters, and files.
func TestTooMany(t *testing.T) {
	file := field("f") + `; filename="f"|`
	for name, body := range map[string]func(n int) (contentType, body string){
		"pairs": func(n int) (string, string) { return form.URLEncoded, strings.Repeat("a=1&", n) },
		"parts": func(n int) (string, string) { return multipartType, parts(slices.Repeat([]string{file}, n)...) },
	} {
		contentType, enough := body(form.MaxParameters)
		if _, err := form.Parse(contentType, []byte(enough)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		contentType, tooMany := body(form.MaxParameters + 1)
		if _, err := form.Parse(contentType, []byte(tooMany)); !errors.Is(err, form.ErrTooMany) || !errors.Is(err, form.ErrBroken) {
			t.Errorf("%s: %v, want %v", name, err, form.ErrTooMany)
		}
	}
}

// TestSigned shows the text of a signature.
func TestSigned(t *testing.T) {
	for body, want := range map[string]string{
		"":                     "",
		"To=%2B1&Body=a+b&A=":  "ABodya bTo+1",
		"a=1&B=2&_=3&%C3%A9=4": "B2_3a1é4",      // by bytes: capitals first
		"a=2&a=1&a=2&ab=0":     "a1a2ab0",       // different values of a name, sorted
		"Media1=b&Media=a":     "MediaaMedia1b", // a name before a longer one
	} {
		f, err := form.Parse(form.URLEncoded, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Signed(); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// TestGet shows that a parameter which is there twice is none.
func TestGet(t *testing.T) {
	f, err := form.Parse(form.URLEncoded, []byte("a=1&b=2&b=3&c="))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, value string
		ok, fails   bool
	}{{"a", "1", true, false}, {"b", "", true, true}, {"c", "", true, false}, {"d", "", false, false}} {
		value, ok, err := f.Get(test.name)
		if value != test.value || ok != test.ok || errors.Is(err, form.ErrBroken) != test.fails {
			t.Errorf("%s: %q, %v, %v", test.name, value, ok, err)
		}
	}
}

// TestRewrite shows that only the parameters change that should.
func TestRewrite(t *testing.T) {
	rewrite := func(p form.Parameter) (string, bool) {
		return strings.ReplaceAll(p.Value, "secret", "*"), p.Name != "token"
	}
	file := field("f") + `; filename="f.txt"|a secret in a file`
	for _, test := range []struct{ name, contentType, body, want string }{
		{"nothing", form.URLEncoded, "a=%41&&b", "a=%41&&b"},
		{"a parameter", form.URLEncoded, "a=%41&token=1&b=+&tok%65n=2", "a=%41&b=+"},
		{"a value", form.URLEncoded, "%61=x+secret%26&b=%41", "a=x+%2A%26&b=%41"},
		{"everything", form.URLEncoded, "token=1", ""},
		{"no part", multipartType, "\r\n" + parts(field("a")+"|1") + "after", "\r\n" + parts(field("a")+"|1") + "after"},
		{"parts", multipartType, parts(field("a")+"|1", field("token")+"|2", field("b")+"|secret", file), parts(field("a")+"|1", field("b")+"|*", file)},
		{"a file", multipartType, parts(field("token")+`; filename="f"|1`, field("a")+"|1"), parts(field("a") + "|1")},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := form.Rewrite(test.contentType, []byte(test.body), rewrite)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
	for contentType, body := range map[string]string{
		"application/json": "{}", form.URLEncoded: "a=%zz", multipartType: "a=1", "multipart/form-data": parts(),
		"multipart/form-data; boundary=\"" + strings.Repeat("X", 71) + "\"": "",
	} {
		if _, err := form.Rewrite(contentType, []byte(body), rewrite); !errors.Is(err, form.ErrBroken) {
			t.Errorf("%s: %v", contentType, err)
		}
	}
}

// TestMediaType shows which bodies are forms.
func TestMediaType(t *testing.T) {
	for contentType, want := range map[string]string{
		form.URLEncoded: form.URLEncoded, multipartType: form.Multipart, "MULTIPART/Form-Data; boundary=a": form.Multipart,
		"": "", "application/json": "", "text/plain": "", "multipart/mixed; boundary=a": "", "application/x-www-form-urlencoded2": "",
	} {
		if got := form.MediaType(contentType); got != want {
			t.Errorf("%q: %q, want %q", contentType, got, want)
		}
	}
}
