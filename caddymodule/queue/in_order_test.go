package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"
)

// inOrder is an application that answers as configured, and reports what comes
// out of order, or beside another event of its key.
type inOrder struct {
	receiver
	t *testing.T

	mu      sync.Mutex
	last    map[string]int // by key, what was delivered last
	running map[string]bool
}

func newInOrder(t *testing.T, answer func(ctx context.Context, d *Delivery) Result) *inOrder {
	o := &inOrder{t: t, last: make(map[string]int), running: make(map[string]bool)}
	o.answer = answer
	return o
}

func (o *inOrder) deliver(ctx context.Context, d *Delivery) Result {
	key := d.PartitionKey
	n, err := strconv.Atoi(d.ID)
	if err != nil {
		o.t.Errorf("the id %s is not a number", d.ID)
	}
	o.mu.Lock()
	if o.running[key] {
		o.t.Errorf("%s/%d is not alone", key, n)
	}
	if n <= o.last[key] {
		o.t.Errorf("%s/%d comes after %d", key, n, o.last[key])
	}
	o.running[key] = true
	o.mu.Unlock()
	r := o.receiver.deliver(ctx, d)
	o.mu.Lock()
	o.running[key] = false
	if r.Status == 200 {
		o.last[key] = n
	}
	o.mu.Unlock()
	return r
}

// keyed returns events from first to last, spread at random over a number of keys.
func keyed(first, last, keys int) []*Event {
	var events []*Event
	for n := first; n <= last; n++ {
		events = append(events, newEvent(fmt.Sprint(n), fmt.Sprint("key-", rand.IntN(keys))))
	}
	return events
}

// unreliable fails some of the attempts, after some time.
func unreliable(most time.Duration) func(context.Context, *Delivery) Result {
	return func(ctx context.Context, d *Delivery) Result {
		select {
		case <-time.After(rand.N(most)):
		case <-ctx.Done():
			return Result{Err: ctx.Err()}
		}
		if rand.IntN(5) == 0 {
			return Result{Status: 500}
		}
		return Result{Status: 200}
	}
}

func keysOf(events []*Event) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, e := range events {
			if !yield(e.PartitionKey) {
				return
			}
		}
	}
}

func lastOf(events []*Event, key string) (last int) {
	for _, e := range events {
		if e.PartitionKey == key {
			last, _ = strconv.Atoi(e.ID)
		}
	}
	return last
}
