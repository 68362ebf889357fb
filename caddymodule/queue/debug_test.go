package queue

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// TestDebugLines shows what the log has of an event at level debug: no body, nothing
// of its request and nothing of an answer. At level info, it has nothing.
func TestDebugLines(t *testing.T) {
	for _, level := range []zapcore.Level{zap.DebugLevel, zap.InfoLevel} {
		t.Run(level.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, s Settings) {
				core, logs := observer.New(level)
				s.Logger = zap.New(core)
				e := newEvent("1", "")
				e.Body = []byte(`{"data":{"original":{"n":"s3cret"}}}`)
				e.Request = &Request{Method: "POST", URI: "/?token=s3cret", Header: http.Header{"X-Token": {"s3cret"}}}
				answer := func(_ context.Context, d *Delivery) Result {
					if d.Attempt == 1 {
						return Result{Status: 503, Excerpt: []byte("s3cret"), Err: fmt.Errorf("s3cret")}
					}
					return Result{Status: 204}
				}
				g := start(t, s, newDestination("crm", answer))
				g.keep(t, e)
				g.keep(t, newEvent("1", ""))
				time.Sleep(soon)
				g.stop(t)

				id := e.Key.String()
				want := []string{
					"acquired the lease on this destination map[destination:crm lease:1 position:0]",
					"stored event map[id:" + id + " seq:1 source:" + testSource + "]",
					"duplicate event map[id:" + id + " source:" + testSource + "]",
					"attempt begun map[attempt:1 destination:crm id:" + id + "]",
					"attempt ended map[attempt:1 destination:crm id:" + id + " status:503 took:0s]",
					"attempt begun map[attempt:2 destination:crm id:" + id + "]",
					"attempt ended map[attempt:2 destination:crm id:" + id + " status:204 took:0s]",
					"gave up the lease on this destination map[destination:crm lease:1 position:2]",
				}
				var got []string
				for _, line := range logs.All() {
					got = append(got, fmt.Sprint(line.Message, " ", line.ContextMap()))
				}
				if all := strings.Join(got, "\n"); strings.Contains(all, "s3cret") {
					t.Errorf("the log has what it must not:\n%s", all)
				}
				if level == zap.InfoLevel {
					want = nil
				}
				slices.Sort(got) // stored and begun race
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}
