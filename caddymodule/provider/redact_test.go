package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestRedact removes members with the right comma, and keeps every other byte.
func TestRedact(t *testing.T) {
	for _, test := range []struct{ name, paths, event, want string }{
		{"only", "s", `{"s":1}`, `{}`},
		{"only, with space", "s", `{ "s" : 1 }`, `{  }`},
		{"first", "s", `{"s":1,"a":2,"b":3}`, `{"a":2,"b":3}`},
		{"middle", "s", `{"a":2,"s":1,"b":3}`, `{"a":2,"b":3}`},
		{"last", "s", `{"a":2,"b":3,"s":1}`, `{"a":2,"b":3}`},
		{"two first", "s t", `{"s":1,"t":2,"a":3}`, `{"a":3}`},
		{"two in the middle", "s t", `{"a":3,"s":1,"t":2,"b":4}`, `{"a":3,"b":4}`},
		{"two last", "s t", `{"a":3,"t":2,"s":1}`, `{"a":3}`},
		{"first and last", "s t", `{"s":1,"a":3,"t":2}`, `{"a":3}`},
		{"every second", "s t", `{"s":1,"a":3,"t":2,"b":4}`, `{"a":3,"b":4}`},
		{"every other second", "s t", `{"a":3,"s":1,"b":4,"t":2}`, `{"a":3,"b":4}`},
		{"all", "s t u", `{"s":1,"t":2,"u":3}`, `{}`},
		{"none", "s t", `{"a":1,"b":{"s":1}}`, `{"a":1,"b":{"s":1}}`},
		{"nothing to redact", "", `{"s":1}`, `{"s":1}`},
		{"white space stays", "s t", "{\r\n\t\"a\" : 1 ,\n\t\"s\" : 2 ,\n\t\"b\" : 3 ,\n\t\"t\" : 4\n}", "{\r\n\t\"a\" : 1 ,\n\t\"b\" : 3\n}"},
		{"white space before the first that stays", "s", "{\n  \"s\": 1,\n  \"a\": 2\n}", "{\n  \"a\": 2\n}"},

		{"any value", "s", `{"a":1,"s":{"t":[1,{"s":"}],\""}]},"b":2}`, `{"a":1,"b":2}`},
		{"null", "s", `{"s":null,"a":1}`, `{"a":1}`},
		{"text with brackets and escapes", "s", `{"s":"},{\"s\":\\","a":"\\\"s\":1"}`, `{"a":"\\\"s\":1"}`},
		{"what looks like it in a text", "s", `{"a":"\"s\":1","b":["s"]}`, `{"a":"\"s\":1","b":["s"]}`},
		{"numbers and escapes stay as they are", "s", `{"a":1.0E+02,"s":1,"\u0062":"\/\ud800é"}`, `{"a":1.0E+02,"\u0062":"\/\ud800é"}`},

		{"duplicates all go", "s", `{"s":1,"a":2,"s":3,"s":4,"b":5,"s":6}`, `{"a":2,"b":5}`},
		{"only duplicates", "s", `{"s":1,"s":2}`, `{}`},
		{"escaped spelling", "credentials", `{"creden\u0074ials":1,"a":2,"\u0063redentials":3,"credentials":4}`, `{"a":2}`},
		{"another case is another name", "s", `{"S":1}`, `{"S":1}`},
		{"name with a dot", `s\.t`, `{"s.t":1,"s":{"t":2}}`, `{"s":{"t":2}}`},
		{"name with a quote", "`s\"`", `{"s\"":1,"\u0073\u0022":2,"s":3}`, `{"s":3}`},
		{"name with a number sign", `"\#"`, `{"#":1,"a":[{"#":2}]}`, `{"a":[{"#":2}]}`},
		{"below a name with a number sign", `a.\#.s`, `{"a":{"#":{"s":1}},"a":[{"s":2}]}`, `{"a":{"#":{}},"a":[{"s":2}]}`},
		{"elements, then a name with a number sign", `a.#.s a.\#`, `{"a":[{"s":1}],"a":{"#":{"s":2},"b":3}}`, `{"a":[{}],"a":{"b":3}}`},
		{"a name with a number sign, then elements", `a.\# a.#.s`, `{"a":[{"s":1}],"a":{"#":{"s":2},"b":3}}`, `{"a":[{}],"a":{"b":3}}`},
		{"name that is a number", `\1 a.\0`, `{"1":1,"a":["x",{"0":2}],"b":[1,2]}`, `{"a":["x",{"0":2}],"b":[1,2]}`},
		{"name beyond ASCII", "zażółć", `{"za\u017c\u00f3\u0142\u0107":1,"zażółć":2}`, `{}`},
		{"name beyond the first plane", "🎉", `{"\ud83c\udf89":1,"🎉":2,"a":3}`, `{"a":3}`},

		{"nested", "a.s", `{"a":{"s":1,"b":2},"s":3}`, `{"a":{"b":2},"s":3}`},
		{"deeply nested", "a.b.c.s", `{"a":{"b":{"c":{"s":1},"s":2}}}`, `{"a":{"b":{"c":{},"s":2}}}`},
		{"in duplicate parents", "a.s", `{"a":{"s":1},"b":0,"\u0061":{"s":2,"c":3},"a":[{"s":4}],"a":"s"}`, `{"a":{},"b":0,"\u0061":{"c":3},"a":[{"s":4}],"a":"s"}`},
		{"siblings of one parent", "a.s a.t b.s", `{"a":{"s":1,"t":2,"u":3},"b":{"s":1,"t":2}}`, `{"a":{"u":3},"b":{"t":2}}`},
		{"parent that is not an object", "a.s", `{"a":"s"}`, `{"a":"s"}`},
		{"nested beside what goes", "a.s b", `{"b":1,"a":{"s":1},"b":2}`, `{"a":{}}`},
		{"nested before what goes", "a.s b", `{"a":{"c":1,"s":1},"b":2}`, `{"a":{"c":1}}`},
		{"parent and child", "a a.s", `{"a":{"s":1},"b":2}`, `{"b":2}`},
		{"child and parent", "a.s a", `{"a":{"s":1},"b":2}`, `{"b":2}`},
		{"same twice", "s s", `{"s":1}`, `{}`},

		{"elements of an array", "a.#.s", `{"a":[{"s":1},{"b":2,"s":3},{"s":4,"c":5},[{"s":6}],"s",null],"s":7}`, `{"a":[{},{"b":2},{"c":5},[{"s":6}],"s",null],"s":7}`},
		{"elements of no array", "a.#.s", `{"a":{"s":1,"#":{"s":2}}}`, `{"a":{"s":1,"#":{"s":2}}}`},
		{"elements of an empty array", "a.#.s", `{"a":[ ],"b":1}`, `{"a":[ ],"b":1}`},
		{"elements of elements", "a.#.#.s", `{"a":[[{"s":1}],{"s":2},[[{"s":3}],{"s":4,"b":5}]]}`, `{"a":[[{}],{"s":2},[[{"s":3}],{"b":5}]]}`},
		{"below elements", "a.#.b.s", `{"a":[{"b":{"s":1}},{"b":{"s":2,"c":3}}]}`, `{"a":[{"b":{}},{"b":{"c":3}}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := basics
			if test.paths != "" {
				lines += "redact " + test.paths
			}
			p := compile(t, acme(lines))
			e := read(t, p, test.event, nil)
			if e.Original != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", e.Original, test.want)
			}
			if whole := p.ReadWhole(test.event, []provider.Raw{raw(test.event)}, nil); whole.Original != test.want {
				t.Errorf("of the whole body: got:\n%s\nwant:\n%s", whole.Original, test.want)
			}
			const before, after = "\r\n\t ", " \n"
			if whole := p.ReadWhole(before+test.event+after, []provider.Raw{raw(test.event)}, nil); whole.Original != before+test.want+after {
				t.Errorf("of the whole body with space around: got:\n%s\nwant:\n%s", whole.Original, before+test.want+after)
			}
			if !json.Valid([]byte(e.Original)) {
				t.Error("the result is not JSON")
			}
		})
	}
}

// TestRedactBatch removes the same from each event, whether it is read alone or
// the batch passes on as a whole.
func TestRedactBatch(t *testing.T) {
	p := compile(t, acme(basics+"events data.events\nredact s a.#.s"))
	const body = ` {"s":0,"data":{"s":1,"events":[{"s":2,"b":3},{"a":[{"s":4}]}],"events":[{"s":5}]}, "data":{"events":[{"s":6}]}} `
	const want = ` {"s":0,"data":{"s":1,"events":[{"b":3},{"a":[{}]}],"events":[{}]}, "data":{"events":[{}]}} `
	events, err := p.Split(body)
	if err != nil || len(events) != 2 {
		t.Fatalf("%v, %v", events, err)
	}
	for i, want := range []string{`{"b":3}`, `{"a":[{}]}`} {
		if e := p.Read(events[i], nil); e.Original != want {
			t.Errorf("got %s, want %s", e.Original, want)
		}
	}
	if whole := p.ReadWhole(body, events, nil); whole.Original != want {
		t.Errorf("got:\n%s\nwant:\n%s", whole.Original, want)
	}

	// When the body is the array.
	array := compile(t, acme(basics+"events .\nredact s a.#.s"))
	const arrayBody = "\n" + ` [{"s":2,"b":3} , {"a":[{"s":4}]},{"b":[{"s":5}]}]`
	const arrayWant = "\n" + ` [{"b":3} , {"a":[{}]},{"b":[{"s":5}]}]`
	if events, err = array.Split(arrayBody); err != nil || len(events) != 3 {
		t.Fatalf("%v, %v", events, err)
	}
	for i, want := range []string{`{"b":3}`, `{"a":[{}]}`, `{"b":[{"s":5}]}`} {
		if e := array.Read(events[i], nil); e.Original != want {
			t.Errorf("got %s, want %s", e.Original, want)
		}
	}
	if whole := array.ReadWhole(arrayBody, events, nil); whole.Original != arrayWant {
		t.Errorf("got:\n%s\nwant:\n%s", whole.Original, arrayWant)
	}
}

// TestRedactedIsNotRead shows that what must not leave the gateway leaves it by no
// other way either.
func TestRedactedIsNotRead(t *testing.T) {
	const event = `{"a":{"s":"s3cret","b":1},"l":[{"s":"s3cret","c":2},"d"],"type":"a.b"}`
	for rule, want := range map[string]string{
		"field copy a.s":                          `{}`,
		"field copy a.s a.b":                      `{"copy":"1"}`,
		"field copy a as value":                   `{"copy":{"b":1}}`,
		"field copy a* as value":                  `{"copy":{"b":1}}`,
		"field copy a.s*":                         `{}`,
		"field copy .":                            `{}`,
		"field copy . as value":                   `{"copy":{"a":{"b":1},"l":[{"c":2},"d"],"type":"a.b"}}`,
		"field copy l.0 as value":                 `{"copy":{"c":2}}`,
		"field copy l.#.s as value":               `{}`,
		"field copy `l.#(s==\"s3cret\").c`":       `{}`,
		"list copy a {\nfield v . as value\n}":    `{"copy":[{"v":{"b":1}}]}`,
		"list copy l {\nfield v s .\n}":           `{"copy":[{"v":"d"}]}`,
		"list copy l.#.s {\nfield v .\n}":         `{}`,
		"members copy a {\nfield k .key\n}":       `{"copy":[{"k":"b"}]}`,
		"when a.s is s3cret {\nfield copy a.b\n}": `{}`,
	} {
		t.Run(oneLine(rule), func(t *testing.T) {
			if got := data(t, "redact a.s l.#.s\n"+rule, event); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}

	t.Run("what else is read", func(t *testing.T) {
		const event = `{"s":{"id":"s3cret","type":"s3cret","at":1700000000,"chat":"s3cret"},"n":1}`
		p := compile(t, acme("verify basic\nredact s\nid s.id\nkey id type\ntype s.type\ntime s.at as unix\nfield conversation.id s.chat"))
		hash := envelope.Hash(event)
		checkEvent(t, read(t, p, event, nil), provider.Event{
			Event:     envelope.Event{ID: hash, Type: "acme.unknown", Provider: "acme", Fields: []byte{}, Original: `{"n":1}`},
			DedupKey:  "\x00" + hash,
			MissingID: true,
		})
	})

	t.Run("a token", func(t *testing.T) {
		const lines = "verify token {\nfrom body token\n}\ntype type\nfield copy token\nfield all . as value\n"
		e := read(t, compile(t, acme(lines)), `{"token":"s3cret","n":1}`, nil)
		if got := string(e.Fields); got != `"all":{"n":1}` {
			t.Errorf("got %s", got)
		}
	})
}

// TestRedactToken removes the presented token where the body may hold it.
func TestRedactToken(t *testing.T) {
	const verify = "verify token {\nfrom query q\nfrom body token\nfrom body meta.secret\nfrom body a\\.b\n}\ntype type\n"
	const body = `{"token":"t","q":1,"to\u006ben":"t","a.b":"t","a":{"b":1,"token":2},"meta":{"secret":"t","n":1},"events":[{"token":"of the event"}]}`
	const want = `{"q":1,"a":{"b":1,"token":2},"meta":{"n":1},"events":[{"token":"of the event"}]}`

	single := compile(t, acme(verify))
	if e := read(t, single, body, nil); e.Original != want {
		t.Errorf("got %s, want %s", e.Original, want)
	}
	if e := single.ReadWhole(body, []provider.Raw{raw(body)}, nil); e.Original != want {
		t.Errorf("whole: got %s, want %s", e.Original, want)
	}
	if e := single.ReadWhole(" "+body, []provider.Raw{raw(" " + body)}, nil); e.Original != " "+want {
		t.Errorf("whole with space before: got %s, want %s", e.Original, want)
	}

	// In a batch the token is beside the events, and a member of that name in
	// an event is the event's.
	batch := compile(t, acme(verify+"events events"))
	if e := read(t, batch, body, nil); e.Original != `{"token":"of the event"}` {
		t.Errorf("got %s", e.Original)
	}
	for _, space := range []string{"", "\n"} {
		if e := batch.ReadWhole(space+body, []provider.Raw{raw(`{"token":"of the event"}`)}, nil); e.Original != space+want {
			t.Errorf("whole: got %s, want %s", e.Original, want)
		}
	}
}

// TestRedactSignature removes a signature that the body holds: where it does not cover the
// body, it would prove any other one.
func TestRedactSignature(t *testing.T) {
	const body = `{"sig":{"value":"s","at":1},"id":"1"}`
	p := compile(t, acme("verify hmac sha256 {\nsignature body sig.value\ncontent $body(id)\n}\ntype type\n"))
	if e := read(t, p, body, nil); e.Original != `{"sig":{"at":1},"id":"1"}` {
		t.Errorf("got %s", e.Original)
	}

	const batch = `{"items":[{"sig":"s","id":"1"},{"id":"2","sig":"s"}]}`
	const want = `{"items":[{"id":"1"},{"id":"2"}]}`
	p = compile(t, acme("verify hmac sha256 {\nsignature body sig\ncontent $body(id)\neach items\n}\nevents items\ntype type\n"))
	if e := p.ReadWhole(batch, []provider.Raw{raw(`{"sig":"s","id":"1"}`), raw(`{"id":"2","sig":"s"}`)}, nil); e.Original != want {
		t.Errorf("got %s, want %s", e.Original, want)
	}
	if e := read(t, p, `{"items":[{"sig":"s","id":"1"}]}`, nil); e.Original != `{"id":"1"}` {
		t.Errorf("got %s", e.Original)
	}
}

// TestOneRouteCredentials shows that the credentials in OneRoute's sample do not
// leave the gateway.
func TestOneRouteCredentials(t *testing.T) {
	f, err := fixtures.Get("oneroute", "newMessage")
	if err != nil {
		t.Fatal(err)
	}
	p := get(t, "oneroute")
	body := string(f.Body)
	for _, secret := range []string{`"credentials"`, `"webhookUrl"`} {
		if !strings.Contains(body, secret) {
			t.Fatalf("the sample has no %s", secret)
		}
		if e := read(t, p, body, nil); strings.Contains(e.Original, secret) || strings.Contains(string(e.Fields), secret) {
			t.Errorf("%s is in the event", secret)
		}
		if e := p.ReadWhole(body, []provider.Raw{raw(body)}, nil); strings.Contains(e.Original, secret) || !json.Valid([]byte(e.Original)) {
			t.Errorf("%s is in the body", secret)
		}
	}
}
