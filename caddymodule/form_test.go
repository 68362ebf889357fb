package caddymodule_test

import (
	"fmt"
	"strings"
	"testing"
)

// formProviders send forms: of parameters, and with JSON in one.
const formProviders = `provider texting {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		form
		id   MessageSid
		type MessageStatus {
			delivered message.updated
		}
		redact Secret
		field message.text Body
	}
	provider interacting {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		form payload
		id   id
		type type
		redact token user.email
	}
	provider plain {
		verify hmac sha256 {
			signature header X-Acme-Signature
		}
		id   id
		type type
	}`

// interaction is a form with JSON in it, as Slack sends it.
const interaction = "payload=%7B%22type%22%3A%22block%22%2C%22id%22%3A%22i1%22%2C%22token%22%3A%22t1%22%2C%22user%22%3A%7B%22name%22%3A%22a+b%22%2C%22email%22%3A%22a%40b.example%22%7D%7D"

// startForms starts a gateway that hands the events of formProviders to an application,
// with more settings for their blocks.
func startForms(t *testing.T, settings string) (secret string, app *application) {
	t.Helper()
	secret, app = secretIn(t, "SECRET"), startApplication(t)
	var blocks strings.Builder
	for _, name := range []string{"texting", "interacting", "plain"} {
		fmt.Fprintf(&blocks, "webhooks /%[1]s %[1]s {\nsecret {env.SECRET}\n%[2]s\n}\n", name, settings)
	}
	start(t, blocks.String()+app.proxy(), "webhooks {\n"+formProviders+"\n}")
	return secret, app
}

// TestForms shows what becomes of forms, and that the signature is over their bytes.
func TestForms(t *testing.T) {
	secret, app := startForms(t, "sign {env.WEBHOOKS_TEST_SIGN}")
	multipart := "--b\r\nContent-Disposition: form-data; name=\"json\"\r\n\r\n{\"a\":1}\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\na file\r\n--b--\r\n"
	for _, test := range []struct {
		path, contentType, body          string
		originalType, original, typ, key string
	}{
		{
			"/texting", "application/x-www-form-urlencoded; charset=UTF-8", "MessageSid=SM1&MessageStatus=delivered&To=%2B41+1&Media=a&Secret=x&Media=b&Body=h%C3%A9%22",
			"application/x-www-form-urlencoded", `{"MessageSid":"SM1","MessageStatus":"delivered","To":"+41 1","Media":["a","b"],"Body":"hé\""}`, "message.updated", "SM1",
		},
		{"/texting", "multipart/form-data; boundary=b", multipart, "multipart/form-data", `{"json":"{\"a\":1}"}`, "texting.unknown", ""},
		{"/texting", "application/json", `{"MessageSid":"SM2","MessageStatus":"sent"}`, "", `{"MessageSid":"SM2","MessageStatus":"sent"}`, "texting.sent", "SM2"},
		{"/interacting", "application/x-www-form-urlencoded", interaction, "application/x-www-form-urlencoded", `{"type":"block","id":"i1","user":{"name":"a b"}}`, "block", "i1"},
		{"/interacting", "application/x-www-form-urlencoded", "command=%2Fgo&token=t1&text=", "application/x-www-form-urlencoded", `{"command":"/go","text":""}`, "interacting.unknown", ""},
	} {
		before := len(app.requests())
		mac := hexMAC(secret, []byte(test.body))
		wantStatusOf(t, 401, test.path, test.contentType, []byte(test.body+"&a=b"), "X-Acme-Signature", mac)
		for range 2 { // the second one is a duplicate
			wantStatusOf(t, 200, test.path, test.contentType, []byte(test.body), "X-Acme-Signature", mac)
		}
		sent := app.want(t, before+1)[before]
		checkForwarded(t, sent)
		e := sent.event(t)
		if original := string(e.Data["original"]); original != test.original || e.OriginalType != test.originalType {
			t.Errorf("got  %s (%s)\nwant %s (%s)", original, e.OriginalType, test.original, test.originalType)
		}
		if !strings.HasSuffix(e.Type, test.typ) || test.key != "" && e.ID != test.key {
			t.Errorf("type %s, id %s; want %s, %s", e.Type, e.ID, test.typ, test.key)
		}
	}
}

// TestBrokenForms shows which forms are refused.
func TestBrokenForms(t *testing.T) {
	secret, app := startForms(t, "")
	deep := "payload=" + strings.Repeat("%5B", 61) + strings.Repeat("%5D", 61)
	for _, test := range []struct{ path, contentType, body string }{
		{"/texting", "application/x-www-form-urlencoded", "a=%zz"},
		{"/texting", "application/x-www-form-urlencoded", "a=%ff"},
		{"/texting", "application/x-www-form-urlencoded", `{"MessageSid":"SM1"}`}, // signed as JSON
		{"/texting", "application/x-www-form-urlencoded", strings.Repeat("a=1&", 1001)},
		{"/texting", "multipart/form-data", "--b--\r\n"},
		{"/texting", "multipart/form-data; boundary=b", "--b\r\n"},
		{"/texting", "application/json", "MessageSid=SM1"},
		{"/texting", "", "MessageSid=SM1"},
		{"/interacting", "application/x-www-form-urlencoded", "payload=hello"},
		{"/interacting", "application/x-www-form-urlencoded", "payload=%7B%7D&payload=%7B%7D"},
		{"/interacting", "application/x-www-form-urlencoded", "payload=%5B1%5D"},
		{"/interacting", "application/x-www-form-urlencoded", deep},
		{"/plain", "application/x-www-form-urlencoded", "id=1"}, // it sends no forms
	} {
		wantStatusOf(t, 400, test.path, test.contentType, []byte(test.body), "X-Acme-Signature", hexMAC(secret, []byte(test.body)))
	}
	app.want(t, 0)
}

// TestOriginalForms shows that `format original` hands a form over as it came, without
// what is redacted.
func TestOriginalForms(t *testing.T) {
	secret, app := startForms(t, "format original")
	checkOriginals(t, secret, app, func(n int) []got { return app.want(t, n) })
}

// TestOriginalFormsInTheQueue is TestOriginalForms for a destination.
func TestOriginalFormsInTheQueue(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	var blocks strings.Builder
	for _, name := range []string{"texting", "interacting"} {
		fmt.Fprintf(&blocks, "webhooks /%[1]s %[1]s {\nsecret {env.SECRET}\ndestination %[1]s {\nformat original\nto {\n%[2]s\n}\n}\n}\n", name, app.proxy())
	}
	start(t, blocks.String(), ownQueue(t, formProviders))
	checkOriginals(t, secret, app, func(n int) []got {
		waitFor(t, func() bool { return len(app.requests()) >= n })
		return app.want(t, n)
	})
}

// checkOriginals sends forms, and checks what the application gets; wait returns its first
// n requests.
func checkOriginals(t *testing.T, secret string, app *application, wait func(n int) []got) {
	t.Helper()
	part := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	for i, test := range []struct{ path, contentType, body, want string }{
		{"/texting", "application/x-www-form-urlencoded", "MessageSid=%53M1&&x", "MessageSid=%53M1&&x"},
		{"/texting", "application/x-www-form-urlencoded", "MessageSid=%53M2&Secret=s3cret&x=%41", "MessageSid=%53M2&x=%41"},
		{"/texting", "multipart/form-data; boundary=b", part("MessageSid", "SM3") + part("Secret", "s3cret") + "--b--\r\n", part("MessageSid", "SM3") + "--b--\r\n"},
		{"/interacting", "application/x-www-form-urlencoded", interaction, "payload=%7B%22type%22%3A%22block%22%2C%22id%22%3A%22i1%22%2C%22user%22%3A%7B%22name%22%3A%22a+b%22%7D%7D"},
		{"/texting", "application/json", `{"MessageSid":"SM4","Secret":"s3cret"}`, `{"MessageSid":"SM4"}`},
	} {
		for range 2 { // the second one is a duplicate
			wantStatusOf(t, 200, test.path, test.contentType, []byte(test.body), "X-Acme-Signature", hexMAC(secret, []byte(test.body)))
		}
		sent := wait(i + 1)[i]
		if string(sent.Body) != test.want || sent.Header.Get("Content-Type") != test.contentType || sent.Length != int64(len(test.want)) {
			t.Errorf("got  %q as %s\nwant %q", sent.Body, sent.Header.Get("Content-Type"), test.want)
		}
		if sent.Header.Get("X-Acme-Signature") != "" {
			t.Error("with its signature")
		}
	}
}

// TestFormsInTheQueue shows that a destination gets the envelope of a form.
func TestFormsInTheQueue(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	start(t, fmt.Sprintf("webhooks texting {\nsecret {env.SECRET}\nsign {env.WEBHOOKS_TEST_SIGN}\ndestination app {\nto {\n%s\n}\n}\n}", app.proxy()), ownQueue(t, formProviders))
	body := []byte("MessageSid=SM1&MessageStatus=delivered")
	for range 2 {
		wantForm(t, 200, "/", body, "X-Acme-Signature", hexMAC(secret, body))
	}
	waitFor(t, func() bool { return len(app.requests()) > 0 })
	sent := app.want(t, 1)[0]
	checkForwarded(t, sent)
	if e := sent.event(t); e.OriginalType != "application/x-www-form-urlencoded" || string(e.Data["original"]) != `{"MessageSid":"SM1","MessageStatus":"delivered"}` {
		t.Errorf("%+v", e)
	}
}
