package caddymodule_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// placesProviders have their signatures in every place.
const placesProviders = `
	provider many {
		verify hmac sha256 {
			signature header X-Acme-Signature-*
		}
		id   id
		type type
	}
	provider query {
		verify hmac sha256 {
			signature query sig
			content   $timestamp.$body
			timestamp query ts as unix
		}
		id   id
		type type
	}
	provider body {
		verify hmac sha256 {
			signature body proof.signature
			content   $body(proof.nonce)$body(id)
		}
		id   id
		type type
	}
	provider batch {
		verify hmac sha256 {
			signature body signature
			content   $body(number)
		}
		events events as request
		id   id
		type type
	}`

// TestSignatureIsRemoved shows that no signature reaches an application: directly, from
// the queue, as an envelope or as the provider's own bytes.
func TestSignatureIsRemoved(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	var site strings.Builder
	names := []string{"many", "query", "body", "batch"}
	for _, name := range names {
		for _, format := range []string{"cloudevents", "original"} {
			fmt.Fprintf(&site, "webhooks /direct/%s/%s %[1]s {\nsecret {env.SECRET}\nformat %[2]s\nsource /direct/%[1]s/%[2]s\n}\n", name, format)
			fmt.Fprintf(&site, "webhooks /durable/%s/%s %[1]s {\nsecret {env.SECRET}\nsource /durable/%[1]s/%[2]s\ndestination %[1]s-%[2]s {\nformat %[2]s\nto {\n%[3]s\n}\n}\n}\n", name, format, app.proxy())
		}
	}
	g := newGateway(t, "INFO", "log_skip\n"+site.String()+app.proxy(), ownQueue(t, placesProviders))
	loadNothing(t)
	g.load("")

	n := 0
	for _, way := range []string{"direct", "durable"} {
		for _, format := range []string{"cloudevents", "original"} {
			for _, name := range names {
				path := "/" + way + "/" + name + "/" + format
				t.Run(path, func(t *testing.T) {
					r, mac := signedIn(t, name, path, secret)
					wantStatusFor(t, 200, r)
					n++
					waitFor(t, func() bool { return len(app.requests()) >= n })
					sent := app.want(t, n)[n-1]
					if text := fmt.Sprintf("%s %v %s", sent.URI, sent.Header, sent.Body); strings.Contains(text, mac) || strings.Contains(text, "X-Acme-Signature") {
						t.Errorf("the signature was forwarded: %s", strings.ReplaceAll(text, mac, "(the signature)"))
					}
					query, err := url.ParseRequestURI(sent.URI)
					if err != nil || query.Query().Get("kept") != "1" || sent.Header.Get("X-Acme-Kept") != "1" {
						t.Errorf("too much was removed: %s %v", sent.URI, sent.Header)
					}
					original := string(sent.Body)
					if format == "cloudevents" {
						original = string(sent.event(t).Data["original"])
					}
					if want := placesBodies[name]; original != want {
						t.Errorf("the original is %s, want %s", strings.ReplaceAll(original, mac, "(the signature)"), want)
					}
				})
			}
		}
	}
}

// placesBodies are bodies for placesProviders, without a signature.
var placesBodies = map[string]string{
	"many":  `{"id":"1","type":"paid"}`,
	"query": `{"id":"1","type":"paid"}`,
	"body":  `{"id":"1","proof":{"nonce":"n1","other":true},"type":"paid"}`,
	"batch": `{"number":7,"events":[{"id":"1","type":"paid"}],"live":true}`,
}

// signedIn makes a request of one of placesProviders, and returns its MAC, too.
func signedIn(t *testing.T, name, path, secret string) (r *http.Request, mac string) {
	t.Helper()
	body := placesBodies[name]
	headers := []string{"X-Acme-Kept", "1"}
	query := "?kept=1"
	switch name {
	case "many":
		mac = hexMAC(secret, []byte(body))
		headers = append(headers, "X-Acme-Signature-1", hexMAC("before", []byte(body)), "X-Acme-Signature-2", mac)
	case "query":
		at := strconv.FormatInt(time.Now().Unix(), 10)
		mac = hexMAC(secret, []byte(at+"."+body))
		query = "?ts=" + at + "&sig=" + mac + "&kept=1"
	case "body":
		mac = hexMAC(secret, []byte("n11"))
		body = strings.Replace(body, `"other"`, `"signature":"`+mac+`","other"`, 1)
	case "batch":
		mac = hexMAC(secret, []byte("7"))
		body = strings.Replace(body, `"live"`, `"signature":"`+mac+`","live"`, 1)
	}
	return request(t, path+query, []byte(body), headers...), mac
}
