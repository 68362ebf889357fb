package provider_test

import (
	"slices"
	"testing"
)

// TestUnsigned shows what of an event's identity a provider's signature does not cover.
func TestUnsigned(t *testing.T) {
	const body = "verify hmac sha256 {\nsignature header X-Sig\n"
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
