package caddymodule_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// consolePassword is the password of ana in tests of the console.
const consolePassword = "a password for tests"

// asAna is a `basic_auth` that lets ana in; the hash is as weak as bcrypt allows.
const asAna = "basic_auth {\n\tana $2a$04$nhRfD9YtCAh4lLO.5a.Die8XA7qXM9HUjZhvVg9Rkf4.wFsb45SCW\n}"

// visit requests a page of the console, without following redirects.
func visit(t testing.TB, method, address string, prepare ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequest(method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		f(r)
	}
	following := client.CheckRedirect
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer func() { client.CheckRedirect = following }()
	return do(t, r)
}

func ana(r *http.Request) { r.SetBasicAuth("ana", consolePassword) }

// link matches an address in a page.
var link = regexp.MustCompile(` (?:href|src)="([^"]*)"`)

// TestConsolePlaces shows that the links of the console lead to its pages, wherever it
// is.
func TestConsolePlaces(t *testing.T) {
	for name, c := range map[string]struct{ site, place string }{
		"a site of its own": {"%s\nwebhooks_console", "/"},
		"handle_path":       {"handle_path /console/* {\n%s\nwebhooks_console\n}\nrespond 404", "/console/"},
		"handle":            {"handle /console/* {\n%s\nwebhooks_console\n}\nrespond 404", "/console/"},
		"a matcher":         {"%s\nwebhooks_console /console/*\nrespond 404", "/console/"},
		"deeper":            {"handle_path /ops/webhooks/* {\n%s\nwebhooks_console\n}\nrespond 404", "/ops/webhooks/"},
		"like a page":       {"handle_path /events/* {\n%s\nwebhooks_console\n}\nrespond 404", "/events/"},
		"route":             {"route /console/* {\nuri strip_prefix /console\n%s\nwebhooks_console\n}\nrespond 404", "/console/"},
	} {
		t.Run(name, func(t *testing.T) {
			start(t, fmt.Sprintf(c.site, asAna))
			seen := make(map[string]bool)
			next := []string{gatewayURL + c.place}
			for len(next) > 0 {
				page := next[0]
				next = next[1:]
				if seen[page] {
					continue
				}
				seen[page] = true
				a := visit(t, http.MethodGet, page, ana)
				if a.status != 200 {
					t.Fatalf("%s: %d", page, a.status)
				}
				if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
					continue
				}
				for _, match := range link.FindAllStringSubmatch(a.body, -1) {
					base, _ := url.Parse(page)
					to, err := base.Parse(html.UnescapeString(match[1]))
					if err != nil || !strings.HasPrefix(to.Path, c.place) {
						t.Errorf("%s links to %s: %v", page, match[1], err)
						continue
					}
					to.Fragment = ""
					next = append(next, to.String())
				}
			}
			for _, page := range []string{"", "events", "refusals"} {
				if !seen[gatewayURL+c.place+page] {
					t.Errorf("no page links to %q: %v", page, seen)
				}
			}
		})
	}
	// Without the slash, relative links would lead out of it.
	start(t, "handle_path /console* {\n"+asAna+"\nwebhooks_console\n}")
	for path, want := range map[string]string{
		"/console":                             "./console/",
		"/console?a=b":                         "./console/?a=b",
		"//elsewhere.example.com/../console":   "./console/",
		"/console/events/":                     "../events",
		"//elsewhere.example.com/../console//": "",
	} {
		a := visit(t, http.MethodGet, gatewayURL+path, ana)
		if got := a.header.Get("Location"); got != want || (want != "") != (a.status == http.StatusPermanentRedirect) {
			t.Errorf("%s: %d to %s, want %s", path, a.status, got, want)
		}
	}
}

// TestConsoleAuthentication shows that only those get in whom a handler before the
// console has authenticated.
func TestConsoleAuthentication(t *testing.T) {
	g := start(t, "webhooks_console\nrespond 404")
	a := visit(t, http.MethodGet, gatewayURL+"/", ana) // nobody looks at it
	if a.status != 403 || !strings.Contains(a.body, "basic_auth") || strings.Contains(a.body, "<table") {
		t.Errorf("without authentication: %d %s", a.status, a.body)
	}
	if n := len(g.logLines("`insecure`")); n != 0 {
		t.Errorf("%d warnings", n)
	}

	g.change("webhooks_console", "webhooks_console {\n\tinsecure\n}")
	if a := visit(t, http.MethodGet, gatewayURL+"/"); a.status != 200 || !strings.Contains(a.body, "no login") {
		t.Errorf("insecure: %d", a.status)
	}
	if n := len(g.logLines("`insecure`", `"logger":"http.handlers.webhooks_console"`, `"level":"warn"`)); n != 1 {
		t.Errorf("%d warnings", n)
	}

	start(t, asAna+"\nwebhooks_console")
	if a := visit(t, http.MethodGet, gatewayURL+"/"); a.status != 401 {
		t.Errorf("without a password: %d", a.status)
	}
	if a := visit(t, http.MethodGet, gatewayURL+"/", ana); a.status != 200 || !strings.Contains(a.body, ">ana<") {
		t.Errorf("with a password: %d %s", a.status, a.body)
	}
}

// TestConsoleForwardAuth is the example of the page for those whom nobody knows: the
// user is the one that the login service names, not one that the visitor names.
func TestConsoleForwardAuth(t *testing.T) {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch cookie, _ := r.Cookie("session"); {
		case cookie == nil:
			w.WriteHeader(http.StatusUnauthorized)
		case cookie.Value == "bob's":
			w.Header().Set("Remote-User", "bob")
		}
	}))
	t.Cleanup(login.Close)
	start(t, fmt.Sprintf(`
	route {
		forward_auth %s {
			uri /api/authz/forward-auth
			copy_headers Remote-User
		}
		vars http.auth.user.id {http.request.header.Remote-User}
		webhooks_console
	}`, strings.TrimPrefix(login.URL, "http://")))
	for session, want := range map[string]int{"": 401, "bob's": 200, "of nobody": 403} {
		a := visit(t, http.MethodGet, gatewayURL+"/", func(r *http.Request) {
			r.Header.Set("Remote-User", "mallory")
			if session != "" {
				r.Header.Set("Cookie", "session="+session)
			}
		})
		if a.status != want || strings.Contains(a.body, "mallory") || want == 200 && !strings.Contains(a.body, ">bob<") {
			t.Errorf("session %q: %d, want %d: %s", session, a.status, want, a.body)
		}
	}
}
