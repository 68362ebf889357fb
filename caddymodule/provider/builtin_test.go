package provider_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// groups are the headings of the built-in providers.
var groups = []string{
	"Chat and support",
	"Channels",
	"Commerce and payments",
	"Development",
	"Forms, calendars and signing",
	"Mail, media and identity",
}

// undocumented are the providers that publish no page about their webhooks.
var undocumented = []string{"oneroute"}

// TestBuiltinFiles shows that each file says what its readers look for: the group, the vendor's
// page, and where what a block needs comes from.
func TestBuiltinFiles(t *testing.T) {
	for _, name := range provider.Builtin() {
		p := get(t, name)
		spec := p.Spec()
		if !slices.Contains(groups, spec.Group) {
			t.Errorf("%s: group %q; use one of %q", name, spec.Group, groups)
		}
		docs, err := url.Parse(spec.Docs)
		isPage := err == nil && docs.Scheme == "https" && docs.Host != ""
		if isPage == slices.Contains(undocumented, name) {
			t.Errorf("%s: docs %q", name, spec.Docs)
		}
		words := strings.Split(p.Needs().String(), " and ")
		if signsURL(spec.Verify) {
			words = append(words, "`url`")
		}
		for _, word := range words {
			if !strings.Contains(spec.Note, word) {
				t.Errorf("%s: the note does not say where %s comes from", name, word)
			}
		}
	}
}

// signsURL reports whether a proof covers the public URL.
func signsURL(v provider.Verify) bool {
	if v.Signature != nil && strings.Contains(v.Signature.Content, "$url") {
		return true
	}
	return v.JWT != nil && slices.ContainsFunc(v.JWT.Claims, func(c verify.Claim) bool { return strings.Contains(c.Value, "$url") })
}
