package caddymodule_test

import (
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"
)

// TestAdminPaging reads all events page by page while more come in: each that was there
// is on one page, in order, and none is there twice.
func TestAdminPaging(t *testing.T) {
	onEngines(t, testPaging)
	t.Run("three logs", func(t *testing.T) { testPaging(t, threeLogs(t)) })
}

// testPaging is TestAdminPaging with a queue.
func testPaging(t *testing.T, queue string) {
	secret := secretIn(t, "SECRET")
	startAt(t, "INFO", `
	log_skip
	webhooks /durable wotnot {
		token {env.SECRET}
		source /durable
		destination app {
			to {
				respond 204
			}
		}
	}
	webhooks /direct wotnot {
		token {env.SECRET}
		source /direct
	}
	respond 204
	`, queue)
	send := func(path string, from, to int) (ids []string) {
		const size = 100
		for ; from < to; from += size {
			items := make([]string, size)
			for i := range items {
				items[i] = fmt.Sprintf("%d:%d", (from+i)%10, from+i)
				ids = append(ids, wotnotKey(path, items[i]))
			}
			if a, err := try(request(t, path, batch(items...), "Token", secret)); err != nil || a.status != 200 {
				t.Errorf("%s: %d, %v", path, a.status, err)
			}
		}
		return ids
	}
	older := send("/durable", 0, 1000)
	direct := send("/direct", 0, 500)
	stored := append(older, send("/durable", 1000, 3000)...)

	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		for n := len(stored); ; n += 100 {
			select {
			case <-stop:
				return
			default:
				send("/durable", n, n+100)
			}
		}
	})
	defer sending.Wait()
	defer close(stop)
	var third []string
	for n, id := range stored {
		if n%10 == 3 {
			third = append(third, id)
		}
	}
	wantPages(t, "", append(direct, stored...))
	wantPages(t, "source=/durable&partitionkey=3", third)
	wantPages(t, "source=/direct", direct)
}

// wantPages reads all pages of a filter, which must have these events, and may have
// newer ones.
func wantPages(t *testing.T, filter string, want []string) {
	t.Helper()
	seen := make(map[string]bool)
	var last time.Time
	query := "?limit=37&" + filter
	for next := query; next != ""; {
		page := readEvents(t, next)
		for _, e := range page.Events {
			if seen[e.ID] {
				t.Fatalf("%s: %s is there twice", next, e.ID)
			}
			if len(seen) > 0 && e.Received.After(last) {
				t.Errorf("%s: an event of %s follows one of %s", next, e.Received, last)
			}
			seen[e.ID], last = true, e.Received
		}
		next = ""
		if page.Next != "" {
			next = query + "&cursor=" + url.QueryEscape(page.Next)
		}
	}
	for _, id := range want {
		if !seen[id] {
			t.Errorf("%s: %s is missing", query, id)
		}
	}
}
