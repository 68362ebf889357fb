package verify_test

import (
	"errors"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func TestHandshakeChallenge(t *testing.T) {
	h := verify.Handshake{Query: "hub.challenge", Token: "hub.verify_token"}
	for _, test := range []struct {
		name, query string
		want        string // "" = no challenge
	}{
		{"present", "hub.challenge=1158201444&hub.verify_token=x", "1158201444"},
		{"unescaped as a form is", "hub.challenge=a+b%26%3Cscript%3E", "a b&<script>"},
		{"no query", "", ""},
		{"missing", "hub.verify_token=x", ""},
		{"empty", "hub.challenge=", ""},
		{"doubled", "hub.challenge=1&hub.challenge=2", ""},
		{"another name", "hubxchallenge=1", ""},
		{"cannot be unescaped", "hub.challenge=%zz", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRequest()
			r.Query = test.query
			got, err := h.Challenge(r)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("Challenge() = %q, %v; want %q", got, err, test.want)
			}
			if err != nil && !errors.Is(err, verify.ErrNoChallenge) {
				t.Errorf("Challenge() = %q; want %q", err, verify.ErrNoChallenge)
			}
		})
	}
}

func TestHandshakeAnswer(t *testing.T) {
	slack := verify.Handshake{Body: "challenge", When: &verify.Condition{Path: "type", Is: "url_verification"}}
	plain := verify.Handshake{Body: "challenge"}
	discord := verify.Handshake{Reply: `{"type":1}`, ContentType: "application/json", When: &verify.Condition{Path: "type", Is: "1"}}
	text := verify.Handshake{Reply: "pong", When: &verify.Condition{Path: "ping.ok", Is: "true"}}
	for _, test := range []struct {
		name      string
		handshake verify.Handshake
		body      string
		text      string
		typ       string
		ok        bool
	}{
		{"challenge", slack, `{"type":"url_verification","challenge":"3eZbrw1a"}`, "3eZbrw1a", verify.TextPlain, true},
		{"challenge with escapes", slack, `{"type":"url_verification","challenge":"\u00e9\n"}`, "é\n", verify.TextPlain, true},
		{"an event that holds a challenge", slack, `{"type":"event_callback","challenge":"x"}`, "", "", false},
		{"challenge without a type", slack, `{"challenge":"x"}`, "", "", false},
		{"type in another case", slack, `{"type":"URL_VERIFICATION","challenge":"x"}`, "", "", false},
		{"challenge without a condition", plain, `{"challenge":"x"}`, "x", verify.TextPlain, true},

		{"reply", discord, `{"type":1}`, `{"type":1}`, "application/json", true},
		{"reply, the condition as a text", discord, `{"type":"1"}`, `{"type":1}`, "application/json", true},
		{"reply, another value", discord, `{"type":2}`, "", "", false},
		{"reply, no value", discord, `{}`, "", "", false},
		{"reply, null", discord, `{"type":null}`, "", "", false},
		{"reply, the value deeper", discord, `{"a":{"type":1}}`, "", "", false},
		{"reply as text", text, `{"ping":{"ok":true}}`, "pong", verify.TextPlain, true},
		{"reply, the other boolean", text, `{"ping":{"ok":false}}`, "", "", false},

		{"a query answers no POST", verify.Handshake{Query: "challenge", Token: "token"}, `{"challenge":"x"}`, "", "", false},
		{"empty answers no event", verify.Handshake{Empty: true}, `{}`, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, contentType, ok := test.handshake.Answer([]byte(test.body))
			if text != test.text || contentType != test.typ || ok != test.ok {
				t.Errorf("Answer() = %q, %q, %v; want %q, %q, %v", text, contentType, ok, test.text, test.typ, test.ok)
			}
		})
	}
}

// What is no text is no challenge: echoing it would be writing what a stranger's
// parser makes of it.
func TestHandshakeAnswersTextsOnly(t *testing.T) {
	h := verify.Handshake{Body: "challenge"}
	for _, body := range []string{`{}`, `[]`, `"challenge"`, `{"challenge":null}`, `{"challenge":1}`, `{"challenge":true}`, `{"challenge":{"a":"b"}}`, `{"challenge":["x"]}`} {
		if text, _, ok := h.Answer([]byte(body)); ok || text != "" {
			t.Errorf("Answer(%s) = %q, %v; want no handshake", body, text, ok)
		}
	}
}
