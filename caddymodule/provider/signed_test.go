package provider_test

import (
	"slices"
	"strings"
	"testing"
)

// TestUnsigned shows what of an event's identity a provider's signature does not cover.
func TestUnsigned(t *testing.T) {
	const body = "verify hmac sha256 {\nsignature header X-Sig\n"
	const inBody = "verify hmac sha256 {\nsignature body meta.mac\ncontent $timestamp$body(meta.nonce)\ntimestamp body meta.time\n"
	const inEach = "verify hmac sha256 {\neach items.#.item\nsignature body mac\ncontent $body(ref):$body(code)\n"
	const token = "verify jwt hs256 {\nfrom bearer\n"
	for _, test := range []struct {
		lines string
		want  []string
	}{
		{body + "}\nid id\ntype type", nil},
		{body + "}\nid header X-Id\ntype type", []string{"$header(X-Id)"}},
		{body + "}\nid id $header(x-id)\ntype $query(t).$method.$body(a)", []string{"$header(X-Id)", "$query(t)", "$method"}},
		{body + "}\nid id\nkey id $hex($sha256($header(X-Id)))\ntype type", []string{"$header(X-Id)"}},
		{body + "}\nid id\ntype type\ntime header X-Time\nfield a header X-A", nil},
		{body + "content $header(X-Id).$body\n}\nid header X-Id\ntype header X-Type", []string{"$header(X-Type)"}},
		{body + "content $query(a)$body\n}\nid $query(a)$query(b)\ntype type", []string{"$query(b)"}},
		{body + "content $uri$body\n}\nid $query(a)\ntype $uri", nil},
		{body + "content $url$body\n}\nid $query(a)\ntype $uri", []string{"$uri"}},
		{body + "content $timestamp.$body\ntimestamp header X-Time\n}\nid header X-Time\ntype type", nil},

		// A signature in the body covers only what it names.
		{inBody + "}\nid id\ntype type", []string{"$body(id)", "$body(type)"}},
		{inBody + "}\nid meta.nonce\ntype $body(meta.nonce).$body(a)", []string{"$body(a)"}},
		{inBody + "}\nid meta.nonce\ntype has a b", []string{"$body(a)", "$body(b)"}},
		{inBody + "}\nid meta.nonce\nkey $body(meta.time)$body(meta.nonce)\ntype always acme.event", nil},
		{inBody + "}\nevents list\nid meta.nonce\ntype always acme.event", []string{"$body(meta.nonce)"}},
		{inEach + "}\nevents items.#.item\nid $body(ref)/$body(code)\ntype code", nil},
		{inEach + "}\nevents items.#.item\nid $body(ref)/$body(..ref)\ntype kind", []string{"$body(..ref)", "$body(kind)"}},

		// Of the URL, its signed hash covers the body.
		{body + "content $url\nbody_hash query hash\n}\nid id\ntype $query(t)", nil},
		{body + "content $url$form\nbody_hash query hash\n}\nform\nid id $header(X-Id)\ntype type", []string{"$header(X-Id)"}},

		// A token covers what its claims name.
		{token + "claim body_hash $hex($sha256($body))\n}\nid id\ntype $query(t)", []string{"$query(t)"}},
		{token + "claim url_hash $hex($sha256($url))\n}\nid id\ntype $query(t)", []string{"$body(id)"}},
		{token + "claim iss Acme\n}\nid header X-Id\ntype type", nil},
		{token + "}\nid header X-Id\ntype type", nil},

		{"verify token {\nfrom bearer\n}\nid header X-Id\ntype type", nil},
		{"verify basic\nid header X-Id\ntype type", nil},
	} {
		t.Run(oneLine(test.lines), func(t *testing.T) {
			if got := compile(t, acme(test.lines)).Unsigned(); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestKeys shows the parts of the key, with the hash that is added to what is unsigned.
func TestKeys(t *testing.T) {
	const verify = "verify hmac sha256 {\nsignature header X-Sig\n}\ntype type\n"
	for lines, want := range map[string]string{
		"":                            "hash",
		"id id":                       "id",
		"id id\nkey type id":          "type id",
		"id header X-Id":              "id hash",
		"id header X-Id\nkey id hash": "id hash",
		"key $header(X-Id) type":      "$header(X-Id) type hash",
	} {
		if got := strings.Join(compile(t, acme(verify+lines)).Keys(), " "); got != want {
			t.Errorf("%s: got %s, want %s", oneLine(lines), got, want)
		}
	}
}
