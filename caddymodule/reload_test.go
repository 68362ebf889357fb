package caddymodule_test

import (
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// reloads is how often TestReload loads a configuration.
var reloads = flag.Int("reloads", 20, "how often TestReload loads a configuration")

// TestReload reloads under load: no request fails because of it, no goroutine
// stays, and what was accepted before is a duplicate after.
func TestReload(t *testing.T) {
	secret := secretIn(t, "SECRET")
	app := startApplication(t)
	g := startNotifly(t, app)
	before, header, signature := notifly(secret, "before")
	wantStatus(t, 200, "/", before, header, signature)
	client.CloseIdleConnections()
	goroutines := settledGoroutines()

	l := startLoad(t, secret)
	for n := range *reloads {
		g.load(fmt.Sprint(n))
	}
	l.end()
	wantStatus(t, 200, "/", before, header, signature)

	arrived := make(map[string]int)
	for _, r := range app.requests() {
		arrived[r.event(t).ID]++
	}
	if int64(len(arrived)) != l.sent.Load()+1 {
		t.Errorf("%d events were sent, %d arrived", l.sent.Load()+1, len(arrived))
	}
	if arrived["before"] != 1 {
		t.Error("an event from before the reloads was forwarded again")
	}
	// One whose connection broke may have been on its way already.
	if repeated := int64(len(app.requests()) - len(arrived)); repeated > l.reset.Load() {
		t.Errorf("%d events were forwarded twice, with %d broken connections", repeated, l.reset.Load())
	}
	t.Logf("%d events, %d reloads, %d connections reset, %d events forwarded twice",
		l.sent.Load(), *reloads, l.reset.Load(), len(app.requests())-len(arrived))
	client.CloseIdleConnections()
	app.CloseClientConnections()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
}

// notiflyLoad is several senders of Notifly events, each of which is sent until it
// is answered.
type notiflyLoad struct {
	client      *http.Client
	wg          sync.WaitGroup
	stop        atomic.Bool
	sent, reset atomic.Int64 // events, connections
}

// startLoad starts them. On Linux, Caddy's listeners share the port by SO_REUSEPORT,
// so a connection that waits to be accepted when the old one closes is reset;
// `respond` alone loses as many.
func startLoad(t *testing.T, secret string) *notiflyLoad {
	l := &notiflyLoad{client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	for i := range 8 {
		l.wg.Go(func() {
			for n := 0; !l.stop.Load(); n++ {
				body, header, signature := notifly(secret, fmt.Sprintf("%d-%d", i, n))
				for {
					response, err := l.client.Do(request(t, "/", body, header, signature))
					if err != nil {
						l.reset.Add(1)
						continue
					}
					response.Body.Close()
					if response.StatusCode != 200 {
						t.Errorf("during a reload: %s", response.Status)
					}
					break
				}
				l.sent.Add(1)
			}
		})
	}
	return l
}

// end ends them, when what they send is answered.
func (l *notiflyLoad) end() {
	l.stop.Store(true)
	l.wg.Wait()
}

// settledGoroutines counts the goroutines when their number stands still.
func settledGoroutines() int {
	n := runtime.NumGoroutine()
	for still := 0; still < 50; still++ {
		time.Sleep(time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, still = now, 0
		}
	}
	return n
}
