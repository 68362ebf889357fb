package caddymodule_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestStaticCredentials shows that basic auth and headers are required once they
// are configured, whatever else proves a request.
func TestStaticCredentials(t *testing.T) {
	secret, password, static := secretIn(t, "SECRET"), secretIn(t, "PASSWORD"), secretIn(t, "STATIC")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks chatbot {
		token {env.SECRET}
		basic_auth user {env.PASSWORD}
		header X-Static {env.STATIC}
		header X-Other {env.STATIC}
	}
	%s
	`, app.proxy()))
	body := payload(t, "chatbot", "interaction.matched")
	for _, c := range []struct {
		name, username, password, static, other string
		status                                  int
	}{
		{"no basic auth", "", "", static, static, 401},
		{"a wrong user", "other", password, static, static, 401},
		{"a wrong password", "user", "wrong", static, static, 401},
		{"no header", "user", password, "", static, 401},
		{"a wrong header", "user", password, static, "wrong", 401},
		{"all of them", "user", password, static, static, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, "/?token="+secret, body, "X-Static", c.static, "X-Other", c.other)
			if c.username != "" {
				r.SetBasicAuth(c.username, c.password)
			}
			if a := do(t, r); a.status != c.status {
				t.Errorf("got %d, want %d", a.status, c.status)
			}
		})
	}
	sent := app.want(t, 1)[0]
	if text := fmt.Sprint(sent); strings.Contains(text, password) || strings.Contains(text, static) {
		t.Error("a credential was forwarded")
	}
}

// TestRotation shows that any of several secrets and signing keys is good, and
// that a metric says which one is used.
func TestRotation(t *testing.T) {
	secretIn(t, "OLD")
	secret := secretIn(t, "NEW")
	app := startApplication(t)
	t.Setenv("OTHER_KEY", "whsec_"+"b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy")
	start(t, fmt.Sprintf(`
	webhooks notifly {
		secret {env.OLD} {env.NEW}
		sign {env.OTHER_KEY} {env.WEBHOOKS_TEST_SIGN}
	}
	%s
	`, app.proxy()))
	body, header, signature := notifly(secret, "rotation")
	wantStatus(t, 200, "/", body, header, signature)
	sent := app.want(t, 1)[0]
	verifySigned(t, sent, signingKey)
	verifySigned(t, sent, os.Getenv("OTHER_KEY"))
	if n := metric(t, `caddy_webhooks_secret_matches_total{provider="notifly",secret="2"}`); n != "1" {
		t.Errorf("%q matches of the second secret", n)
	}
	if n := metric(t, `caddy_webhooks_secret_matches_total{provider="notifly",secret="1"}`); n != "" {
		t.Errorf("%q matches of the first secret", n)
	}
}

// ownProviders are two providers that are not like any of the built-in ones.
const ownProviders = `
	webhooks {
		provider striped {
			verify hmac sha256 {
				signature header Stripe-Signature
				separator ,
				prefix    v1=
				content   $timestamp.$body
				timestamp item t= unix
			}
			id   id
			type type {
				charge.*  payment.charged
			}
			time created as unix
			field payment.amount data.object.amount as value
		}
		provider slacked {
			verify hmac sha256 {
				signature header X-Slack-Signature
				prefix    v0=
				content   v0:$timestamp:$body
				timestamp header X-Slack-Request-Timestamp unix
			}
			handshake {
				when   type is url_verification
				answer $body(challenge)
			}
			id   event_id
			type event.type {
				message message.created
			}
			time event_time as unix
			field conversation.id event.channel
			field message.text    event.text
		}
	}`

// TestOwnProviders shows providers that a user defines.
func TestOwnProviders(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	start(t, fmt.Sprintf(`
	webhooks /striped striped {
		secret {env.SECRET}
	}
	webhooks /slacked slacked {
		secret {env.SECRET}
		tolerance 1m
	}
	%s
	`, app.proxy()), ownProviders)
	now := time.Now()
	striped := func(at time.Time, body string, before ...string) []string {
		ts := fmt.Sprint(at.Unix())
		return []string{"Stripe-Signature", strings.Join(append(append([]string{"t=" + ts}, before...), "v1="+hexMAC(secret, []byte(ts+"."+body)), "v0=ignored"), ",")}
	}
	body := `{"id":"evt_1","type":"charge.succeeded","created":1700000000,"data":{"object":{"amount":2000}}}`
	wantStatus(t, 200, "/striped", []byte(body), striped(now, body, "v1="+strings.Repeat("0", 64))...)
	e := app.want(t, 1)[0].event(t)
	if e.ID != "evt_1" || e.Type != "payment.charged" || e.ProviderType != "charge.succeeded" || e.Time != "2023-11-14T22:13:20Z" || string(e.Data["payment"]) != `{"amount":2000}` {
		t.Errorf("%+v", e)
	}
	for name, headers := range map[string][]string{
		"an hour ago":    striped(now.Add(-time.Hour), body),
		"in an hour":     striped(now.Add(time.Hour), body),
		"another body":   striped(now, body+" "),
		"no signature":   {"Stripe-Signature", fmt.Sprintf("t=%d", now.Unix())},
		"two timestamps": striped(now, body, fmt.Sprintf("t=%d", now.Unix())),
		"nothing":        nil,
	} {
		t.Run(name, func(t *testing.T) { wantStatus(t, 401, "/striped", []byte(body), headers...) })
	}
	for reason, n := range map[string]string{"stale_timestamp": "2", "bad_credential": "3", "missing_credential": "1"} {
		if got := metric(t, fmt.Sprintf(`caddy_webhooks_requests_total{outcome=%q,provider="striped"}`, reason)); got != n {
			t.Errorf("%s: %s, want %s", reason, got, n)
		}
	}

	slacked := func(at time.Time, body string) []string {
		ts := fmt.Sprint(at.Unix())
		return []string{"X-Slack-Request-Timestamp", ts, "X-Slack-Signature", "v0=" + hexMAC(secret, []byte("v0:"+ts+":"+body))}
	}
	challenge := `{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`
	if a := wantStatus(t, 200, "/slacked", []byte(challenge), slacked(now, challenge)...); !strings.HasPrefix(a.body, "3eZbrw1aBm2rZg") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%+v", a)
	}
	wantStatus(t, 401, "/slacked", []byte(challenge))
	message := `{"event_id":"Ev1","type":"event_callback","event_time":1700000001,"event":{"type":"message","channel":"C1","text":"hi"}}`
	wantStatus(t, 401, "/slacked", []byte(message), slacked(now.Add(-2*time.Minute), message)...)
	wantStatus(t, 200, "/slacked", []byte(message), slacked(now.Add(-30*time.Second), message)...)
	if e := app.want(t, 2)[1].event(t); e.Type != "message.created" || e.Subject != "conversations/C1" {
		t.Errorf("%+v", e)
	}
}
