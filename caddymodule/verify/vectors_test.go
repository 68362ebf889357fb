package verify_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// Signatures that the providers, the RFCs and the specification print.
func TestSignatureDocumentedVectors(t *testing.T) {
	const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	bare := func(algorithm string) verify.Signature {
		return verify.Signature{Algorithm: algorithm, Places: inHeader("X-Signature")}
	}
	edwards := bare(verify.Ed25519)

	for _, test := range []struct {
		name   string
		spec   verify.Signature
		secret string
		body   string
		header map[string]string
		time   int64
	}{
		{
			"GitHub", schemeOf(gitHub).spec, "It's a Secret to Everybody", "Hello, World!",
			map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, 0,
		},
		{
			"Slack", schemeOf(slack).spec, "8f742231b10e8888abcd99yyyzzz85a5", slackBody,
			map[string]string{
				"X-Slack-Request-Timestamp": "1531420618",
				"X-Slack-Signature":         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
			}, 1531420618,
		},
		{
			"Standard Webhooks", schemeOf(standardWebhooks).spec, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`,
			map[string]string{
				"Webhook-Id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"Webhook-Timestamp": "1614265330",
				"Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			}, 1614265330,
		},
		{
			"RFC 2202, 2", bare(verify.HMACSHA1), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"}, 0,
		},
		{
			"RFC 4231, 2, SHA-256", bare(verify.HMACSHA256), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, 0,
		},
		{
			"RFC 4231, 2, SHA-512", bare(verify.HMACSHA512), "Jefe", "what do ya want for nothing?",
			map[string]string{"X-Signature": "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"}, 0,
		},
		{
			"RFC 8032, 2", edwards, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
			map[string]string{"X-Signature": "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"}, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(t, test.spec, test.secret)
			r := &verify.Request{Header: http.Header{}, Body: []byte(test.body), Time: time.Unix(test.time, 0)}
			for name, value := range test.header {
				r.Header.Set(name, value)
			}
			checkProof(t, v, r, verify.Proof{Ordinal: 1})
			r.Body = append(r.Body, '\n')
			checkRefused(t, v, r, verify.ErrBad, test.secret)
		})
	}
}
