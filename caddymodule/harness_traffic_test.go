package caddymodule_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// signNotifly returns the payload of a Notifly event and its signature. That is not
// noted as a secret: to look for thousands of them in all logs takes minutes.
func signNotifly(secret, id, conversation string) (body []byte, signature string) {
	body = fmt.Appendf(nil, `{"id":%q,"type":"message.created","payload":{"id":"m-%s","conversation_id":%q,"message":"hi"}}`, id, id, conversation)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return body, hex.EncodeToString(mac.Sum(nil))
}

// once makes a connection for each request, so that a trace shows its beginning.
var once = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// sendOnce sends an event to a gateway once.
func sendOnce(client *http.Client, url, secret, id, conversation string) (status int, header http.Header, err error) {
	body, signature := signNotifly(secret, id, conversation)
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Notifly-Signature", signature)
	response, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header, err
}

// sendGroup sends events at the same time and returns what each was answered and
// after how long.
func sendGroup(t testing.TB, c *child, secret, prefix string, n int) (ids []string, statuses []int, took []time.Duration) {
	t.Helper()
	ids, statuses, took = make([]string, n), make([]int, n), make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
		wg.Go(func() {
			begin := time.Now()
			status, header, err := sendOnce(once, c.url, secret, ids[i], ids[i])
			if err != nil || status != http.StatusOK && header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v %v", ids[i], status, header, err)
			}
			statuses[i], took[i] = status, time.Since(begin)
		})
	}
	wg.Wait()
	return ids, statuses, took
}

// wantGroup is sendGroup and checks that all were answered the same.
func wantGroup(t testing.TB, c *child, secret, prefix string, n, want int) (ids []string) {
	t.Helper()
	ids, statuses, _ := sendGroup(t, c, secret, prefix, n)
	for i, status := range statuses {
		if status != want {
			t.Errorf("%s: got %d, want %d", ids[i], status, want)
		}
	}
	return ids
}

// traffic is a number of senders with connections of their own. Each sends one
// event after the other, of one conversation, and each until it is answered 200.
type traffic struct {
	t        testing.TB
	secret   string
	prefix   string
	gateways []*child
	client   *http.Client
	pace     time.Duration // between two events of a sender
	stopping atomic.Bool
	wg       sync.WaitGroup

	unavailable, broken atomic.Int64 // answers of 503, and connections

	mu       sync.Mutex
	answered map[string]bool
	mark     time.Time
	first    time.Time // when what was sent after mark was answered first
}

func (l *traffic) run(sender int) {
	conversation := fmt.Sprintf("%s-%d", l.prefix, sender)
	for n := 0; !l.stopping.Load(); n++ {
		if !l.sendUntilAnswered(sender+n, fmt.Sprintf("%s-%d", conversation, n), conversation) {
			return
		}
		time.Sleep(l.pace)
	}
}

// sendUntilAnswered sends an event to one gateway after the other.
func (l *traffic) sendUntilAnswered(turn int, id, conversation string) bool {
	for deadline := time.Now().Add(childPatience); time.Now().Before(deadline); turn++ {
		sent := time.Now()
		status, header, err := sendOnce(l.client, l.gateways[turn%len(l.gateways)].url, l.secret, id, conversation)
		switch {
		case err != nil:
			l.broken.Add(1)
		case status == http.StatusOK:
			l.note(id, sent)
			return true
		case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
			l.unavailable.Add(1)
		default:
			l.t.Errorf("%s: got %d with Retry-After %q, want 200, or 503 with one", id, status, header.Get("Retry-After"))
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.t.Errorf("%s was not answered 200 within %s", id, childPatience)
	return false
}

func (l *traffic) note(id string, sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered[id] = true
	if l.first.IsZero() && sent.After(l.mark) {
		l.first = time.Now()
	}
}

// soFar returns the events that were answered 200.
func (l *traffic) soFar() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.answered))
}

// waitAnswer waits until what is sent from now on is answered, and returns when.
func (l *traffic) waitAnswer() time.Time {
	l.t.Helper()
	l.mu.Lock()
	l.mark, l.first = time.Now(), time.Time{}
	l.mu.Unlock()
	var first time.Time
	waitLong(l.t, "an event is answered 200", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		first = l.first
		return !first.IsZero()
	})
	return first
}

// stop has the senders finish the event that each is at, and returns all that
// were answered 200.
func (l *traffic) stop() []string {
	l.t.Helper()
	l.stopping.Store(true)
	l.wg.Wait()
	if len(l.answered) == 0 {
		l.t.Fatal("no event was answered")
	}
	return l.soFar()
}

func startTraffic(t testing.TB, prefix string, senders int, pace time.Duration, secret string, gateways ...*child) *traffic {
	t.Helper()
	l := &traffic{
		t: t, prefix: prefix, pace: pace, secret: secret, gateways: gateways, answered: make(map[string]bool),
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}},
	}
	t.Cleanup(l.client.CloseIdleConnections)
	for sender := range senders {
		l.wg.Go(func() { l.run(sender) })
	}
	return l
}
