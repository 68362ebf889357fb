package caddymodule_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

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

// settledGoroutines counts the goroutines when their number no longer changes.
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

// openFiles counts the files and connections that the process has open.
func openFiles(t testing.TB) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	return len(files)
}
