package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestHandshakes shows every handshake, and that none is forwarded.
func TestHandshakes(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	webhooks /chatbot chatbot {
		token {env.SECRET}
		basic_auth user {env.SECRET}
		header X-Static {env.SECRET}
	}
	webhooks /open wotnot {
		unverified
		source /open
	}
	%s
	`, app.proxy()))
	for name, body := range map[string]string{
		"no events": `{"hello":"there"}`, "empty events": `{"events":[]}`, "null events": `{"events":null}`,
		"empty": ``, "form": `token=x`, "with token": `{"token":"` + secret + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{"Authorization", secret}
			if strings.Contains(body, secret) {
				headers = nil
			}
			a := wantStatus(t, 200, "/wotnot", []byte(body), headers...)
			if a.body != secret || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", a.header)
			}
			// Nobody gets a token that he does not know.
			if a := wantStatus(t, 401, "/wotnot", []byte(strings.ReplaceAll(body, secret, "guess"))); strings.Contains(a.body, secret) {
				t.Error("the token was given away")
			}
			if a := wantStatus(t, 200, "/open", []byte(body), headers...); a.body != "" {
				t.Errorf("an unproved request was answered with %d bytes", len(a.body))
			}
		})
	}
	// Broken events are not a handshake.
	for _, body := range []string{`{"events":[{"a":`, `{"events":1}`, "{\"events\":[\"\xff\"]}", `[`} {
		wantStatus(t, 400, "/wotnot", []byte(body), "token", secret)
	}

	get := func(query string) answer {
		r, err := http.NewRequest(http.MethodGet, gatewayURL+"/chatbot?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, r)
	}
	// The token alone proves a challenge, whatever else is configured.
	challenge := `<script>"1"</script>`
	a := get(url.Values{"challenge": {challenge}, "token": {secret}}.Encode())
	if a.status != 200 || a.body != challenge || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("challenge: %d %q %v", a.status, a.body, a.header)
	}
	for query, status := range map[string]int{
		"token=" + secret:                             400,
		"challenge=&token=" + secret:                  400,
		"challenge=a&challenge=b&token=" + secret:     400,
		"challenge=a":                                 401,
		"challenge=a&token=":                          401,
		"challenge=a&token=wrong":                     401,
		"challenge=a&token=" + secret + "&token=more": 401,
	} {
		if a := get(query); a.status != status {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(query, secret, "SECRET"), a.status, status)
		}
	}
	r := request(t, "/chatbot", nil)
	r.Method = http.MethodPut
	if a := do(t, r); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("PUT: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	app.want(t, 0)
}

// TestCutShort shows that a body that may have held events is not a handshake, however it
// begins.
func TestCutShort(t *testing.T) {
	secret := secretIn(t, "SECRET")
	start(t, `
	webhooks wotnot {
		token {env.SECRET}
	}
	`)
	for _, body := range []string{
		strings.Repeat(" ", 100) + `{"events":[{"a":1}`,
		"\xff\xfe{\x00\"\x00",
		"\ufeff{\"events\":[]}",
	} {
		wantStatus(t, 400, "/", []byte(body), "token", secret)
	}
}
