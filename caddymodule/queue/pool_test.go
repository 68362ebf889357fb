package queue

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// TestPart shows what each log brings.
func TestPart(t *testing.T) {
	for _, c := range []struct {
		whole, logs int
		want        []int
	}{
		{16, 1, []int{16}},
		{16, 4, []int{4, 4, 4, 4}},
		{5, 4, []int{2, 1, 1, 1}},
		{2, 4, []int{1, 0, 1, 0}},
		{1, 4, []int{1, 0, 0, 0}},
		{3, 8, []int{1, 0, 1, 0, 0, 1, 0, 0}},
	} {
		for log, want := range c.want {
			if got := part(c.whole, log, c.logs); got != want {
				t.Errorf("log %d of %d brings %d of %d, want %d", log, c.logs, got, c.whole, want)
			}
		}
	}
	for whole := 1; whole <= 20; whole++ {
		for logs := 1; logs <= 8; logs++ {
			sum := 0
			for log := range logs {
				n := part(whole, log, logs)
				sum += n
				if n < whole/logs || n > (whole+logs-1)/logs {
					t.Errorf("log %d of %d brings %d of %d", log, logs, n, whole)
				}
				if l := leader(whole, log, logs); l > log || part(whole, l, logs) == 0 || n > 0 && l != log {
					t.Errorf("log %d of %d follows log %d with %d", log, logs, l, whole)
				}
			}
			if sum != whole {
				t.Errorf("%d logs bring %d of %d", logs, sum, whole)
			}
		}
	}
}

// poolOf returns the workers of a destination in several logs, which share a pool, and
// what each of them brings, with a token for each attempt of whole.
func poolOf(logs, whole int, limit rate.Limit) ([]*worker, []*contribution) {
	c := newCommon(1)
	var workers []*worker
	var all []*contribution
	for log := range logs {
		w := newWorker(&eventLog{common: c, number: log, now: time.Now}, "a")
		share := &contribution{owner: w, revoked: context.Background(), tokens: part(whole, log, logs), leader: leader(whole, log, logs), limit: limit}
		w.contribution = share
		w.pool.contribute(share)
		workers = append(workers, w)
		all = append(all, share)
	}
	return workers, all
}

// isPoked reports whether a worker was poked since it was asked last.
func (w *worker) isPoked() bool {
	select {
	case <-w.wake:
		return true
	default:
		return false
	}
}

// TestPoolUsesAll has one log use what all of them bring, its own part first.
func TestPoolUsesAll(t *testing.T) {
	workers, all := poolOf(3, 6, rate.Inf)
	p := workers[0].pool
	now := time.Now()
	for i, want := range []*contribution{all[1], all[1]} {
		if got := p.take(workers[1], 6, now); got != want {
			t.Errorf("token %d is not its own", i)
		}
	}
	for range 4 {
		if p.take(workers[1], 6, now) == nil {
			t.Fatal("a token is not given to another log")
		}
	}
	if p.take(workers[1], 6, now) != nil {
		t.Error("there are more tokens than attempts")
	}
}

// TestPoolTurns shows that workers that wait get tokens in turn, and are poked for them.
func TestPoolTurns(t *testing.T) {
	workers, _ := poolOf(3, 1, rate.Inf)
	p := workers[0].pool
	now := time.Now()
	token := p.take(workers[0], 1, now)
	for _, w := range []*worker{workers[2], workers[1], workers[0]} {
		if p.take(w, 1, now) != nil {
			t.Fatal("one token is given twice")
		}
	}
	for turn, n := range []int{2, 1, 0, 2, 1, 0} {
		for _, w := range workers {
			w.isPoked()
		}
		p.give(token)
		if w := workers[n]; !w.isPoked() {
			t.Errorf("turn %d: log %d is not poked", turn, n)
		}
		for i, w := range workers {
			if i != n && p.take(w, 1, now) != nil {
				t.Fatalf("turn %d: log %d goes before log %d", turn, i, n)
			}
		}
		if token = p.take(workers[n], 1, now); token == nil {
			t.Fatalf("turn %d: log %d gets no token", turn, n)
		}
		p.take(workers[n], 1, now) // waits again
	}

	// One that has nothing to begin any more lets the next one go.
	p.give(token)
	workers[1].isPoked()
	p.pass(workers[2])
	if !workers[1].isPoked() || p.take(workers[1], 1, now) == nil {
		t.Error("the next one does not get the turn of one that passes")
	}
}

// TestPoolWithdraws shows that what a tenure brought is not used once it is withheld, and
// that a withdrawal is over when all attempts that use it have ended.
func TestPoolWithdraws(t *testing.T) {
	workers, all := poolOf(2, 4, 10)
	p := workers[0].pool
	now := time.Now()
	if p.limiter.Limit() != 20 {
		t.Errorf("the limit is %v", p.limiter.Limit())
	}
	p.adjust(all[0], 2, 0, rate.Inf)
	p.adjust(all[1], 2, 1, rate.Inf)
	var tokens []*contribution
	for range 3 {
		tokens = append(tokens, p.take(workers[0], 4, now))
	}
	if tokens[2] != all[1] {
		t.Fatal("the third token is not the other log's")
	}
	p.withhold(all[1], true)
	if p.take(workers[1], 4, now) != nil || p.isIdle(all[1]) || p.holds(1) {
		t.Error("a token is used that is withheld")
	}
	p.withhold(all[1], false)
	if p.take(workers[1], 4, now) != all[1] {
		t.Error("a token is not used that is not withheld any more")
	}
	p.withdraw(all[1])
	for range workers {
		select {
		case <-all[1].idle:
			t.Fatal("the withdrawal does not wait")
		default:
		}
		p.give(all[1])
	}
	select {
	case <-all[1].idle:
	default:
		t.Error("the withdrawal does not end")
	}
	if p.take(workers[1], 4, now) != nil {
		t.Error("a token is used that is in use, or was withdrawn")
	}
	p.give(tokens[0])
	if p.take(workers[1], 4, now) != all[0] {
		t.Error("the other log's token is not used")
	}
}

// TestPoolNeverExceeds has the workers of four logs take tokens as fast as they can,
// while tenures begin and end.
func TestPoolNeverExceeds(t *testing.T) {
	const logs = 4
	for _, whole := range []int{1, 3, 4, 10} {
		workers, all := poolOf(logs, whole, rate.Inf)
		p := workers[0].pool
		var running, taken atomic.Int64
		var wg sync.WaitGroup
		for _, w := range workers {
			wg.Go(func() {
				var attempts sync.WaitGroup
				defer attempts.Wait()
				defer p.pass(w)
				for range 3000 {
					token := p.take(w, whole, time.Now())
					if token == nil {
						select {
						case <-w.wake:
						case <-t.Context().Done():
							return
						}
						continue
					}
					taken.Add(1)
					if n := running.Add(1); n > int64(whole) {
						t.Errorf("%d attempts at a time, want at most %d", n, whole)
					}
					attempts.Go(func() {
						for range rand.IntN(4) {
							runtime.Gosched()
						}
						running.Add(-1)
						p.give(token)
						w.poke() // as the worker does when it gets the result
					})
				}
			})
		}
		ended := make(chan struct{})
		go func() {
			wg.Wait()
			close(ended)
		}()
		for isOver := false; !isOver; {
			i := rand.IntN(logs)
			p.withdraw(all[i])
			select {
			case <-all[i].idle:
			case <-time.After(10 * time.Second):
				t.Fatal("a withdrawal does not end")
			}
			all[i] = &contribution{owner: workers[i], revoked: context.Background(), tokens: part(whole, i, logs), leader: leader(whole, i, logs), limit: rate.Inf}
			p.contribute(all[i])
			workers[i].poke() // which does that itself
			select {
			case <-ended:
				isOver = true
			default:
			}
		}
		if taken.Load() == 0 {
			t.Error("no token was taken")
		}
	}
}
