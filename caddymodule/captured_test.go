package caddymodule_test

import (
	"fmt"
	"testing"
	"time"
)

// TestCapturedMailgun shows that a captured request of Mailgun's, whose signature does
// not cover the event, does not let in another event.
func TestCapturedMailgun(t *testing.T) {
	secret, app := secretIn(t, "SECRET"), startApplication(t)
	start(t, "webhooks mailgun {\nsecret {env.SECRET}\n}\n"+app.proxy())
	now := fmt.Sprint(time.Now().Unix())
	signature := hexMAC(secret, []byte(now+"123abc"))
	body := func(timestamp, token, id string) []byte {
		return fmt.Appendf(nil, `{"signature":{"timestamp":%q,"token":%q,"signature":%q},"event-data":{"id":%q,"event":"delivered"}}`, timestamp, token, signature, id)
	}
	wantStatus(t, 200, "/", body(now, "123abc", "captured"))
	app.want(t, 1)

	wantStatus(t, 200, "/", body(now, "123abc", "forged")) // as a duplicate
	wantStatus(t, 200, "/", body(now+"123", "abc", "forged in milliseconds"))
	wantStatus(t, 401, "/", body(now+"1", "23abc", "forged in the future"))
	app.want(t, 1)
}
