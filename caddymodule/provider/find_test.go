package provider_test

import (
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
)

// own are providers of a user's own, each with these basics.
func own(t testing.TB, names ...string) map[string]*provider.Provider {
	t.Helper()
	var specs []*provider.Spec
	for _, name := range names {
		spec, err := provider.Parse(name, []byte("provider "+name+" {\n"+basics+"}"))
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, spec)
	}
	compiled, err := provider.CompileAll(specs)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func TestFind(t *testing.T) {
	mine := own(t, "acme", "acme-2")
	for _, name := range append(provider.Builtin(), "acme", "acme-2") {
		p, err := provider.Find(name, mine)
		if err != nil || p.Name() != name {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if p, err := provider.Find("notifly", nil); err != nil || p.Name() != "notifly" {
		t.Errorf("without providers of one's own: %v, %v", p, err)
	}
}

// TestFindErrors shows that an unknown name gets the three closest ones, and the
// ways to see and to define more.
func TestFindErrors(t *testing.T) {
	mine := own(t, "acme", "acme-2", "acne", "zebra")
	for name, closest := range map[string]string{
		"acm":      "acme, acne or acme-2",
		"acme-3":   "acme-2, acme or acne",
		"notify":   "notifly, ",
		"onerouts": "oneroute, ",
		"zebr":     "zebra, ",
	} {
		p, err := provider.Find(name, mine)
		if p != nil || err == nil {
			t.Errorf("%s: %v", name, p)
			continue
		}
		begin := `unknown provider "` + name + `"; the closest are ` + closest
		end := `; see "caddy webhooks providers", or define it in the global options: webhooks { provider ` + name + ` { ... } }`
		if got := err.Error(); !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, end) {
			t.Errorf("got:\n%s\nwant:\n%s…%s", got, begin, end)
		} else if list := strings.TrimSuffix(strings.TrimPrefix(got, `unknown provider "`+name+`"; `), end); strings.Count(list, ",") != 1 || strings.Count(list, " or ") != 1 {
			t.Errorf("not three names: %s", list)
		}
	}
}

func TestCompileAllErrors(t *testing.T) {
	spec := func(name string) *provider.Spec {
		return &provider.Spec{Name: name, Verify: provider.Verify{Basic: true}, Type: provider.Type{Always: "a.b"}}
	}
	for want, specs := range map[string][]*provider.Spec{
		"a provider is null; remove it":                                                                   {spec("acme"), nil},
		"provider notifly is built in; give yours another name":                                           {spec("notifly")},
		"duplicate provider acme; give one of them another name":                                          {spec("acme"), spec("other"), spec("acme")},
		`provider acme: exactly one "verify" is required: hmac, ed25519, ecdsa, rsa, jwt, token or basic`: {{Name: "acme"}},
	} {
		if _, err := provider.CompileAll(specs); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestFindHidesSecrets shows that a secret in the place of a name is not in the error.
func TestFindHidesSecrets(t *testing.T) {
	for _, name := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "0123456789abcdef", "abcdef0123456789abcdef", "Notifly"} {
		_, err := provider.Find(name, nil)
		if err == nil || strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "unknown provider; the closest are ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := provider.Find("", nil); err == nil || !strings.HasPrefix(err.Error(), "the name of a provider is required; ") {
		t.Error(err)
	}
}
