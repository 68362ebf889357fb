package caddymodule_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkGateway compares, in one run and in turns, plain reverse_proxy with
// webhooks before it, both without and with request_buffers: the same signed requests
// of 650 bytes over keep-alive loopback connections, each a new event. Senders, gateway
// and receiver share the machine. The ratios are to plain reverse_proxy, each the
// median over all rounds.
func BenchmarkGateway(b *testing.B) {
	const (
		senders = 32
		round   = 2000 // requests
	)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer receiver.Close()
	b.Setenv("SECRET", "benchmark-secret")
	startAt(b, "ERROR", fmt.Sprintf(`
	log_skip
	webhooks /webhooks* notifly {
		secret {env.SECRET}
	}
	reverse_proxy /*/buffered %[1]s {
		request_buffers 64KiB
	}
	reverse_proxy %[1]s
	`, strings.TrimPrefix(receiver.URL, "http://")))
	sample := payload(b, "notifly", "message.updated")
	transport := &http.Transport{MaxIdleConnsPerHost: senders}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport}

	var id atomic.Uint64
	run := func(path string) (perSecond float64) {
		begin := time.Now()
		var left atomic.Int64
		left.Store(round)
		var wg sync.WaitGroup
		for range senders {
			wg.Go(func() {
				mac := hmac.New(sha256.New, []byte("benchmark-secret"))
				for left.Add(-1) >= 0 {
					// As long as the id that it replaces.
					body := bytes.Replace(sample, []byte("a056V7R7NmNRjl70"), fmt.Appendf(nil, "%016x", id.Add(1)), 1)
					mac.Reset()
					mac.Write(body)
					r, err := http.NewRequest(http.MethodPost, gatewayURL+path, bytes.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("X-Notifly-Signature", hex.EncodeToString(mac.Sum(nil)))
					response, err := sender.Do(r)
					if err != nil || response.StatusCode != 200 {
						b.Errorf("%v %v", response, err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
		}
		wg.Wait()
		return round / time.Since(begin).Seconds()
	}
	paths := []string{"/plain", "/webhooks", "/plain/buffered", "/webhooks/buffered"}
	for _, path := range paths { // warm up
		run(path)
	}
	perSecond, ratios := make([][]float64, len(paths)), make([][]float64, len(paths))
	for b.Loop() {
		for i, path := range paths {
			perSecond[i] = append(perSecond[i], run(path))
			ratios[i] = append(ratios[i], perSecond[i][len(perSecond[i])-1]/perSecond[0][len(perSecond[0])-1])
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, path := range paths {
		name := strings.ReplaceAll(path[1:], "/", "-")
		b.ReportMetric(median(perSecond[i]), name+"-req/s")
		if i > 0 {
			b.ReportMetric(median(ratios[i]), name+"-ratio")
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
