package caddymodule_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
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

// receiver is an application that notes when it gets what.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	arrivals []arrival
	taken    map[string]bool // events that were answered 200
	hanging  atomic.Int64    // requests so far that were not answered
	mode     atomic.Pointer[receiverMode]
}

// receiverMode is how a receiver behaves.
type receiverMode struct {
	latency time.Duration // at most; a random part of it
	errors  float64       // how many of its answers are 500
	of      map[string]reaction
}

// reaction is what a receiver does with one event.
type reaction struct {
	wait   time.Duration
	status int // 0 without an answer
}

func startReceiver(t testing.TB) *receiver {
	t.Helper()
	to := &receiver{taken: make(map[string]bool)}
	to.mode.Store(new(receiverMode))
	to.Server = httptest.NewServer(http.HandlerFunc(to.serve))
	t.Cleanup(to.Close)
	return to
}

func (to *receiver) serve(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender died
	}
	var e struct{ ID, PartitionKey string }
	if err := json.Unmarshal(body, &e); err != nil {
		e.ID = "malformed: " + string(body)
	}
	a := arrival{
		event: e.ID, key: e.PartitionKey, webhookID: r.Header.Get("webhook-id"), gateway: r.Header.Get("X-Gateway"),
		begin: begin,
	}
	a.attempt, _ = strconv.Atoi(r.Header.Get("webhook-attempt"))
	mode := to.mode.Load()
	does, ok := mode.of[a.event]
	if !ok {
		does = reaction{time.Duration(rand.Float64() * float64(mode.latency)), http.StatusOK}
		if rand.Float64() < mode.errors {
			does.status = http.StatusInternalServerError
		}
	}
	time.Sleep(does.wait)
	if does.status == 0 {
		to.hanging.Add(1)
		<-r.Context().Done()
		does.status = http.StatusGatewayTimeout
	}
	a.status = does.status
	a.end = time.Now()
	to.mu.Lock()
	to.arrivals = append(to.arrivals, a)
	if a.status == http.StatusOK {
		to.taken[a.event] = true
	}
	to.mu.Unlock()
	w.WriteHeader(a.status)
}

// to is the block of a `destination` that delivers to the receiver.
func (to *receiver) to() string {
	return fmt.Sprintf(`to {
			reverse_proxy %s {
				header_up X-Gateway {env.GATEWAY}
			}
		}`, strings.TrimPrefix(to.URL, "http://"))
}

// got returns what arrived, in the order of the beginnings.
func (to *receiver) got() []arrival {
	to.mu.Lock()
	defer to.mu.Unlock()
	got := slices.Clone(to.arrivals)
	slices.SortStableFunc(got, func(a, b arrival) int { return a.begin.Compare(b.begin) })
	return got
}

// count is how many requests have arrived.
func (to *receiver) count() int {
	to.mu.Lock()
	defer to.mu.Unlock()
	return len(to.arrivals)
}

// forget lets the receiver begin anew.
func (to *receiver) forget() {
	to.mu.Lock()
	defer to.mu.Unlock()
	to.arrivals = nil
	clear(to.taken)
}

// waitTaken waits until the receiver has taken all events.
func (to *receiver) waitTaken(t testing.TB, events []string) {
	t.Helper()
	missing := events
	defer func() {
		if len(missing) > 0 {
			t.Logf("such as %s", missing[0])
		}
	}()
	waitLong(t, "all events have arrived", func() bool {
		to.mu.Lock()
		defer to.mu.Unlock()
		for len(missing) > 0 && to.taken[missing[0]] {
			missing = missing[1:]
		}
		return len(missing) == 0
	})
}

// arrival is a request that a receiver got.
type arrival struct {
	event, key, webhookID, gateway string
	attempt, status                int
	begin, end                     time.Time
}

func (a arrival) String() string {
	return fmt.Sprintf("%s, attempt %d of gateway %s, answered %d, %s–%s", a.event, a.attempt, a.gateway, a.status, clock(a.begin), clock(a.end))
}

// number is which of its conversation's events it is, from 0.
func (a arrival) number(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(a.event[strings.LastIndexByte(a.event, '-')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func clock(t time.Time) string { return t.Format("05.000") }
