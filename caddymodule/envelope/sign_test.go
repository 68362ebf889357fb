package envelope_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// attempt is when the deliveries of these tests are tried.
var attempt = time.Unix(1_614_265_330, 999_999_999)

const messageID = "msg_p5jXN8AQM9LWM0D4loKWxJek"

// signingKey returns a key of n bytes, all of them b.
func signingKey(n int, b byte) string {
	return envelope.SigningKeyPrefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, n))
}

func newSigner(t *testing.T, keys ...string) *envelope.Signer {
	t.Helper()
	s, err := envelope.NewSigner(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The vector of the specification's own tests.
func TestSignerDocumentedVector(t *testing.T) {
	header := http.Header{}
	newSigner(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").SetHeaders(header, messageID, attempt, []byte(`{"test": 2432232314}`))
	want := http.Header{
		"Webhook-Id":        {messageID},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	if !reflect.DeepEqual(header, want) {
		t.Errorf("SetHeaders() = %v\nwant           %v", header, want)
	}
}

// Receivers use the libraries of Standard Webhooks: with either key of a
// rotation they must find their signature.
func TestSignerVerifiesElsewhere(t *testing.T) {
	keys := []string{signingKey(24, 1), signingKey(32, 2), signingKey(64, 3)}
	stranger := signingKey(32, 4)
	for n := 1; n <= len(keys); n++ {
		s := newSigner(t, keys[:n]...)
		for _, body := range []string{"", fullEnvelope, "\x00\xff", strings.Repeat("x", 1<<16)} {
			header := http.Header{}
			s.SetHeaders(header, messageID, attempt, []byte(body))
			if got := strings.Count(header.Get("webhook-signature"), "v1,"); got != n {
				t.Errorf("%d signatures of %d keys", got, n)
			}
			for i, key := range append(keys[:n:n], stranger) {
				receiver, err := standardwebhooks.NewWebhook(key)
				if err != nil {
					t.Fatal(err)
				}
				isOurs := i < n
				if err = receiver.VerifyIgnoringTimestamp([]byte(body), header); (err == nil) != isOurs {
					t.Errorf("key %d of %d: %v", i+1, n, err)
				}
				if err = receiver.VerifyIgnoringTimestamp([]byte(body+" "), header); err == nil {
					t.Errorf("key %d of %d: another body is taken", i+1, n)
				}
				signature, err := receiver.Sign(messageID, attempt, []byte(body))
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Split(header.Get("webhook-signature"), " "); isOurs && got[i] != signature {
					t.Errorf("signature %d = %s; want %s", i+1, got[i], signature)
				}
			}
		}
	}
}

// The time of the attempt is signed: each attempt has its own.
func TestSignerSignsTheAttempt(t *testing.T) {
	s := newSigner(t, signingKey(32, 1))
	first, second := http.Header{}, http.Header{}
	s.SetHeaders(first, messageID, attempt, []byte("{}"))
	s.SetHeaders(second, messageID, attempt.Add(time.Second), []byte("{}"))
	if first.Get("webhook-id") != second.Get("webhook-id") {
		t.Error("the id changed")
	}
	if second.Get("webhook-timestamp") != "1614265331" || first.Get("webhook-signature") == second.Get("webhook-signature") {
		t.Errorf("first %v, second %v", first, second)
	}
}

func TestNilSigner(t *testing.T) {
	for _, keys := range [][]string{nil, {}} {
		s := newSigner(t, keys...)
		if s != nil {
			t.Fatalf("NewSigner(%v) = %v", keys, s)
		}
		header := http.Header{"Webhook-Id": {"msg_x", "msg_y"}, "X-Other": {"kept"}}
		s.SetHeaders(header, messageID, attempt, []byte("{}"))
		want := http.Header{"Webhook-Id": {messageID}, "Webhook-Timestamp": {"1614265330"}, "X-Other": {"kept"}}
		if !reflect.DeepEqual(header, want) {
			t.Errorf("SetHeaders() = %v; want %v", header, want)
		}
	}
}

func TestSignerReplacesSmuggledHeaders(t *testing.T) {
	header := http.Header{
		"Webhook-Id":        {"msg_x", "msg_y"},
		"Webhook-Timestamp": {"1", "2"},
		"Webhook-Signature": {"v1,x", "v1,y"},
		"X-Other":           {"kept"},
	}
	fresh := http.Header{"X-Other": {"kept"}}
	s := newSigner(t, signingKey(32, 1))
	s.SetHeaders(header, messageID, attempt, []byte("{}"))
	s.SetHeaders(fresh, messageID, attempt, []byte("{}"))
	if !reflect.DeepEqual(header, fresh) {
		t.Errorf("SetHeaders() = %v; want %v", header, fresh)
	}
}

func TestNewSignerErrors(t *testing.T) {
	const (
		form = "a signing key is whsec_ followed by base64; make one with: echo whsec_$(openssl rand -base64 32)"
		size = "a signing key must decode to 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)"
	)
	right := signingKey(32, 7)
	bare := strings.TrimPrefix(right, envelope.SigningKeyPrefix)
	for _, test := range []struct {
		name string
		keys []string
		want string
	}{
		{"empty", []string{""}, form},
		{"without the prefix", []string{bare}, form},
		{"prefix in another case", []string{"WHSEC_" + bare}, form},
		{"space before", []string{" " + right}, form},
		{"of another kind", []string{"whsk_" + bare}, form},
		{"no base64", []string{"whsec_not-a-key-in-base64-but-long-enough"}, form},
		{"without padding", []string{strings.TrimRight(right, "=")}, form},
		{"the prefix twice", []string{"whsec_" + right}, form},
		{"the second one", []string{right, bare}, form},
		{"nothing but the prefix", []string{"whsec_"}, size},
		{"too short", []string{signingKey(23, 7)}, size},
		{"too long", []string{signingKey(65, 7)}, size},
		{"the second one too short", []string{right, signingKey(1, 7)}, size},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := envelope.NewSigner(test.keys)
			if s != nil || err == nil || err.Error() != test.want {
				t.Fatalf("NewSigner() = %v, %v; want %q", s, err, test.want)
			}
			for _, key := range test.keys {
				if encoded := strings.TrimPrefix(key, "whsec_"); encoded != "" && strings.Contains(err.Error(), encoded) {
					t.Errorf("the error %q tells the key %q", err, key)
				}
			}
		})
	}
	for _, n := range []int{24, 64} {
		newSigner(t, signingKey(n, 7))
	}
}

// One signer serves all deliveries of a destination.
func TestSignerConcurrently(t *testing.T) {
	s := newSigner(t, signingKey(32, 1), signingKey(32, 2))
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte(worker)}, 100*worker)
			want := http.Header{}
			newSigner(t, signingKey(32, 1), signingKey(32, 2)).SetHeaders(want, messageID, attempt, body)
			for range 50 {
				header := http.Header{}
				s.SetHeaders(header, messageID, attempt, body)
				if !reflect.DeepEqual(header, want) {
					t.Errorf("SetHeaders() = %v; want %v", header, want)
				}
			}
		})
	}
	wg.Wait()
}
