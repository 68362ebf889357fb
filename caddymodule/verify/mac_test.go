package verify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
)

// TestMAC compares MACs with those of crypto/hmac.
func TestMAC(t *testing.T) {
	v, err := verify.NewSignatureVerifier(verify.Signature{Algorithm: verify.HMACSHA256, Places: inHeader("X-Sig")}, []string{"one", "two"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for ordinal, secret := range map[int]string{1: "one", 2: "two"} {
		want := hmac.New(sha256.New, []byte(secret))
		want.Write([]byte("text"))
		if got := v.MAC(ordinal, []byte("text")); !hmac.Equal(got, want.Sum(nil)) {
			t.Errorf("secret %d: %x, want %x", ordinal, got, want.Sum(nil))
		}
	}
	for _, ordinal := range []int{-1, 0, 3} {
		if got := v.MAC(ordinal, []byte("text")); got != nil {
			t.Errorf("secret %d: %x", ordinal, got)
		}
	}
}
