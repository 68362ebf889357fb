package console

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxRunning is how many jobs may run at a time.
	maxRunning = 4

	// maxJobs is how many jobs are remembered, the running ones included.
	maxJobs = 50
)

var errTooManyJobs = errors.New("too many jobs are running")

// jobs are the replays and discards of this process. They outlive the request that
// began them, and end with the process.
type jobs struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu  sync.Mutex
	all []*job // the latest last
}

// job is a replay or discard.
type job struct {
	ID       string
	User     string
	Action   string // replay or discard
	What     string // is replayed or discarded, in words
	Back     string // the page to return to, relative to the overview
	Began    time.Time
	Expected int64 // deliveries, 0 if that is not known

	count atomic.Int64  // deliveries so far
	ended chan struct{} // closed at the end, after the fields below are set
	end   time.Time
	err   error
}

func newJobs() *jobs {
	js := new(jobs)
	js.ctx, js.cancel = context.WithCancel(context.Background())
	return js
}

// start runs a job in the background. run reports its progress to progress, and returns
// the number of deliveries; report is called before anyone sees the end.
func (js *jobs) start(j *job, run func(ctx context.Context, progress func(int64)) (int64, error), report func(*job)) error {
	js.mu.Lock()
	defer js.mu.Unlock()
	running := 0
	for _, other := range js.all {
		if other.isRunning() {
			running++
		}
	}
	if running >= maxRunning || js.ctx.Err() != nil {
		return errTooManyJobs
	}
	if len(js.all) >= maxJobs {
		oldest := slices.IndexFunc(js.all, func(other *job) bool { return !other.isRunning() })
		js.all = slices.Delete(js.all, oldest, oldest+1)
	}
	j.ID, j.ended = rand.Text(), make(chan struct{})
	js.all = append(js.all, j)
	js.wg.Go(func() {
		n, err := run(js.ctx, func(n int64) { j.count.Store(n) })
		j.count.Store(max(n, j.count.Load()))
		j.end, j.err = time.Now(), err
		report(j)
		close(j.ended)
	})
	return nil
}

// find returns a job, nil if it is not remembered.
func (js *jobs) find(id string) *job {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.all {
		if j.ID == id {
			return j
		}
	}
	return nil
}

// running returns the jobs that run.
func (js *jobs) running() (running []*job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.all {
		if j.isRunning() {
			running = append(running, j)
		}
	}
	return running
}

// stop cancels all jobs and waits for them.
func (js *jobs) stop() {
	js.mu.Lock()
	js.cancel()
	js.mu.Unlock()
	js.wg.Wait()
}

func (j *job) isRunning() bool {
	select {
	case <-j.ended:
		return false
	default:
		return true
	}
}

// wait waits until the job has ended, but not longer than d.
func (j *job) wait(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-j.ended:
	case <-ctx.Done():
	}
}
