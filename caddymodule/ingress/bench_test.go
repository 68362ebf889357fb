package ingress

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/provider"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/verify"
	"github.com/caddy-webhooks/caddy-webhooks/fixtures"
)

// benchmarkEvents are one typical payload of each provider.
var benchmarkEvents = []struct{ provider, event string }{
	{"notifly", "message.updated"},
	{"wotnot", "message.image"},
	{"chatbot", "interaction.matched"},
	{"ndoto", "message_created"},
	{"oneroute", "newMessage"},
}

// BenchmarkEvent measures the gateway's own work on one event: verify, check and
// read the body, write the envelope, claim and commit.
func BenchmarkEvent(b *testing.B) {
	const secret = "benchmark-secret"
	for _, bench := range benchmarkEvents {
		b.Run(bench.provider, func(b *testing.B) {
			p, ok := provider.Get(bench.provider)
			if !ok {
				b.Fatal("no such provider")
			}
			fixture, err := fixtures.Get(bench.provider, bench.event)
			if err != nil {
				b.Fatal(err)
			}
			body := fixture.Body
			verifier, request := benchmarkProof(b, p, secret, body)
			memory := dedup.New(dedup.Settings{Window: time.Hour, Entries: 100_000}, new(dedup.Waiters), time.Now)
			source := "/webhooks/" + bench.provider
			ctx := context.Background()
			var n uint64

			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(request); err != nil {
					b.Fatal(err)
				}
				payload := p.NewPayload("application/json", body)
				if err := payload.Check(); err != nil {
					b.Fatal(err)
				}
				events, err := p.Split(payload.Text())
				if err != nil {
					b.Fatal(err)
				}
				for _, raw := range events {
					e := p.Read(raw, request)
					e.Source = source
					e.Recorded = request.Time
					key := dedup.Key(envelope.NewKey(source, e.DedupKey))
					n++ // one payload stands for many events
					binary.BigEndian.PutUint64(key[:], binary.BigEndian.Uint64(key[:])+n)
					claim, _, err := memory.Claim(ctx, key)
					if err != nil || claim == nil {
						b.Fatal("not claimed", err)
					}
					if out := e.Append(make([]byte, 0, e.Size())); len(out) <= len(raw.Text) {
						b.Fatal("no envelope")
					}
					claim.Commit(nil)
				}
			}
		})
	}
}

// benchmarkProof returns the provider's verifier and a request that passes it.
func benchmarkProof(b *testing.B, p *provider.Provider, secret string, body []byte) (verify.Verifier, *verify.Request) {
	b.Helper()
	request := &verify.Request{Method: "POST", Header: http.Header{}, Body: body, Time: time.Now()}
	if s := p.Spec().Verify.Signature; s != nil {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		request.Header.Set(s.Places[0].Header, s.Prefix+hex.EncodeToString(mac.Sum(nil)))
		v, err := verify.NewSignatureVerifier(*s, []string{secret}, time.Minute)
		if err != nil {
			b.Fatal(err)
		}
		return v, request
	}
	request.Query = "token=" + secret
	v, err := verify.NewTokenVerifier(*p.Spec().Verify.Token, []string{secret})
	if err != nil {
		b.Fatal(err)
	}
	return v, request
}
