package caddymodule_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// TestScrapeWhileLoading scrapes metrics while configurations load: Caddy serves the
// metrics of a configuration before it has started. The race detector is the judge.
func TestScrapeWhileLoading(t *testing.T) {
	secretIn(t, "SECRET")
	g := durable(t, startApplication(t), "")
	stop := make(chan struct{})
	var scrapers sync.WaitGroup
	for range 4 {
		scrapers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// Not by a connection that is kept, which would stay with an older one.
				scrape := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				if answer, err := scrape.Get("http://" + adminAddress + "/metrics"); err == nil {
					_ = answer.Body.Close()
				}
			}
		})
	}
	for n := range 10 {
		g.load(fmt.Sprint(n))
	}
	close(stop)
	scrapers.Wait()
}

// TestHandlingBeforeRequests shows that the time of a provider's requests has a metric
// from the start, so that a rate of it has a beginning.
func TestHandlingBeforeRequests(t *testing.T) {
	secretIn(t, "SECRET")
	startNotifly(t, startApplication(t))
	if n := metric(t, `caddy_webhooks_handling_seconds_count{provider="notifly"}`); n != "0" {
		t.Errorf("%q requests were observed, want 0", n)
	}
}
