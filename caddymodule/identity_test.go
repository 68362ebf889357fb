package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// identified are providers whose events are told apart in different ways.
const identified = `provider batching {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		events entry.#.changes
		id   $body(..id)/$body(n)
		type kind
	}
	provider joining {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		id   $body(event)/$body(data.id)
		key  type id
		type kind
	}
	provider pairing {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		id   id
		key  type id
		type kind
	}
	provider numbering {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		id   header X-Id
		type header X-Kind {
			new message.created
		}
	}
	provider signing {
		verify hmac sha256 {
			signature header X-Acme-Signature
			content $header(X-Id).$body
		}
		id   header X-Id
		type kind
	}`

// TestIdentity shows through the front door that no event is dropped, or becomes
// another one, because of how a provider's file says what identifies it.
func TestIdentity(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	var site strings.Builder
	for _, name := range []string{"batching", "joining", "pairing", "numbering", "signing"} {
		fmt.Fprintf(&site, "webhooks /%[1]s %[1]s {\nsecret {env.SECRET}\n}\n", name)
	}
	g := start(t, site.String()+app.proxy(), "webhooks {\n"+identified+"\n}")

	for _, c := range []struct {
		name, provider, body string
		headers              []string
		want                 []string // the types and ids of new events
	}{
		{"each event of a batch", "batching", `{"entry":[{"id":"a","changes":[{"n":1,"kind":"x"},{"n":2,"kind":"x"}]},{"id":"b","changes":[{"n":1,"kind":"y"}]}]}`, nil,
			[]string{"batching.x a/1", "batching.x a/2", "batching.y b/1"}},
		{"the batch again", "batching", `{"entry":[{"id":"b","changes":[{"n":1,"kind":"y"},{"n":3,"kind":"message.created"}]}]}`, nil,
			[]string{"batching.message.created b/3"}},
		{"a joined id", "joining", `{"event":"sent","kind":"m","data":{"id":1}}`, nil, []string{"joining.m sent/1"}},
		{"one that shares a part of it", "joining", `{"event":"sent","kind":"m","data":{"id":2}}`, nil, []string{"joining.m sent/2"}},
		{"a type and an id", "pairing", `{"kind":"a","id":"b/c"}`, nil, []string{"pairing.a b/c"}},
		{"the same letters, cut elsewhere", "pairing", `{"kind":"a/b","id":"c"}`, nil, []string{"pairing.a/b c"}},
		{"the same letters in one part", "pairing", `{"kind":"a/b/c","id":""}`, nil, []string{"pairing.a/b/c " + envelope.Hash(`{"kind":"a/b/c","id":""}`)}},
		{"a type and an id again", "pairing", `{"again":1,"kind":"a","id":"b/c"}`, nil, nil},
		{"an unsigned id", "numbering", `{"n":1}`, []string{"X-Id", "1", "X-Kind", "new"}, []string{"message.created 1"}},
		{"an unsigned id again", "numbering", `{"n":1}`, []string{"X-Id", "1", "X-Kind", "new"}, nil},
		{"another event after a captured one under its id", "numbering", `{"n":2}`, []string{"X-Id", "1", "X-Kind", "message.deleted"}, []string{"numbering.message.deleted 1"}},
	} {
		body := []byte(c.body)
		before := len(app.requests())
		wantStatus(t, 200, "/"+c.provider, body, append(c.headers, "X-Acme-Signature", hexMAC(secret, body))...)
		var got []string
		for _, sent := range app.requests()[before:] {
			e := sent.event(t)
			got = append(got, e.Type+" "+e.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}

	for _, body := range []string{`{"entry":[{"id":"a","changes":[1]}]}`, `{"entry":[1]}`, `{"entry":[{"changes":[{"n":9,"kind":"x"},null]}]}`} {
		before := len(app.requests())
		wantStatus(t, 400, "/batching", []byte(body), "X-Acme-Signature", hexMAC(secret, []byte(body)))
		if after := len(app.requests()); after != before {
			t.Errorf("%s: %d events were forwarded", body, after-before)
		}
	}

	// Of these providers, one identifies its events by what is not signed.
	warnings := g.logLines("does not cover all that identifies an event")
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"provider":"numbering"`) || !strings.Contains(warnings[0], `"unsigned":["$header(X-Id)","$header(X-Kind)"]`) {
		t.Errorf("the warnings are %q", warnings)
	}
}
