package dedup_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

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
// wait for each other: a request that waits holds nothing.
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
// no request is left waiting.
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
