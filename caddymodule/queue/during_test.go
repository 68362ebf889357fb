package queue

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// rhythm counts what happens, and measures the longest pause.
type rhythm struct {
	mu    sync.Mutex
	n     int
	last  time.Time
	pause time.Duration
}

func (r *rhythm) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.n++; !r.last.IsZero() {
		r.pause = max(r.pause, now.Sub(r.last))
	}
	r.last = now
}

func (r *rhythm) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// takePause returns the longest pause since the last call.
func (r *rhythm) takePause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := r.pause
	r.pause = 0
	return pause.Round(time.Millisecond)
}

// TestWhileServersChange has two gateways store and deliver while a command changes the
// servers, such as one that moves the tables to another: nothing that was acknowledged is
// lost, and the order holds. The environment has the command, which gets the schema in
// SCHEMA.
func TestWhileServersChange(t *testing.T) {
	command := os.Getenv("PGTEST_COMMAND")
	if command == "" {
		t.Skip("PGTEST_COMMAND is not set; see citus/certify.sh")
	}
	dsn := sharedServer.database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var stored, delivered rhythm
	p := &prefixes{t: t, running: make(map[string]bool), delivered: make(map[int]bool)}
	p.answer = func(context.Context, *Delivery) Result {
		delivered.note()
		return Result{Status: 200}
	}
	gateways := share(t, dsn, 2, ordered("a", p.deliver))
	stop := make(chan struct{})
	var senders sync.WaitGroup
	ends := make([]int, 10) // by key, the number after that of its last event
	for key := range ends {
		senders.Go(func() {
			for n := key; ; n += len(ends) {
				select {
				case <-stop:
					ends[key] = n
					return
				default:
				}
				gateways[key%2].insist(t, fmt.Sprint(n), fmt.Sprint("key-", key))
				stored.note()
			}
		})
	}
	for _, rhythm := range []*rhythm{&stored, &delivered} {
		before := rhythm.count()
		eventually(t, "a load", func() bool { return rhythm.count() > before+500 })
	}
	pauses := []time.Duration{stored.takePause(), delivered.takePause()}
	begun := time.Now()
	run := exec.CommandContext(t.Context(), "bash", "-c", command)
	run.Env = append(os.Environ(), "SCHEMA="+u.Query().Get("search_path"))
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	took := time.Since(begun).Round(time.Millisecond)
	for _, rhythm := range []*rhythm{&stored, &delivered} {
		before := rhythm.count()
		eventually(t, "a load afterwards", func() bool { return rhythm.count() > before+500 })
	}
	t.Logf("the command took %v; the longest pauses of stores and of deliveries: %v before, %v and %v since",
		took, pauses, stored.takePause(), delivered.takePause())
	close(stop)
	senders.Wait()
	drainAll(t, gateways, "a")
	counts, events, repeats := p.counts(), 0, 0
	for key, end := range ends {
		for n := key; n < end; n += len(ends) {
			events++
			switch of := counts[fmt.Sprint(n)]; of {
			case 0:
				t.Errorf("%d is lost", n)
			default:
				repeats += of - 1
			}
		}
	}
	t.Logf("%d events, %d repeats", events, repeats)
}
