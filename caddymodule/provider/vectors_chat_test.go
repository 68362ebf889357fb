package provider_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"hash"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func init() {
	maps.Copy(vectors, map[string][]vector{
		"slack": {{
			from:   "https://docs.slack.dev/authentication/verifying-requests-from-slack",
			secret: "8f742231b10e8888abcd99yyyzzz85a5",
			body:   "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			header: map[string]string{
				"X-Slack-Request-Timestamp": "1531420618",
				"X-Slack-Signature":         "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
			},
			at: 1531420618,
		}},
		"whatsapp":  {metaVector},
		"messenger": {metaVector},
		"instagram": {metaVector},
		"line": {
			{
				from:   "line/line-bot-sdk-nodejs test/middleware.spec.ts",
				secret: "test_channel_secret",
				body:   `{"events":[{"message":{"id":"test_event_message_id","text":"this is test message.😄😅😢😞😄😅😢😞","quoteToken":"test_quote_token","type":"text"},"replyToken":"test_reply_token","source":{"groupId":"test_group_id","type":"group"},"webhookEventId":"test_webhook_event_id","deliveryContext":{"isRedelivery":false},"timestamp":0,"mode":"active","type":"message"}],"destination":"Uaaaabbbbccccddddeeeeffff"}`,
				header: map[string]string{"X-Line-Signature": "eRdWYcVCzZV3MVZ3M9/rHJCl/a3oSbsRb04cLovpVwM="},
			},
			{
				from:   "line/line-bot-sdk-python tests/test_webhook.py",
				secret: "channel_secret",
				body:   "bodybodybodybody",
				header: map[string]string{"X-Line-Signature": "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k="},
			},
		},
		"viber": {
			viberVector("", "d21b343448c8aee33b8e93768ef6ceb64a6ba6163099973a2b8bd028fea510ef"),
			viberVector("d21b343448c8aee33b8e93768ef6ceb64a6ba6163099973a2b8bd028fea510ef", ""),
		},
	})
	maps.Copy(implementations, map[string]implementation{
		"chatwoot":       macOf("X-Chatwoot-Signature", "sha256=", sha256.New, hex.EncodeToString, "X-Chatwoot-Timestamp", unix, func(body, ts string) string { return ts + "." + body }),
		"intercom":       macOf("X-Hub-Signature", "sha1=", sha1.New, hex.EncodeToString, "", nil, onlyBody),
		"zendesk":        macOf("X-Zendesk-Webhook-Signature", "", sha256.New, base64.StdEncoding.EncodeToString, "X-Zendesk-Webhook-Signature-Timestamp", rfc3339, func(body, ts string) string { return ts + body }),
		"crisp":          macOf("X-Crisp-Signature", "", sha256.New, hex.EncodeToString, "X-Crisp-Request-Timestamp", unixMilli, func(body, ts string) string { return "[" + ts + ";" + body + "]" }),
		"tawk":           macOf("X-Tawk-Signature", "", sha1.New, hex.EncodeToString, "", nil, onlyBody),
		"front":          macOf("X-Front-Signature", "", sha256.New, base64.StdEncoding.EncodeToString, "X-Front-Request-Timestamp", unixMilli, func(body, ts string) string { return ts + ":" + body }),
		"front-rules":    macOf("X-Front-Signature", "", sha1.New, base64.StdEncoding.EncodeToString, "", nil, onlyBody),
		"trengo":         {secret: "s3cret", prove: proveTrengo},
		"tidio":          {secret: "s3cret", prove: proveTidio},
		"hubspot":        {secret: "s3cret", prove: proveHubSpot},
		"freshchat":      freshchat(),
		"discord":        discord(),
		"discord-events": discord(),
		"sunshine":       tokenIn("X-API-Key"),
		"telegram":       tokenIn("X-Telegram-Bot-Api-Secret-Token"),
		"livechat":       {secret: "s3cret", prove: proveLiveChat},
		"chatbot":        tokenInQuery("token"),
		"ndoto":          tokenInQuery("token"),
		"oneroute":       tokenInQuery("token"),
		"wotnot":         tokenIn("token"),
		"notifly":        macOf("x-notifly-signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
	})
}

// metaVector is signed as all products of Meta sign.
var metaVector = vector{
	from:   "WhatsApp/WhatsApp-Nodejs-SDK src/__tests__/utils.test.ts",
	secret: "TEST_APP_SECRET",
	body:   "test",
	header: map[string]string{"X-Hub-Signature-256": "sha256=0c61947b610d4f45e65f3d680e26027121ec2413e77598bcb6cfc6e0d9888221"},
}

// viberVector has the signature in the query or in the header.
func viberVector(inQuery, inHeader string) vector {
	v := vector{
		from:   "Viber/viber-bot-node test/message/message-validator-test.js",
		secret: "44dafb7e0f40021e-61a47a1e6778d187-f2c5a676a07050b3",
		body:   `{"event":"webhook","timestamp":4977069964384421269,"message_token":1478683725125}`,
	}
	if inQuery != "" {
		v.url = hookURL + "?sig=" + inQuery
	}
	if inHeader != "" {
		v.header = map[string]string{"X-Viber-Content-Signature": inHeader}
	}
	return v
}

// macOf signs into one header, with the timestamp, if any, in another one.
func macOf(header, prefix string, newHash func() hash.Hash, encode func([]byte) string, timeHeader string, format func(time.Time) string, content func(body, ts string) string) implementation {
	const secret = "s3cret"
	return implementation{secret: secret, prove: func(r *verify.Request, at time.Time) {
		ts := ""
		if timeHeader != "" {
			ts = format(at)
			r.Header.Set(timeHeader, ts)
		}
		r.Header.Set(header, prefix+encode(hmacOf(newHash, secret, content(string(r.Body), ts))))
	}}
}

func unix(t time.Time) string      { return strconv.FormatInt(t.Unix(), 10) }
func unixMilli(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
func rfc3339(t time.Time) string   { return t.UTC().Format(time.RFC3339) }

func onlyBody(body, _ string) string { return body }

// tokenIn presents the token in a header.
func tokenIn(header string) implementation {
	const token = "a-token-of-my-choice"
	return implementation{secret: token, prove: func(r *verify.Request, _ time.Time) { r.Header.Set(header, token) }}
}

// tokenInQuery presents the token at the end of the URL.
func tokenInQuery(name string) implementation {
	const token = "a-token-of-my-choice"
	return implementation{secret: token, prove: func(r *verify.Request, _ time.Time) {
		r.Query = name + "=" + token
		r.URI, r.URL = r.URI+"?"+r.Query, r.URL+"?"+r.Query
	}}
}

// proveTidio signs with two secrets, of which the second one is the block's.
func proveTidio(r *verify.Request, at time.Time) {
	sign := func(secret string) string {
		return hex.EncodeToString(hmacOf(sha256.New, secret, string(r.Body)+"_"+unix(at)))
	}
	r.Header.Set("X-Tidio-Signature", "t="+unix(at)+",s="+sign("older")+",s="+sign("s3cret"))
}

func proveTrengo(r *verify.Request, at time.Time) {
	r.Header.Set("Trengo-Signature", unix(at)+";"+hex.EncodeToString(hmacOf(sha256.New, "s3cret", unix(at)+"."+string(r.Body))))
}

// proveHubSpot signs in version 3.
func proveHubSpot(r *verify.Request, at time.Time) {
	r.Header.Set("X-HubSpot-Request-Timestamp", unixMilli(at))
	content := r.Method + r.URL + string(r.Body) + unixMilli(at)
	r.Header.Set("X-HubSpot-Signature-v3", base64.StdEncoding.EncodeToString(hmacOf(sha256.New, "s3cret", content)))
}

// proveLiveChat puts the secret into the fixture's body.
func proveLiveChat(r *verify.Request, _ time.Time) {
	r.Body = []byte(strings.Replace(string(r.Body), "example-secret-key", "s3cret", 1))
}

func freshchat() implementation {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	return implementation{
		secret: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		prove: func(r *verify.Request, _ time.Time) {
			sum := sha256.Sum256(r.Body)
			signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			if err != nil {
				panic(err)
			}
			r.Header.Set("X-Freshchat-Signature", base64.StdEncoding.EncodeToString(signature))
		},
	}
}

func discord() implementation {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return implementation{
		secret: hex.EncodeToString(public),
		prove: func(r *verify.Request, at time.Time) {
			r.Header.Set("X-Signature-Timestamp", unix(at))
			r.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, []byte(unix(at)+string(r.Body)))))
		},
	}
}
