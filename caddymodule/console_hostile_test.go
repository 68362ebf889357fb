package caddymodule_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// markup is a text that does harm where it is taken for HTML, in or out of an attribute
// or a script.
const markup = `"'></title></script><script>document.title='HARM';alert(1)</script><img src=x onerror=alert(2)>`

// hostile is an event of a provider of the user's own, of which every field has text
// that does harm if it is not escaped.
func hostile(id string) string {
	text := strings.Repeat("long ", 60_000) // 300 kB
	return fmt.Sprintf(`{"id":%q,"kind":%q,"subject":%[2]q,"key":%[2]q,"n":1e400,"half":"\ud800","turn":"a\u202eb","raw":"`+"\u202e\u0085"+`",`+
		`"twice":1,"twice":2,"deep":%s1%s,"text":%q}`,
		id+markup, markup, strings.Repeat("[", 50), strings.Repeat("]", 50), text)
}

// TestConsoleHostileEvent shows an event whose every field is markup, longer than what
// fits on a page, and changes the direction of text.
func TestConsoleHostileEvent(t *testing.T) {
	b := startBrowser(t)
	secret := secretIn(t, "SECRET")
	app := startApplication(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(500)
		fmt.Fprint(w, markup)
	})
	start(t, fmt.Sprintf(`
	handle_path /console/* {
		vars http.auth.user.id `+"`ana "+`<script>alert(3)</script>`+"`"+`
		webhooks_console
	}
	handle {
		webhooks odd {
			secret {env.SECRET}
			destination app {
				attempts 1
				to {
					%s
				}
			}
		}
	}
	`, app.proxy()), ownQueue(t, `provider odd {
			verify hmac sha256 {
				signature header X-Acme-Signature
				encoding hex
			}
			id id
			type kind {
				never never.happens
			}
			field conversation.id key
		}`))
	body := []byte(hostile("1"))
	wantStatus(t, 200, "/"+strings.Repeat("x", 100)+"?q=<script>", body, "X-Acme-Signature", hexMAC(secret, body), "X-Odd", markup)
	wantStatus(t, 401, "/<script>alert(4)</script>", body, "X-Acme-Signature", "no", "X-"+strings.Repeat("h", 300), "1")
	waitFor(t, func() bool { return gauge(t, "dead_letters", "app") == 1 })

	p := b.tab(t)
	p.width(390)
	p.open(consoleURL + "dead")
	event := evaluate[string](p, `document.querySelector("#letters tbody th a").getAttribute("href")`)
	for _, path := range []string{"", "events", strings.TrimPrefix(event, "./"), "dead", "refusals", "events?type=" + "%3Cscript%3E", "events?subject=" + "%22%3E%3Cscript%3E", "dead?destination=app&cause=%3Cscript%3Ealert(5)%3C/script%3E"} {
		p.open(consoleURL + path)
		if title := evaluate[string](p, "document.title"); strings.HasPrefix(title, "HARM") || !strings.HasSuffix(title, "Webhooks") {
			t.Errorf("%s: title %q", path, title)
		}
		if n := evaluate[int](p, `document.querySelectorAll("img, script:not([src]), body script, iframe, [onerror]").length`); n != 0 {
			t.Errorf("%s: %d elements come from the event", path, n)
		}
		if got := evaluate[int](p, "document.documentElement.scrollWidth"); got > 390 {
			t.Errorf("%s: %d pixels wide", path, got)
		}
		if strings.ContainsAny(evaluate[string](p, "document.body.innerText"), "\u202e\u0085") {
			t.Errorf("%s: characters that turn the text around", path)
		}
	}
	p.open(consoleURL + strings.TrimPrefix(event, "./"))
	for selector, text := range map[string]string{
		"h1": markup, ".body:last-of-type pre": `"n": 1e400`, ".timeline pre": "<script>", ".body .notice": "This is the beginning.", ".who": "<script>",
	} {
		if got := p.text(selector); !strings.Contains(got, text) {
			t.Errorf("%s has no %s: %.300s", selector, text, got)
		}
	}
	original := p.text(".body:last-of-type pre")
	for _, text := range []string{`"half": "\ud800"`, `"turn": "a\u202eb"`, "U+202E", "U+0085", "\"twice\": 1,\n  \"twice\": 2"} {
		if !strings.Contains(original, text) {
			t.Errorf("the original has no %s: %.2000s", text, original)
		}
	}
	if got := visit(t, http.MethodGet, consoleURL+strings.TrimPrefix(event, "./")+"/original"); got.body != string(body) {
		t.Errorf("the whole original has %d bytes, want %d", len(got.body), len(body))
	}
}
