package provider_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

func init() {
	versionZero := func(body, ts string) string { return "v0:" + ts + ":" + body }
	maps.Copy(implementations, map[string]implementation{
		"vonage":       {secret: vonageSecret, prove: proveVonage},
		"bird":         {secret: "s3cret", prove: proveBird},
		"zoom":         macOf("x-zm-signature", "v0=", sha256.New, hex.EncodeToString, "x-zm-request-timestamp", unix, versionZero),
		"customerio":   macOf("X-CIO-Signature", "", sha256.New, hex.EncodeToString, "X-CIO-Timestamp", unix, versionZero),
		"sendbird":     macOf("x-sendbird-signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"stream":       macOf("X-Signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"lemonsqueezy": macOf("X-Signature", "", sha256.New, hex.EncodeToString, "", nil, onlyBody),
		"paystack":     macOf("X-Paystack-Signature", "", sha512.New, hex.EncodeToString, "", nil, onlyBody),
		"woocommerce":  macOf("X-WC-Webhook-Signature", "", sha256.New, base64.StdEncoding.EncodeToString, "", nil, onlyBody),
		"polar":        {secret: "polar_whs_s3cret", prove: provePolar},
		"telnyx":       telnyx(),
	})
}

const vonageSecret = "s3cret-of-32-characters-or-more!"

// proveVonage signs the body, which the published token does not have.
func proveVonage(r *verify.Request, at time.Time) {
	sum := sha256.Sum256(r.Body)
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iat":%d,"jti":"1","iss":"Vonage","payload_hash":"%x","api_key":"a1b2c3d4"}`, at.Unix(), sum))
	signature := base64.RawURLEncoding.EncodeToString(hmacOf(sha256.New, vonageSecret, head+"."+claims))
	r.Header.Set("Authorization", "Bearer "+head+"."+claims+"."+signature)
}

// proveBird signs the 32 bytes of the body's hash, not their hex.
func proveBird(r *verify.Request, at time.Time) {
	sum := sha256.Sum256(r.Body)
	r.Header.Set("messagebird-request-timestamp", unix(at))
	content := unix(at) + "\n" + r.URL + "\n" + string(sum[:])
	r.Header.Set("messagebird-signature", base64.StdEncoding.EncodeToString(hmacOf(sha256.New, "s3cret", content)))
}

// provePolar signs as Standard Webhooks, with the secret itself as the key.
func provePolar(r *verify.Request, at time.Time) {
	r.Header.Set("webhook-timestamp", unix(at))
	content := r.Header.Get("webhook-id") + "." + unix(at) + "." + string(r.Body)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(hmacOf(sha256.New, "polar_whs_s3cret", content)))
}

func telnyx() implementation {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	return implementation{
		secret: base64.StdEncoding.EncodeToString(public),
		prove: func(r *verify.Request, at time.Time) {
			r.Header.Set("telnyx-timestamp", unix(at))
			signature := ed25519.Sign(private, []byte(unix(at)+"|"+string(r.Body)))
			r.Header.Set("telnyx-signature-ed25519", base64.StdEncoding.EncodeToString(signature))
		},
	}
}
