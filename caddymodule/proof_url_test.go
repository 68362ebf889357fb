package caddymodule_test

import (
	"fmt"
	"net/http"
	"testing"
)

// urlProvider signs the URL that it calls, and the body.
const urlProvider = `webhooks {
	provider acme {
		verify hmac sha256 {
			signature header X-Acme-Signature
			content   $url|$body
		}
		id   id
		type type
	}
}`

// signedURL makes a request whose signature is of a URL, and with other headers.
func signedURL(t *testing.T, target, url, secret string, headers ...string) *http.Request {
	t.Helper()
	body := []byte(`{"id":"1","type":"paid"}`)
	r := request(t, target, body, headers...)
	r.Header.Set("X-Acme-Signature", hexMAC(secret, []byte(url+"|"+string(body))))
	return r
}

// forwarded are headers that a proxy before the gateway sets.
var forwarded = []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "hooks.example.com"}

// TestSignedURL shows which URL a signature must be of: without `url` the one that
// Caddy knows, which a client cannot choose.
func TestSignedURL(t *testing.T) {
	const trusted = "servers {\ntrusted_proxies static private_ranges\n}"
	for _, test := range []struct {
		name, global, block, target string
		headers                     []string
		url                         string // that the signature is right for
		others                      []string
	}{
		{
			name: "as called", target: "/acme?b=%20x&a=1+2&b=", url: gatewayURL + "/acme?b=%20x&a=1+2&b=",
			others: []string{gatewayURL + "/acme", gatewayURL + "/acme?a=1+2&b=%20x&b=", "https://" + gatewayAddress + "/acme?b=%20x&a=1+2&b="},
		},
		{name: "escaped path", target: "/ac%6De", url: gatewayURL + "/ac%6De", others: []string{gatewayURL + "/acme"}},
		{
			name: "client that is not a proxy", target: "/acme", headers: forwarded, url: gatewayURL + "/acme",
			others: []string{"https://hooks.example.com/acme", "https://" + gatewayAddress + "/acme", "http://hooks.example.com/acme"},
		},
		{
			name: "trusted proxy", global: trusted, target: "/acme?a=1", headers: forwarded,
			url: "https://hooks.example.com/acme?a=1", others: []string{gatewayURL + "/acme?a=1"},
		},
		{name: "trusted proxy without headers", global: trusted, target: "/acme", url: gatewayURL + "/acme"},
		{
			name: "url", block: "url https://hooks.example.com/x/acme", target: "/acme?a=1",
			url: "https://hooks.example.com/x/acme?a=1", others: []string{gatewayURL + "/acme?a=1", "https://hooks.example.com/x/acme"},
		},
		{
			name: "url behind a trusted proxy", global: trusted, block: "url {env.PUBLIC_URL}", target: "/acme",
			headers: []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "inner.example.com"},
			url:     "https://hooks.example.com/env", others: []string{"https://inner.example.com/acme"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			secret := secretIn(t, "SECRET")
			t.Setenv("PUBLIC_URL", "https://hooks.example.com/env")
			app := startApplication(t)
			start(t, fmt.Sprintf("webhooks acme {\nsecret {env.SECRET}\n%s\n}\n%s", test.block, app.proxy()), test.global, urlProvider)
			for _, other := range test.others {
				if a := do(t, signedURL(t, test.target, other, secret, test.headers...)); a.status != 401 {
					t.Errorf("%s: %d", other, a.status)
				}
			}
			app.want(t, 0)
			wantStatusFor(t, 200, signedURL(t, test.target, test.url, secret, test.headers...))
			app.want(t, 1)
		})
	}
}

// TestSignedURLRewritten shows that the URL is that of the client, whatever handlers
// before the block make of it.
func TestSignedURLRewritten(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	start(t, fmt.Sprintf(`
	handle_path /in/* {
		rewrite * {path}?rewritten=1
		webhooks acme {
			secret {env.SECRET}
		}
		%s
	}
	`, app.proxy()), urlProvider)
	wantStatusFor(t, 401, signedURL(t, "/in/acme?a=1", gatewayURL+"/acme?rewritten=1", secret))
	wantStatusFor(t, 200, signedURL(t, "/in/acme?a=1", gatewayURL+"/in/acme?a=1", secret))
	app.want(t, 1)
}
