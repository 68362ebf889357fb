package dedup_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// result is what Claim returned to a duplicate, and when.
type result struct {
	claim  *dedup.Claim
	answer *dedup.Answer
	err    error
	after  time.Duration
}

func (r result) String() string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case r.claim != nil:
		return "claim"
	}
	return "duplicate"
}

// waiter asks for a key in a goroutine of its own.
func waiter(ctx context.Context, m *dedup.Memory, k dedup.Key) <-chan result {
	results := make(chan result, 1)
	start := time.Now()
	go func() {
		claim, answer, err := m.Claim(ctx, k)
		results <- result{claim, answer, err, time.Since(start)}
	}()
	synctest.Wait()
	return results
}

// wantWaiting fails the test unless so many duplicates wait.
func wantWaiting(t *testing.T, waiters *dedup.Waiters, wanted int) {
	t.Helper()
	synctest.Wait()
	if n := waiters.Waiting(); n != wanted {
		t.Fatalf("%d wait, want %d", n, wanted)
	}
}

// wantResult fails the test unless a waiter got the result after the time.
func wantResult(t *testing.T, results <-chan result, wanted string, after time.Duration) result {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-results:
		if r.String() != wanted || r.after != after {
			t.Fatalf("%v after %v, want %v after %v", r, r.after, wanted, after)
		}
		return r
	default:
		t.Fatalf("it still waits, want %v", wanted)
	}
	panic("not reached")
}

// bubble runs a test whose time passes only while everybody waits.
func bubble(t *testing.T, test func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		waiters := new(dedup.Waiters)
		test(t, dedup.New(settings, waiters, time.Now), waiters)
		wantWaiting(t, waiters, 0)
	})
}

// TestWaiterLearnsSuccess makes a waiter a duplicate.
func TestWaiterLearnsSuccess(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		waiting := waiter(t.Context(), m, key(1))
		wantWaiting(t, waiters, 1)
		time.Sleep(3 * time.Second)
		claim.Commit(nil)
		wantResult(t, waiting, "duplicate", 3*time.Second)
	})
}

// TestWaiterLearnsFailure lets a waiter take the place of the first.
func TestWaiterLearnsFailure(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		waiting := waiter(t.Context(), m, key(1))
		time.Sleep(3 * time.Second)
		claim.Release()
		wantResult(t, waiting, "claim", 3*time.Second).claim.Commit(nil)
		want(t, m, key(1), done)
	})
}

// TestOneWaiterTakesThePlace shows that each failure gives the claim to exactly
// one of many, and that the others wait on for that one.
func TestOneWaiterTakesThePlace(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		const n = 10
		results := make(chan result, n)
		claim := take(t, m, t.Context(), key(1))
		for range n {
			go func() {
				claim, answer, err := m.Claim(t.Context(), key(1))
				results <- result{claim: claim, answer: answer, err: err}
			}()
		}
		wantWaiting(t, waiters, n)
		for left := n - 1; left >= n/2; left-- {
			claim.Release()
			wantWaiting(t, waiters, left)
			if len(results) != 1 {
				t.Fatalf("%d waiters learned something, want one", len(results))
			}
			r := <-results
			if claim = r.claim; claim == nil {
				t.Fatalf("%v, want a claim", r)
			}
		}
		claim.Commit(nil)
		for range n / 2 {
			if r := <-results; r.String() != "duplicate" {
				t.Errorf("%v, want a duplicate", r)
			}
		}
	})
}

// TestWaitEnds shows that nobody waits for more than MaxWait in all.
func TestWaitEnds(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		first := waiter(t.Context(), m, key(1))
		wantWaiting(t, waiters, 1)
		time.Sleep(dedup.MaxWait - 1)
		wantWaiting(t, waiters, 1)
		time.Sleep(1)
		r := wantResult(t, first, dedup.ErrBusy.Error(), dedup.MaxWait)
		if !errors.Is(r.err, dedup.ErrBusy) {
			t.Errorf("%v is not ErrBusy", r.err)
		}
		wantWaiting(t, waiters, 0)

		// One that waits on for another waiter's outcome does not begin anew.
		const n = 10
		results := make(chan result, n)
		start := time.Now()
		for range n {
			go func() {
				claim, answer, err := m.Claim(t.Context(), key(1))
				results <- result{claim, answer, err, time.Since(start)}
			}()
		}
		wantWaiting(t, waiters, n)
		time.Sleep(3 * time.Second)
		claim.Release()
		wantWaiting(t, waiters, n-1)
		owner := wantResult(t, results, "claim", 3*time.Second).claim
		for range n - 1 {
			if r := <-results; r.err != dedup.ErrBusy || r.after != dedup.MaxWait {
				t.Errorf("%v after %v, want busy after %v", r, r.after, dedup.MaxWait)
			}
		}
		owner.Release()
	})
}

// TestWaiterGoesAway is about a waiting client that hangs up.
func TestWaiterGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		ctx, cancel := context.WithCancel(t.Context())
		waiting := waiter(ctx, m, key(1))
		stays := waiter(t.Context(), m, key(1))
		wantWaiting(t, waiters, 2)
		time.Sleep(time.Second)
		cancel()
		wantResult(t, waiting, context.Canceled.Error(), time.Second)
		wantWaiting(t, waiters, 1)

		deadline, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		waiting = waiter(deadline, m, key(1))
		time.Sleep(time.Second)
		wantResult(t, waiting, context.DeadlineExceeded.Error(), time.Second)

		claim.Commit(nil)
		wantResult(t, stays, "duplicate", 2*time.Second)
	})
}

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

// TestWaitersOfALapsedClaim wait on for whoever takes the place of an owner that
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
				late.Release() // too late: it wakes nobody
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

// TestLateCommitWakes shows that those who wait for the new owner learn of the
// late owner's success.
func TestLateCommitWakes(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		late := take(t, m, gone, key(1))
		time.Sleep(time.Minute)
		owner := take(t, m, t.Context(), key(1))
		waiting := waiter(t.Context(), m, key(1))
		wantWaiting(t, waiters, 1)
		late.Commit(nil)
		wantResult(t, waiting, "duplicate", 0)
		owner.Release()
		want(t, m, key(1), done)
	})
}

// TestFiftyClaimOneKey is the reason why asking and claiming are one operation.
func TestFiftyClaimOneKey(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		const n = 50
		results := make(chan result, n)
		start := make(chan struct{})
		for range n {
			go func() {
				<-start
				claim, answer, err := m.Claim(t.Context(), key(1))
				results <- result{claim: claim, answer: answer, err: err}
			}()
		}
		close(start)
		wantWaiting(t, waiters, n-1)
		if len(results) != 1 {
			t.Fatalf("%d claims, want 1", len(results))
		}
		(<-results).claim.Commit(nil)
		for range n - 1 {
			if r := <-results; r.String() != "duplicate" {
				t.Errorf("%v, want a duplicate", r)
			}
		}
	})
}

// TestCrossedBatches shows that batches that claim one event at a time cannot
// wait for each other: whoever waits holds nothing.
func TestCrossedBatches(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, _ *dedup.Waiters) {
		var mu sync.Mutex
		outcomes := make(map[string]int)
		var batches sync.WaitGroup
		start := time.Now()
		for _, batch := range [][]dedup.Key{{key(1), key(2)}, {key(2), key(1)}} {
			batches.Go(func() {
				for _, k := range batch {
					claim, _, err := m.Claim(t.Context(), k)
					mu.Lock()
					outcomes[result{claim: claim, err: err}.String()]++
					mu.Unlock()
					time.Sleep(time.Second) // the application works
					claim.Commit(nil)
				}
			})
		}
		batches.Wait()
		if outcomes["claim"] != 2 || outcomes["duplicate"] != 2 {
			t.Errorf("%v, want each event claimed once and a duplicate once", outcomes)
		}
		if took := time.Since(start); took >= dedup.MaxWait {
			t.Errorf("it took %v", took)
		}
	})
}

// TestOneOwner hammers a few keys from many goroutines, in real time for the
// race detector: no key ever has two owners, none is claimed after a commit, and
// nobody is left waiting.
func TestOneOwner(t *testing.T) {
	const keys, goroutines, rounds = 20, 50, 40
	waiters := new(dedup.Waiters)
	m := dedup.New(settings, waiters, time.Now)
	var owners, commits [keys]atomic.Int32
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for range rounds {
				n := random.IntN(keys)
				claim, _, err := m.Claim(context.Background(), key(n))
				if err != nil {
					t.Error(err)
					return
				}
				if claim == nil {
					continue
				}
				if owners[n].Add(1) != 1 || commits[n].Load() != 0 {
					t.Errorf("key %d is claimed, and has an owner or was accepted", n)
				}
				success := random.IntN(10) == 0
				if success {
					commits[n].Add(1)
				}
				owners[n].Add(-1)
				if success {
					claim.Commit(nil)
				} else {
					claim.Release()
				}
			}
		})
	}
	all.Wait()
	if n := waiters.Waiting(); n != 0 {
		t.Errorf("%d still wait", n)
	}
	var accepted []int
	for n := range keys {
		switch got := state(t, m, key(n)); {
		case got == done && commits[n].Load() == 1:
			accepted = append(accepted, n)
		case got != free || commits[n].Load() != 0:
			t.Errorf("key %d is %s after %d commits", n, got, commits[n].Load())
		}
	}
	slices.Sort(accepted)
	if len(accepted) != m.Len() {
		t.Errorf("%d are remembered, want %v", m.Len(), accepted)
	}
}
