package webhooks

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestMemory shows that no body, however hostile, costs more memory than a few
// times max_body: what is held while the application works on it, and what is
// allocated in all.
func TestMemory(t *testing.T) {
	const heldTimes, allocatedTimes = 6, 24
	fill := func(head, item, tail string) string {
		n := (DefaultMaxBody - len(head) - len(tail)) / len(item)
		return head + strings.Repeat(item, n) + tail
	}
	for _, c := range []struct {
		name, provider, body string
		status               int
	}{
		{"brackets", "notifly", fill("", "[", ""), 400},
		{"members", "notifly", fill(`{"payload":{`, `"a":{},`, `"b":0}}`), 200},
		{"attachments", "notifly", fill(`{"type":"message.created","payload":{"attachments":[`, `{"url":"u"},`, `{}]}}`), 200},
		{"one long text", "notifly", fill(`{"type":"message.created","payload":{"message":"`, "x", `"}}`), 200},
		{"escapes in it", "notifly", fill(`{"type":"message.created","payload":{"message":"`, `\u0041`, `"}}`), 200},
		{"escapes in names", "notifly", fill(`{`, `"\u0041":0,`, `"b":0}`), 200},
		{"empty items", "wotnot", fill(`{"events":[`, `{},`, `{}]}`), 413},
		{"a thousand events", "wotnot", `{"events":[` + strings.TrimSuffix(strings.Repeat(`{"event":{"type":"message","payload":{"message":{"type":"text","text":"`+strings.Repeat("x", 900)+`"}}}},`, 1000), ",") + `]}`, 200},
		{"variables", "chatbot", fill(`{"messageId":"1","attributes":{`, `"a":0,`, `"b":0}}`), 200},
		{"redactions", "oneroute", fill(`{"conversation":{"Channel":{`, `"credentials":0,`, `"b":0}}}`), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &Handler{Provider: c.provider, Unverified: true, Dedup: &Dedup{Off: true}}
			if err := h.ProvisionAlone(nil, time.Now); err != nil {
				t.Fatal(err)
			}
			var held uint64
			serve := func() (status int) {
				answer := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
				r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), answer, &caddyhttp.Server{})
				err := h.ServeHTTP(answer, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					if held == 0 {
						held = live()
					}
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusOK)
					return nil
				}))
				var refused caddyhttp.HandlerError
				if errors.As(err, &refused) {
					return refused.StatusCode
				}
				return answer.Code
			}
			serve() // pools are filled
			held = 0
			idle := live()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status := serve()
			runtime.ReadMemStats(&after)
			if status != c.status {
				t.Errorf("answered %d, want %d", status, c.status)
			}
			allocated := float64(after.TotalAlloc-before.TotalAlloc) / DefaultMaxBody
			heldMore := max(float64(held)-float64(idle), 0) / DefaultMaxBody
			t.Logf("held %.1f times max_body, allocated %.1f times", heldMore, allocated)
			if heldMore > heldTimes || allocated > allocatedTimes {
				t.Errorf("more than %d times held, or %d times allocated", heldTimes, allocatedTimes)
			}
		})
	}
}

// live returns the bytes that are in use.
func live() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
