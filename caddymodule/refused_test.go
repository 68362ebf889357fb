package caddymodule_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestRefused shows the answer to what is not proved, not JSON, too large or no
// event, and that nothing of it is forwarded.
func TestRefused(t *testing.T) {
	secret := secretIn(t, "SECRET")
	other := secretIn(t, "OTHER")
	app := startApplication(t)
	g := start(t, fmt.Sprintf(`
	webhooks /notifly notifly {
		secret {env.SECRET}
	}
	webhooks /small notifly {
		secret {env.SECRET}
		max_body 1KiB
		source /small
	}
	webhooks /wotnot wotnot {
		token {env.SECRET}
	}
	%s
	`, app.proxy()))
	body, header, right := notifly(secret, "refused")
	const sig = "X-Notifly-Signature"
	for name, headers := range map[string][]string{
		"missing":            nil,
		"empty":              {sig, ""},
		"truncated":          {sig, right[:63]},
		"upper case":         {sig, strings.ToUpper(right)},
		"doubled":            {sig, right, sig, right},
		"listed":             {sig, right + "," + right},
		"over-long":          {sig, strings.Repeat(right, 100)},
		"prefixed":           {sig, "sha256=" + right},
		"wrong key":          {sig, hexMAC(other, body)},
		"of another body":    {sig, hexMAC(secret, append([]byte(" "), body...))},
		"in another header":  {"X-Signature", strings.Repeat("ab", 32)},
		"the secret itself":  {sig, secret},
		"of the empty key":   {sig, hexMAC("", body)},
		"not even hex":       {sig, "\u00e9\u00e9"},
		"surrounded by room": {sig, right + "\t x"},
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, 401, "/notifly", body, headers...) })
	}

	proved := func(body []byte) []string { return []string{header, hexMAC(secret, body)} }
	deep := bytes.Repeat([]byte("["), 1<<20-1)
	for _, c := range []struct {
		name, reason string
		status       int
		body         []byte
	}{
		{"empty", "malformed", 400, nil},
		{"not JSON", "malformed", 400, []byte("hello")},
		{"cut off", "malformed", 400, body[:len(body)-1]},
		{"not UTF-8", "malformed", 400, []byte("{\"id\":\"\xff\"}")},
		{"a megabyte of brackets", "too_deep", 400, deep},
		{"too deep", "too_deep", 400, []byte(strings.Repeat(`{"a":`, 61) + "1" + strings.Repeat("}", 61))},
		{"an array", "no_event", 400, []byte(`[{"id":"1"}]`)},
		{"null", "no_event", 400, []byte(`null`)},
		{"too large", "too_large", 413, append(deep, ' ', ' ')},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantStatus(t, c.status, "/notifly", c.body, proved(c.body)...)
			if got := metric(t, fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="notifly"}`, c.reason)); got == "" {
				t.Errorf("no %s counted", c.reason)
			}
			if len(g.logLines("webhook refused", `"reason":"`+c.reason+`"`)) == 0 {
				t.Errorf("no %s in the log", c.reason)
			}
		})
	}

	t.Run("chunked over the limit", func(t *testing.T) {
		large := append(bytes.TrimSuffix(body, []byte("}")), []byte(`,"x":"`+strings.Repeat("x", 1024)+`"}`)...)
		r := request(t, "/small", nil, proved(large)...)
		r.Body, r.ContentLength = http.NoBody, -1
		r.Body = readCloser{bytes.NewReader(large)}
		if a := do(t, r); a.status != 413 {
			t.Errorf("%d", a.status)
		}
		r = request(t, "/small", nil, proved(body)...)
		r.Body, r.ContentLength = readCloser{bytes.NewReader(body)}, -1
		if a := do(t, r); a.status != 200 {
			t.Errorf("chunked within the limit: %d", a.status)
		}
	})
	app.want(t, 1)

	t.Run("too many events", func(t *testing.T) {
		many := []byte(`{"events":[{}` + strings.Repeat(`,{}`, 349_000) + `]}`)
		wantStatus(t, 413, "/wotnot", many, "token", secret)
		many = []byte(`{"events":[{}` + strings.Repeat(`,{}`, 1000) + `]}`)
		wantStatus(t, 413, "/wotnot", many, "token", secret)
		wantStatus(t, 400, "/wotnot", []byte(`{"events":[{},0]}`), "token", secret)
	})
	t.Run("another method", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
			r := request(t, "/notifly", nil)
			r.Method = method
			if a := do(t, r); a.status != 405 || a.header.Get("Allow") != "POST" {
				t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
			}
		}
	})
	app.want(t, 1)
}
