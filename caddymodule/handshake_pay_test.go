package caddymodule_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// TestZoomValidation shows that Zoom's challenge is answered with its MAC, if it is proved.
func TestZoomValidation(t *testing.T) {
	app, vendors := startVendors(t, "zoom")
	const body = `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1795253402114,"event":"endpoint.url_validation"}`
	if a := do(t, request(t, "/zoom", []byte(body))); a.status != 401 || a.body != "" {
		t.Errorf("without a proof: %d %q", a.status, a.body)
	}
	r := request(t, "/zoom", []byte(body))
	vendors["zoom"].prove(t, r, []byte(body))
	mac := hmac.New(sha256.New, []byte(vendors["zoom"].secret))
	mac.Write([]byte("qgg8vlvZRS6UYooatFL8Aw"))
	want := `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"` + hex.EncodeToString(mac.Sum(nil)) + `"}`
	if a := do(t, r); a.status != 200 || a.body != want || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("answered %d %q as %s", a.status, a.body, a.header.Get("Content-Type"))
	}
	if sent := app.requests(); len(sent) > 0 {
		t.Errorf("%d challenges were forwarded", len(sent))
	}
}

// TestWooCommercePing shows that the unsigned request at the saving of a webhook is
// answered with 200, and nothing else without a proof.
func TestWooCommercePing(t *testing.T) {
	app, _ := startVendors(t, "woocommerce")
	post := func(body string, header ...string) *http.Request {
		r := request(t, "/woocommerce", []byte(body), header...)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	if a := do(t, post("webhook_id=7")); a.status != 200 || a.body != "" {
		t.Errorf("answered %d %q", a.status, a.body)
	}
	for name, r := range map[string]*http.Request{
		"another form":      post("id=7"),
		"a wrong signature": post("webhook_id=7", "X-WC-Webhook-Signature", "AAAA"),
		"an event":          request(t, "/woocommerce", []byte(`{"id":43}`), "X-WC-Webhook-Topic", "customer.deleted"),
	} {
		if a := do(t, r); a.status != 401 {
			t.Errorf("%s: answered %d", name, a.status)
		}
	}
	if sent := app.requests(); len(sent) > 0 {
		t.Errorf("%d requests were forwarded", len(sent))
	}
}

// TestAdyenAccepted shows that Adyen gets the text that older accounts wait for.
func TestAdyenAccepted(t *testing.T) {
	app, vendors := startVendors(t, "adyen")
	batch, err := fixtures.Get("adyen", "batch")
	if err != nil {
		t.Fatal(err)
	}
	r, err := batch.To(gatewayURL + "/adyen")
	if err != nil {
		t.Fatal(err)
	}
	vendors["adyen"].prove(t, r, batch.Body)
	if a := do(t, r); a.status != 200 || a.body != "[accepted]" {
		t.Errorf("answered %d %q", a.status, a.body)
	}
	if sent := app.requests(); len(sent) != 2 {
		t.Errorf("%d events were forwarded", len(sent))
	}
}
