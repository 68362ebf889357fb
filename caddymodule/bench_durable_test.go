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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkDurable compares, in one run and in turns, (a) plain reverse_proxy,
// (b) webhooks with one `destination` whose application answers at once, and (c) the
// same with the delivery paused: the same signed requests of 650 bytes over
// keep-alive loopback connections, each a new event. Senders, gateway and
// receiver share the machine. Ratios are medians over all rounds.
func BenchmarkDurable(b *testing.B) {
	for _, senders := range []int{8, 32, 256} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) { benchmarkDurable(b, senders) })
	}
	b.Run("idle", benchmarkIdle)
}

// durableBench is a gateway, a receiver and senders.
type durableBench struct {
	b        testing.TB
	received atomic.Int64
	sender   *http.Client
	sample   []byte
	id       atomic.Uint64
}

func startDurableBench(b *testing.B, senders int) *durableBench {
	d := &durableBench{b: b, sample: payload(b, "notifly", "message.updated")}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		d.received.Add(1)
	}))
	b.Cleanup(receiver.Close)
	b.Setenv("SECRET", "benchmark-secret")
	upstream := strings.TrimPrefix(receiver.URL, "http://")
	startAt(b, "ERROR", fmt.Sprintf(`
	log_skip
	webhooks /delivered notifly {
		secret {env.SECRET}
		source /delivered
		destination delivered {
			to {
				reverse_proxy %s
			}
		}
	}
	webhooks /paused notifly {
		secret {env.SECRET}
		source /paused
		destination paused {
			to {
				reverse_proxy %s
			}
		}
	}
	reverse_proxy %s
	`, upstream, upstream, upstream), fmt.Sprintf("webhooks {\n\t\tqueue sqlite %s/queue.db\n\t\tretention 7d 64GiB\n\t}", b.TempDir()))
	d.sender = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	b.Cleanup(d.sender.CloseIdleConnections)
	response, err := http.Post("http://"+adminAddress+"/webhooks/pause/paused", "", nil)
	if err != nil || response.StatusCode != 200 {
		b.Fatal(response, err)
	}
	response.Body.Close()
	return d
}

// post sends one new event.
func (d *durableBench) post(path string) error {
	// As long as the id that it replaces.
	body := bytes.Replace(d.sample, []byte("a056V7R7NmNRjl70"), fmt.Appendf(nil, "%016x", d.id.Add(1)), 1)
	mac := hmac.New(sha256.New, []byte("benchmark-secret"))
	mac.Write(body)
	r, err := http.NewRequest(http.MethodPost, gatewayURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Notifly-Signature", hex.EncodeToString(mac.Sum(nil)))
	response, err := d.sender.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != 200 {
		return fmt.Errorf("answered %d", response.StatusCode)
	}
	return nil
}

// load is how one round went.
type load struct {
	answered  float64 // per second
	delivered float64 // per second, until the last one was
	took      []time.Duration
}

// round sends a number of events and waits until they are delivered, if they
// are to be.
func (d *durableBench) round(path string, senders, n int, isDelivered bool) (l load) {
	received := d.received.Load()
	begin := time.Now()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < n; i = next.Add(1) - 1 {
				sent := time.Now()
				if err := d.post(path); err != nil {
					d.b.Error(err)
					return
				}
				took[i] = time.Since(sent)
			}
		})
	}
	wg.Wait()
	l.answered = float64(n) / time.Since(begin).Seconds()
	l.took = took
	for isDelivered && d.received.Load()-received < int64(n) && !d.b.Failed() {
		time.Sleep(100 * time.Microsecond)
	}
	l.delivered = float64(n) / time.Since(begin).Seconds()
	return l
}

func benchmarkDurable(b *testing.B, senders int) {
	const n = 4000
	d := startDurableBench(b, senders)
	ways := []struct {
		name, path  string
		isDelivered bool
	}{{"plain", "/plain", true}, {"delivered", "/delivered", true}, {"paused", "/paused", false}}
	for _, way := range ways { // warm up
		d.round(way.path, senders, n, way.isDelivered)
	}
	answered, delivered := make([][]float64, len(ways)), make([][]float64, len(ways))
	ratios, deliveredRatios := make([][]float64, len(ways)), make([][]float64, len(ways))
	took := make([][]time.Duration, len(ways))
	commits := make([][]float64, len(ways))
	for b.Loop() {
		var plain load
		for i, way := range ways {
			before := committed(b)
			l := d.round(way.path, senders, n, way.isDelivered)
			if i == 0 {
				plain = l
			}
			commits[i] = append(commits[i], (committed(b)-before)/n)
			answered[i], delivered[i] = append(answered[i], l.answered), append(delivered[i], l.delivered)
			ratios[i] = append(ratios[i], l.answered/plain.answered)
			deliveredRatios[i] = append(deliveredRatios[i], l.delivered/plain.delivered)
			took[i] = append(took[i], l.took...)
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, way := range ways {
		slices.Sort(took[i])
		b.ReportMetric(median(answered[i]), way.name+"-answered/s")
		b.ReportMetric(float64(took[i][len(took[i])/2].Microseconds())/1000, way.name+"-p50-ms")
		b.ReportMetric(float64(took[i][len(took[i])*99/100].Microseconds())/1000, way.name+"-p99-ms")
		if i == 0 {
			continue
		}
		b.ReportMetric(median(ratios[i]), way.name+"-ratio")
		b.ReportMetric(median(commits[i]), way.name+"-fsyncs/event")
		if way.isDelivered {
			b.ReportMetric(median(delivered[i]), way.name+"-delivered/s")
			b.ReportMetric(median(deliveredRatios[i]), way.name+"-delivered-ratio")
		}
	}
}

// committed returns how many transactions, each with an fsync, there were.
func committed(b *testing.B) float64 {
	n, err := strconv.ParseFloat(metric(b, "caddy_webhooks_queue_commits_total"), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchmarkIdle measures how long it takes from the POST to the application when
// nothing else goes on.
func benchmarkIdle(b *testing.B) {
	d := startDurableBench(b, 1)
	var took []float64
	one := func() {
		received := d.received.Load()
		begin := time.Now()
		if err := d.post("/delivered"); err != nil {
			b.Fatal(err)
		}
		for d.received.Load() == received {
			time.Sleep(20 * time.Microsecond)
		}
		took = append(took, float64(time.Since(begin).Microseconds())/1000)
	}
	for range 20 {
		one() // warm up
	}
	took = nil
	for b.Loop() {
		one()
		time.Sleep(5 * time.Millisecond) // idle
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(took), "median-ms")
}
