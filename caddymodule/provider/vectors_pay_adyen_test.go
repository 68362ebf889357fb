package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

func init() {
	implementations["adyen"] = implementation{secret: adyenKey, prove: func(r *verify.Request, _ time.Time) {
		r.Body = []byte(signAdyen(string(r.Body)))
	}}
}

// noAdyenSignature is in each item of the fixtures.
const noAdyenSignature = `"hmacSignature":""`

// signAdyen signs each item of a body. Adyen's libraries join the members as they are,
// without escapes, and so do the notifications in
// Adyen/adyen-python-api-library test/mocks/util, whose references have colons and
// backslashes.
func signAdyen(body string) string {
	var sent struct {
		NotificationItems []struct {
			NotificationRequestItem struct {
				PspReference, OriginalReference        string
				MerchantAccountCode, MerchantReference string
				Amount                                 struct {
					Value    json.Number
					Currency string
				}
				EventCode, Success string
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		panic(err)
	}
	key, err := hex.DecodeString(adyenKey)
	if err != nil {
		panic(err)
	}
	for _, item := range sent.NotificationItems {
		i := item.NotificationRequestItem
		content := strings.Join([]string{
			i.PspReference, i.OriginalReference, i.MerchantAccountCode, i.MerchantReference,
			i.Amount.Value.String(), i.Amount.Currency, i.EventCode, i.Success,
		}, ":")
		mac := base64.StdEncoding.EncodeToString(hmacOf(sha256.New, string(key), content))
		body = strings.Replace(body, noAdyenSignature, `"hmacSignature":"`+mac+`"`, 1)
	}
	return body
}

// TestAdyenItems shows that each item of a batch must be proved, with all of its signed
// members.
func TestAdyenItems(t *testing.T) {
	batch, err := fixtures.Get("adyen", "batch")
	if err != nil {
		t.Fatal(err)
	}
	signed := signAdyen(string(batch.Body))
	p := get(t, "adyen")
	v, err := verifierOf(p.Spec().Verify, adyenKey)
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(body string) bool {
		return verifyWith(p, v, proofRequest(t, http.MethodPost, hookURL, nil, []byte(body), time.Now())) != nil
	}
	if refuses(signed) {
		t.Fatal("a signed batch is refused")
	}
	last := strings.LastIndex(signed, `"hmacSignature"`)
	if !refuses(signed[:last] + strings.Replace(signed[last:], `"hmacSignature"`, `"other"`, 1)) {
		t.Error("a batch passes whose last item is not signed")
	}
	for member, forged := range map[string]string{
		`"EX4MPLE000000003"`:                     `"EX4MPLE000000004"`,
		`"originalReference":"EX4MPLE000000001"`: `"originalReference":"EX4MPLE000000002"`,
		`"ExampleMerchantECOM"`:                  `"ExampleMerchantPOS"`,
		`":order\\6735"`:                         `":order6735"`,
		`"value":1000`:                           `"value":9000`,
		`"EUR"`:                                  `"USD"`,
		`"eventCode":"REFUND"`:                   `"eventCode":"CAPTURE"`,
		`"success":"false"`:                      `"success":"true"`,
	} {
		at := strings.LastIndex(signed, member)
		if at < 0 {
			t.Fatalf("%s is not in the fixture", member)
		}
		if !refuses(signed[:at] + forged + signed[at+len(member):]) {
			t.Errorf("%s passes in the place of %s", forged, member)
		}
	}
}
