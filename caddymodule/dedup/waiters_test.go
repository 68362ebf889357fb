package dedup_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// TestWaitersPerKey shows that one key cannot fill the gateway with requests.
func TestWaitersPerKey(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		ctx, cancel := context.WithCancel(t.Context())
		leaves := waiter(ctx, m, key(1))
		var results []<-chan result
		for range dedup.MaxWaitersPerKey - 1 {
			results = append(results, waiter(t.Context(), m, key(1)))
		}
		wantWaiting(t, waiters, dedup.MaxWaitersPerKey)
		wantResult(t, waiter(t.Context(), m, key(1)), dedup.ErrBusy.Error(), 0)
		wantWaiting(t, waiters, dedup.MaxWaitersPerKey)

		// Another key has room of its own, and a place that is left is free.
		take(t, m, t.Context(), key(2)).Release()
		cancel()
		wantResult(t, leaves, context.Canceled.Error(), 0)
		results = append(results, waiter(t.Context(), m, key(1)))
		wantResult(t, waiter(t.Context(), m, key(1)), dedup.ErrBusy.Error(), 0)

		claim.Commit(nil)
		for _, waiting := range results {
			wantResult(t, waiting, "duplicate", 0)
		}
	})
}

// TestWaitersInAll shows that the memories of all sources share one bound.
func TestWaitersInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiters := new(dedup.Waiters)
		memories := make([]*dedup.Memory, 4)
		for i := range memories {
			memories[i] = dedup.New(settings, waiters, time.Now)
		}
		var claims []*dedup.Claim
		results := make(chan result, dedup.MaxWaiters)
		for i := range dedup.MaxWaiters / dedup.MaxWaitersPerKey {
			m, k := memories[i%len(memories)], key(i)
			claims = append(claims, take(t, m, t.Context(), k))
			for range dedup.MaxWaitersPerKey {
				go func() {
					claim, answer, err := m.Claim(t.Context(), k)
					results <- result{claim: claim, answer: answer, err: err}
				}()
			}
		}
		wantWaiting(t, waiters, dedup.MaxWaiters)

		last := take(t, memories[0], t.Context(), key(99))
		for range 3 {
			wantResult(t, waiter(t.Context(), memories[0], key(99)), dedup.ErrBusy.Error(), 0)
		}
		wantWaiting(t, waiters, dedup.MaxWaiters) // the refused ones do not count

		claims[0].Commit(nil)
		wantWaiting(t, waiters, dedup.MaxWaiters-dedup.MaxWaitersPerKey)
		waiting := waiter(t.Context(), memories[0], key(99))
		wantWaiting(t, waiters, dedup.MaxWaiters-dedup.MaxWaitersPerKey+1)

		last.Commit(nil)
		for _, claim := range claims[1:] {
			claim.Commit(nil)
		}
		wantResult(t, waiting, "duplicate", 0)
		wantWaiting(t, waiters, 0)
		for range dedup.MaxWaiters {
			if r := <-results; r.String() != "duplicate" {
				t.Fatalf("%v, want a duplicate", r)
			}
		}
	})
}

// TestWaitersOfALapsedClaim wait on for the request that takes the place of an owner that
// never comes back, and learn that one's outcome.
func TestWaitersOfALapsedClaim(t *testing.T) {
	for _, success := range []bool{true, false} {
		t.Run(fmt.Sprint(success), func(t *testing.T) {
			bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
				late := take(t, m, gone, key(1))
				time.Sleep(58 * time.Second)
				waiting := waiter(t.Context(), m, key(1))
				time.Sleep(2 * time.Second)
				owner := take(t, m, t.Context(), key(1))
				wantWaiting(t, waiters, 1)
				late.Release() // too late: it wakes no waiter
				wantWaiting(t, waiters, 1)
				time.Sleep(time.Second)
				if success {
					owner.Commit(nil)
					wantResult(t, waiting, "duplicate", 3*time.Second)
				} else {
					owner.Release()
					wantResult(t, waiting, "claim", 3*time.Second).claim.Release()
				}
			})
		})
	}
}
