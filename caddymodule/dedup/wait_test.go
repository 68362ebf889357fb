package dedup_test

import (
	"context"
	"errors"
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
				taken, answer, err := m.Claim(t.Context(), key(1))
				results <- result{claim: taken, answer: answer, err: err}
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

// TestWaitEnds shows that no duplicate waits for more than MaxWait in all.
func TestWaitEnds(t *testing.T) {
	bubble(t, func(t *testing.T, m *dedup.Memory, waiters *dedup.Waiters) {
		claim := take(t, m, t.Context(), key(1))
		first := waiter(t.Context(), m, key(1))
		wantWaiting(t, waiters, 1)
		time.Sleep(dedup.MaxWait - 1)
		wantWaiting(t, waiters, 1)
		time.Sleep(time.Nanosecond)
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
				taken, answer, err := m.Claim(t.Context(), key(1))
				results <- result{taken, answer, err, time.Since(start)}
			}()
		}
		wantWaiting(t, waiters, n)
		time.Sleep(3 * time.Second)
		claim.Release()
		wantWaiting(t, waiters, n-1)
		owner := wantResult(t, results, "claim", 3*time.Second).claim
		for range n - 1 {
			if r := <-results; !errors.Is(r.err, dedup.ErrBusy) || r.after != dedup.MaxWait {
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
