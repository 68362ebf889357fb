package caddymodule_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// chatHandshakes are the requests by which vendors of chats and channels try a URL.
var chatHandshakes = []struct {
	vendor, body string
	header       []string
	status       int
	answer       string
	contentType  string
}{
	{"slack", `{"token":"example","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`, nil, 200, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "text/plain; charset=utf-8"},
	{"front", `{"type":"sync","authorization":{"id":"cmp_abc"}}`, []string{"X-Front-Challenge", "a-challenge"}, 200, "a-challenge", "text/plain; charset=utf-8"},
	{"discord", `{"application_id":"1102345678901234500","id":"786008729715212338","token":"example","type":1,"version":1}`, nil, 200, `{"type":1}`, "application/json"},
	{"discord-events", `{"version":1,"application_id":"1102345678901234500","type":0}`, nil, 204, "", ""},
	{"intercom", `{"type":"notification_event","topic":"ping","id":null,"data":{"item":{"type":"ping","message":"example"}}}`, nil, 200, "", ""},
	{"line", `{"destination":"U00000000000000000000000000000000","events":[]}`, nil, 200, "", ""},
	{"viber", `{"event":"webhook","timestamp":1795175921482,"message_token":4912661846655238145}`, nil, 200, "", ""},
}

// TestChatHandshakes shows that each is answered as the vendor's page says if it is proved,
// refused if it is not, and never forwarded.
func TestChatHandshakes(t *testing.T) {
	app := startApplication(t)
	vendors := make(map[string]vendor)
	var names []string
	var site strings.Builder
	add := func(name string) {
		names = append(names, name)
		vendors[name] = newVendor(t, name)
		fmt.Fprintf(&site, "webhooks /%s %[1]s {\n%s}\n", name, vendors[name].lines)
	}
	for _, h := range chatHandshakes {
		add(h.vendor)
	}
	for _, name := range []string{"whatsapp", "messenger", "instagram"} {
		add(name)
	}
	g := newGateway(t, "DEBUG", site.String()+app.proxy())
	g.filter = filterOf(names)
	g.load("")
	for _, h := range chatHandshakes {
		t.Run(h.vendor, func(t *testing.T) {
			r := request(t, "/"+h.vendor, []byte(h.body), h.header...)
			if a := do(t, r); a.status != 401 || a.body != "" {
				t.Errorf("without a proof: %d %q", a.status, a.body)
			}
			r = request(t, "/"+h.vendor, []byte(h.body), h.header...)
			vendors[h.vendor].prove(t, r, []byte(h.body))
			a := do(t, r)
			if a.status != h.status || a.body != h.answer {
				t.Errorf("answered %d %q", a.status, a.body)
			}
			if got := a.header.Get("Content-Type"); h.answer != "" && got != h.contentType {
				t.Errorf("content type %q", got)
			}
		})
	}
	t.Run("intercom HEAD", func(t *testing.T) {
		if a := tryURL(t, http.MethodHead, "/intercom"); a.status != 200 {
			t.Errorf("answered %d", a.status)
		}
	})
	for _, name := range []string{"whatsapp", "messenger", "instagram"} {
		t.Run(name, func(t *testing.T) {
			query := url.Values{"hub.mode": {"subscribe"}, "hub.challenge": {"1158201444"}, "hub.verify_token": {vendors[name].secret}}
			if a := tryURL(t, http.MethodGet, "/"+name+"?"+query.Encode()); a.status != 200 || a.body != "1158201444" {
				t.Errorf("answered %d %q", a.status, a.body)
			}
			query.Set("hub.verify_token", "guess")
			if a := tryURL(t, http.MethodGet, "/"+name+"?"+query.Encode()); a.status != 401 || a.body != "" {
				t.Errorf("with another token: %d %q", a.status, a.body)
			}
		})
	}
	if n := len(app.requests()); n > 0 {
		t.Errorf("%d requests were forwarded", n)
	}
}

// tryURL requests a URL of the gateway without a body.
func tryURL(t *testing.T, method, path string) answer {
	t.Helper()
	r, err := http.NewRequest(method, gatewayURL+path, bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	return do(t, r)
}
