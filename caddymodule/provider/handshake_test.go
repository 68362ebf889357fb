package provider_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// handshakeOf compiles the only handshake of these lines.
func handshakeOf(t *testing.T, lines string) *provider.Responder {
	t.Helper()
	p := compile(t, acme(lines+"\ntype type"))
	var all []*provider.Responder
	for _, method := range p.Methods() {
		all = append(all, p.Handshakes(method)...)
	}
	if len(all) != 1 {
		t.Fatalf("%d handshakes", len(all))
	}
	return all[0]
}

// posted returns a POST of a body.
func posted(body string) *verify.Request {
	return &verify.Request{
		Method: http.MethodPost, URI: "/hook?a=1", URL: "https://example.com/hook?a=1", Query: "a=1",
		Header: http.Header{}, Body: []byte(body),
		JSON: func() (string, bool) { return body, gjson.Valid(body) },
	}
}

// TestHandshakeConditions shows when a POST meets a condition.
func TestHandshakeConditions(t *testing.T) {
	for _, test := range []struct {
		when, body string
		want       bool
	}{
		{"type is ping", `{"type":"ping"}`, true},
		{"type is ping", `{"type":"PING"}`, false},
		{"type is ping", `{"a":{"type":"ping"}}`, false},
		{"type is ping", `{"type":null}`, false},
		{"type is ping", `{}`, false},
		{"type is a ping", `{"type":"ping"}`, true},
		{"type is p*g", `{"type":"ping"}`, true},
		{"type is 1", `{"type":1}`, true},
		{"type is 1", `{"type":"1"}`, true},
		{"type is true", `{"type":true}`, true},
		{"type is true", `{"type":false}`, false},
		{"type is *", `{"type":""}`, false},
		{"type is *", `{"type":{"a":1}}`, true},
		{"type is *", `{"type":{}}`, false},
		{"type is p*", `{"type":{"a":1}}`, false},
		{"a.b is c", `{"a":{"b":"c"}}`, true},
		{"type is not ping", `{"type":"event"}`, true},
		{"type is not ping", `{"type":"ping"}`, false},
		{"type is not ping test", `{"type":"test"}`, false},
		{"type is not ping", `{}`, true},
		{"type is not *", `{}`, true},
		{"type is not *", `{"type":"ping"}`, false},
		{"type is not ping", `type=event`, false}, // not JSON
		{"type is ping", ``, false},
		{"header X-Kind is ping", ``, true},
		{"header x-kind is ping", ``, true},
		{"header X-Kind is not ping", ``, false},
		{"header X-Other is *", ``, false},
		{"header X-Other is not *", ``, true},
		{"header X-Twice is *", ``, false},
		{"query a is 1", ``, true},
		{"query b is *", ``, false},
		{"query b is not *", ``, true},
		{"type is ping\nwhen query a is 1", `{"type":"ping"}`, true},
		{"type is ping\nwhen query a is 2", `{"type":"ping"}`, false},
	} {
		t.Run(test.when+" "+test.body, func(t *testing.T) {
			r := posted(test.body)
			r.Header["X-Kind"], r.Header["X-Twice"] = []string{"ping"}, []string{"a", "b"}
			_, ok := handshakeOf(t, "verify basic\nhandshake {\nwhen "+test.when+"\n}").Answer(r, nil)
			if ok != test.want {
				t.Errorf("%v, want %v", ok, test.want)
			}
		})
	}
}

// TestHandshakeAnswers shows what is answered, and that a request which lacks a part of
// it is not a handshake.
func TestHandshakeAnswers(t *testing.T) {
	const when = "\nwhen type is *\n"
	const text, json = "text/plain; charset=utf-8", "application/json"
	for _, test := range []struct {
		name, block, body string
		want              *provider.Answer
	}{
		{"echo", "answer $body(challenge)", `{"challenge":"3eZ"}`, &provider.Answer{Status: 200, Text: "3eZ", ContentType: text}},
		{"echo of escapes", "answer $body(challenge)", `{"challenge":"\u00e9\n"}`, &provider.Answer{Status: 200, Text: "é\n", ContentType: text}},
		{"echo of a number", "answer $body(a.b)", `{"a":{"b":7}}`, &provider.Answer{Status: 200, Text: "7", ContentType: text}},
		{"nothing to echo", "answer $body(challenge)", `{}`, nil},
		{"an empty text", "answer $body(challenge)", `{"challenge":""}`, nil},
		{"null", "answer $body(challenge)", `{"challenge":null}`, nil},
		{"an object", "answer $body(challenge)", `{"challenge":{"a":1}}`, nil},
		{"an array", "answer $body(challenge)", `{"challenge":["a"]}`, nil},
		{"not JSON", "answer $body(challenge)", `challenge=a`, nil},
		{"nothing", when, `{"type":0}`, &provider.Answer{Status: 200}},
		{"status", when + "status 204", `{"type":0}`, &provider.Answer{Status: 204}},
		{"constant", when + "status 201\nanswer `{\"type\":1}` as application/json", `{"type":1}`, &provider.Answer{Status: 201, Text: `{"type":1}`, ContentType: json}},
		{"JSON", "answer `{\"c\":$json($body(c))}` as application/json", `{"c":"\"}<"}`, &provider.Answer{Status: 200, Text: `{"c":"\"}<"}`, ContentType: json}},
		{"parts", when + `answer "$method $uri $url $query(a)"`, `{"type":1}`, &provider.Answer{Status: 200, Text: "POST /hook?a=1 https://example.com/hook?a=1 1", ContentType: text}},
		{"no parameter", when + "answer $query(b)", `{"type":1}`, nil},
		{"headers", "header X-B $header(X-Secret)\nheader x-a 1", ``, &provider.Answer{Status: 200, Header: http.Header{"X-A": {"1"}, "X-B": {"s3cret"}}}},
		{"a header in two lines", "header X-B $body(a)", `{"a":"b\r\nSet-Cookie: c"}`, nil},
		{"no header", "header X-B $header(X-Other)", ``, nil},
		{"a header that is there twice", "header X-B $header(X-Twice)", ``, nil},
		{"a long header", "header X-B $body(a)", `{"a":"` + strings.Repeat("a", 1025) + `"}`, nil},
		{"a long answer", "answer $body(a)", `{"a":"` + strings.Repeat("a", 64<<10+1) + `"}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := posted(test.body)
			r.Header["X-Secret"], r.Header["X-Twice"] = []string{"s3cret"}, []string{"a", "b"}
			got, ok := handshakeOf(t, "verify basic\nhandshake {\n"+test.block+"\n}").Answer(r, nil)
			if ok != (test.want != nil) {
				t.Fatalf("%v, %+v", ok, got)
			}
			if ok && (got.Status != test.want.Status || got.Text != test.want.Text || got.ContentType != test.want.ContentType ||
				!maps.EqualFunc(got.Header, test.want.Header, slices.Equal)) {
				t.Errorf("got %+v, want %+v", got, *test.want)
			}
		})
	}
}

// TestUnprovedAnswerIsShort shows that a request which nobody proved is answered with at
// most 1 KiB, text and headers together.
func TestUnprovedAnswerIsShort(t *testing.T) {
	h := handshakeOf(t, "verify basic\nhandshake unproved {\nwhen a is *\nheader X-A $body(a)\nanswer $body(b)\n}")
	for _, test := range []struct {
		header, text int
		want         bool
	}{{1, 1023, true}, {1, 1024, false}, {1023, 1, true}, {512, 513, false}, {1, 5000, false}} {
		body := `{"a":"` + strings.Repeat("a", test.header) + `","b":"` + strings.Repeat("b", test.text) + `"}`
		if _, ok := h.Answer(posted(body), nil); ok != test.want {
			t.Errorf("%d bytes of header and %d of text: %v, want %v", test.header, test.text, ok, test.want)
		}
	}
}

// TestHandshakeMAC shows what $hmac signs.
func TestHandshakeMAC(t *testing.T) {
	h := handshakeOf(t, "verify hmac sha256 {\nsignature header X-Sig\n}\nhandshake {\nwhen event is validate\nanswer $hex($hmac($body(token)))\n}")
	sign := func(text []byte) ([]byte, bool) { return append([]byte("mac of "), text...), true }
	body := func(token string) *verify.Request { return posted(`{"event":"validate","token":"` + token + `"}`) }
	if got, ok := h.Answer(body("abc"), sign); !ok || got.Text != "6d6163206f6620616263" {
		t.Errorf("%q, %v", got.Text, ok)
	}
	if _, ok := h.Answer(body(strings.Repeat("a", 256)), sign); !ok {
		t.Error("256 bytes are not signed")
	}
	for name, signed := range map[string]bool{
		"too long":  func() bool { _, ok := h.Answer(body(strings.Repeat("a", 257)), sign); return ok }(),
		"no text":   func() bool { _, ok := h.Answer(posted(`{"event":"validate"}`), sign); return ok }(),
		"no secret": func() bool { _, ok := h.Answer(body("abc"), nil); return ok }(),
	} {
		if signed {
			t.Errorf("%s: signed", name)
		}
	}
}

// TestHandshakeQuery shows the challenge of a GET.
func TestHandshakeQuery(t *testing.T) {
	h := handshakeOf(t, "verify basic\nhandshake GET {\ntoken query hub.verify_token\nanswer $query(hub.challenge)\n}")
	for _, test := range []struct {
		name, query string
		want        string // "" = no challenge
	}{
		{"present", "hub.challenge=1158201444&hub.verify_token=x", "1158201444"},
		{"unescaped as a form is", "hub.challenge=a+b%26%3Cscript%3E", "a b&<script>"},
		{"no query", "", ""},
		{"missing", "hub.verify_token=x", ""},
		{"empty", "hub.challenge=", ""},
		{"doubled", "hub.challenge=1&hub.challenge=2", ""},
		{"another name", "hubxchallenge=1", ""},
		{"cannot be unescaped", "hub.challenge=%zz", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &verify.Request{Method: http.MethodGet, Query: test.query}
			got, ok := h.Answer(r, nil)
			if got.Text != test.want || ok != (test.want != "") {
				t.Errorf("%q, %v; want %q", got.Text, ok, test.want)
			}
		})
	}
}

// TestChallenge shows which handshake a subscription tries.
func TestChallenge(t *testing.T) {
	const get = "verify basic\nhandshake GET {\ntoken query t\nanswer "
	for lines, want := range map[string]bool{
		get + "$query(c)\n}":                            true,
		get + "$query(c)\nwhen query mode is x\n}":      false,
		get + "ok\n}":                                   false,
		"verify basic\nhandshake HEAD unproved":         false,
		"verify basic\nhandshake {\nanswer $body(c)\n}": false,
	} {
		parameter, token, ok := compile(t, acme(lines+"\ntype type")).Challenge()
		if ok != want || ok && (parameter != "c" || token != "t") {
			t.Errorf("%s: %q, %q, %v", oneLine(lines), parameter, token, ok)
		}
	}
}

// TestMethods lists the methods for the header Allow.
func TestMethods(t *testing.T) {
	for lines, want := range map[string]string{
		"":                        "POST",
		"handshake empty":         "POST",
		"handshake HEAD unproved": "HEAD POST",
		"handshake HEAD unproved\nhandshake GET {\ntoken query t\n}\nhandshake {\nwhen a is b\n}": "GET HEAD POST",
	} {
		if got := strings.Join(compile(t, acme("verify basic\n"+lines+"\ntype type")).Methods(), " "); got != want {
			t.Errorf("%s: %s, want %s", oneLine(lines), got, want)
		}
	}
}

// TestHandshakeText shows how a handshake is described.
func TestHandshakeText(t *testing.T) {
	for block, want := range map[string]string{
		"empty":         "a POST without events is acknowledged",
		"HEAD unproved": "an unproved HEAD is answered with 200",
		"GET {\nwhen query mode is subscribe\ntoken query t\nanswer $query(c)\n}": "a GET in which query mode is subscribe and query t is the token is answered with 200, $query(c)",
		"{\nwhen a is not b c\nwhen header X-A is *\nstatus 204\nheader X-B d\n}": "a POST in which a is not b c and header X-A is * is answered with 204, header X-B d",
	} {
		p := compile(t, acme("verify basic\nhandshake "+block+"\ntype type"))
		if got := p.Spec().Handshakes[0].String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
