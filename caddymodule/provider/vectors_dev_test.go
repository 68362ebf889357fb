package provider_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"regexp"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func init() {
	maps.Copy(vectors, map[string][]vector{
		"github": {
			{
				from:   "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
				secret: "It's a Secret to Everybody",
				body:   "Hello, World!",
				header: map[string]string{"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
			},
			{
				from:   "octokit/webhooks-methods.js test/verify.test.ts",
				secret: "mysecret",
				body:   `{"foo":"bar"}`,
				header: map[string]string{"X-Hub-Signature-256": "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"},
			},
			{
				from:   "google/go-github github/messages_test.go",
				secret: "0123456789abcdef",
				body:   `{"yo":true}`,
				header: map[string]string{"X-Hub-Signature-256": "sha256=b1f8020f5b4cd42042f807dd939015c4a418bc1ff7f604dd55b0a19b5d953d9b"},
			},
		},
		"bitbucket": {atlassian},
		"jira":      {atlassian},
		"pagerduty": {{
			from:   "PagerDuty/go-pagerduty webhookv3/webhookv3_test.go",
			secret: "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
			body:   pagerDutyBody,
			header: map[string]string{"X-PagerDuty-Signature": "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"},
		}},
		"openai": {{
			from:   "openai/openai-node tests/api-resources/webhooks.test.ts",
			secret: "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
			body:   `{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, "type": "response.completed", "data": {"id": "resp_123"}}`,
			header: map[string]string{
				"webhook-id":        "wh_685c059ae39c8190af8c71ed1022a24d",
				"webhook-timestamp": "1750861210",
				"webhook-signature": "v1,invalid_signature v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=",
			},
			at: 1750861210,
		}},
		"standard-webhooks": {{
			from:   "standard-webhooks/standard-webhooks libraries/go/webhook_test.go",
			secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			body:   `{"test": 2432232314}`,
			header: map[string]string{
				"webhook-id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
				"webhook-timestamp": "1614265330",
				"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
			at: 1614265330,
		}},
		"svix": {{
			from:   "https://docs.svix.com/receiving/verifying-payloads/how-manual",
			secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
			body:   `{"event_type":"ping","data":{"success":true}}`,
			header: map[string]string{
				"svix-id":        "msg_loFOjxBNrRLzqYUf",
				"svix-timestamp": "1731705121",
				"svix-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
			},
			at: 1731705121,
		}},
		"mailgun": {{
			from:   "mailgun/mailgun-php tests/Api/WebhookTest.php",
			secret: "key-3ax6xnjp29jd6fds4gc373sgvjxteol0",
			body:   `{"signature":{"timestamp":"1403645220","token":"5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6","signature":"9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33"}}`,
			at:     1403645220,
		}},
		"sendgrid": {{
			from:   "sendgrid/sendgrid-go helpers/eventwebhook/eventwebhook_test.go",
			secret: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA==",
			body:   `{"category":"example_payload","event":"test_event","message_id":"message_id"}`,
			header: map[string]string{
				"X-Twilio-Email-Event-Webhook-Timestamp": "1588788367",
				"X-Twilio-Email-Event-Webhook-Signature": "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=",
			},
			at: 1588788367,
		}},
		"dropbox-sign": {{
			from:   "hellosign/dropbox-sign-node test_fixtures/EventCallbackHelper_AccountCallbacks.json",
			secret: "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782",
			body:   `json={"event":{"event_type":"account_confirmed","event_time":"1669926463","event_hash":"ff8b03439122f9160500c3fb855bdee5a9ccba5fff27d3b258745d8f3074832f"}}`,
			header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
			at:     1669926463,
		}},
		"box": {
			boxVector("SamplePrimaryKey", "Box-Signature-Primary", "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI="),
			boxVector("SampleSecondaryKey", "Box-Signature-Secondary", "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo="),
		},
	})
	maps.Copy(implementations, map[string]implementation{
		"linear":        {secret: "s3cret", prove: proveLinear},
		"sentry":        macOf("Sentry-Hook-Signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"notion":        macOf("X-Notion-Signature", "sha256=", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"vercel":        macOf("x-vercel-signature", "", sha1.New, hex.EncodeToString, "", nil, onlyBody),
		"asana":         macOf("X-Hook-Signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"typeform":      macOf("Typeform-Signature", "sha256=", sha256.New, base64.StdEncoding.EncodeToString, "", nil, onlyBody),
		"calcom":        macOf("X-Cal-Signature-256", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"calendly":      {secret: "s3cret", prove: proveCalendly},
		"docusign":      {secret: "s3cret", prove: proveDocuSign},
		"gitlab":        tokenIn("X-Gitlab-Token"),
		"gitlab-signed": standardWebhooks("webhook", "whsec_"),
		"supabase":      standardWebhooks("webhook", "v1,whsec_"),
		"clerk":         standardWebhooks("svix", "whsec_"),
		"resend":        standardWebhooks("svix", "whsec_"),
	})
}

var atlassian = vector{
	from:   "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
	secret: "It's a Secret to Everybody",
	body:   "Hello World!",
	header: map[string]string{"X-Hub-Signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"},
}

// boxVector is signed with one of the two keys.
func boxVector(key, header, signature string) vector {
	return vector{
		from:   "box/box-node-sdk tests/lib/managers/webhooks-test.js",
		secret: key,
		body:   `{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}`,
		header: map[string]string{"Box-Delivery-Timestamp": "2020-01-01T00:00:00-07:00", header: signature},
		at:     time.Date(2020, 1, 1, 7, 0, 0, 0, time.UTC).Unix(),
	}
}

// webhookTimestamp matches the time when Linear sends a request.
var webhookTimestamp = regexp.MustCompile(`("webhookTimestamp": )\d+`)

func proveLinear(r *verify.Request, at time.Time) {
	r.Body = webhookTimestamp.ReplaceAll(r.Body, []byte("${1}"+unixMilli(at)))
	r.Header.Set("Linear-Signature", hex.EncodeToString(hmacOf(sha256.New, "s3cret", string(r.Body))))
}

func proveCalendly(r *verify.Request, at time.Time) {
	signature := hex.EncodeToString(hmacOf(sha256.New, "s3cret", unix(at)+"."+string(r.Body)))
	r.Header.Set("Calendly-Webhook-Signature", "t="+unix(at)+",v1="+signature)
}

// proveDocuSign signs with two keys, of which the second one is the block's.
func proveDocuSign(r *verify.Request, _ time.Time) {
	for header, key := range map[string]string{"X-DocuSign-Signature-1": "older", "X-DocuSign-Signature-2": "s3cret"} {
		r.Header.Set(header, base64.StdEncoding.EncodeToString(hmacOf(sha256.New, key, string(r.Body))))
	}
}

// standardWebhooks signs with the library of Standard Webhooks, which is also that of the
// vendors that use Svix.
func standardWebhooks(headers, keyPrefix string) implementation {
	const key = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	library, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		panic(err)
	}
	return implementation{
		library: "github.com/standard-webhooks/standard-webhooks/libraries",
		secret:  keyPrefix + key,
		prove: func(r *verify.Request, at time.Time) {
			signature, err := library.Sign(r.Header.Get(headers+"-id"), at, r.Body)
			if err != nil {
				panic(err)
			}
			r.Header.Set(headers+"-timestamp", unix(at))
			r.Header.Set(headers+"-signature", signature)
		},
	}
}

// pagerDutyBody is the body of the vector.
const pagerDutyBody = `{"event":{"id":"01BWDWL3NYY7LUFPZCC28QUCMK","event_type":"incident.priority_updated","resource_type":"incident","occurred_at":"2021-04-26T17:36:27.458Z","agent":{"html_url":"https://acme.pagerduty.com/users/PLH1HKV","id":"PLH1HKV","self":"https://api.pagerduty.com/users/PLH1HKV","summary":"Tenex Engineer","type":"user_reference"},"client":null,"data":{"id":"PGR0VU2","type":"incident","self":"https://api.pagerduty.com/incidents/PGR0VU2","html_url":"https://acme.pagerduty.com/incidents/PGR0VU2","number":2,"status":"triggered","title":"A little bump in the road","service":{"html_url":"https://acme.pagerduty.com/services/PF9KMXH","id":"PF9KMXH","self":"https://api.pagerduty.com/services/PF9KMXH","summary":"API Service","type":"service_reference"},"assignees":[{"html_url":"https://acme.pagerduty.com/users/PTUXL6G","id":"PTUXL6G","self":"https://api.pagerduty.com/users/PTUXL6G","summary":"User 123","type":"user_reference"}],"escalation_policy":{"html_url":"https://acme.pagerduty.com/escalation_policies/PUS0KTE","id":"PUS0KTE","self":"https://api.pagerduty.com/escalation_policies/PUS0KTE","summary":"Default","type":"escalation_policy_reference"},"teams":[{"html_url":"https://acme.pagerduty.com/teams/PFCVPS0","id":"PFCVPS0","self":"https://api.pagerduty.com/teams/PFCVPS0","summary":"Engineering","type":"team_reference"}],"priority":{"html_url":"https://acme.pagerduty.com/account/incident_priorities","id":"PSO75BM","self":"https://api.pagerduty.com/priorities/PSO75BM","summary":"P1","type":"priority_reference"},"urgency":"high","conference_bridge":{"conference_number":1000,"conference_url":"https://example.com"},"resolve_reason":null}}}`
