package provider_test

import "testing"

// TestReadsURL shows each place where a provider can use the public URL.
func TestReadsURL(t *testing.T) {
	const body = "verify hmac sha256 {\nsignature header X-Sig\n"
	for _, test := range []struct {
		lines string
		want  bool
	}{
		{body + "}\ntype type", false},
		{body + "content $uri$body\n}\ntype type\nid $uri", false},
		{body + "content $url$body\n}\ntype type", true},
		{body + "content $hex($sha256($url))$body\n}\ntype type", true},
		{"verify jwt hs256 {\nfrom bearer\nclaim url $url\n}\ntype type", true},
		{body + "}\ntype type\nid $url$body(id)", true},
		{body + "}\ntype type\nfield a $url", true},
		{body + "}\ntype type\nhandshake {\nwhen a is b\nanswer $url\n}", true},
		{body + "}\ntype type\nhandshake GET unproved {\nheader X-URL $url\n}", true},
		{"verify basic\ntype type", false},
	} {
		if got := compile(t, acme(test.lines)).ReadsURL(); got != test.want {
			t.Errorf("%s: %t", oneLine(test.lines), got)
		}
	}
}
