package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// watcher is an Observer that records all calls.
type watcher struct {
	mu       sync.Mutex
	attempts []Attempt
	log      []string
}

func (w *watcher) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *watcher) Attempted(a Attempt) {
	w.mu.Lock()
	w.attempts = append(w.attempts, a)
	w.mu.Unlock()
	w.note("%s %s %d %s", a.Destination, a.ID, a.Delivery.Attempt, a.Outcome)
}

func (w *watcher) Down(destination string, failures int, last Result) {
	w.note("%s down after %d", destination, failures)
}

func (w *watcher) Up(destination string) { w.note("%s up", destination) }

func (w *watcher) Discarded(destination string, n int) { w.note("%s discarded %d", destination, n) }

// count returns how many attempts led to an outcome.
func (w *watcher) count(o Outcome) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.attempts {
		if w.attempts[i].Outcome == o {
			n++
		}
	}
	return n
}

// delivered returns how often each event was.
func (w *watcher) delivered() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := make(map[string]int)
	for i := range w.attempts {
		if a := &w.attempts[i]; a.Outcome == OutcomeDelivered {
			counts[a.ID]++
		}
	}
	return counts
}

// last returns the last attempt.
func (w *watcher) last() Attempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attempts[len(w.attempts)-1]
}

// all returns all lines.
func (w *watcher) all() []string { return w.lines("") }

// lines returns the lines that hold a text.
func (w *watcher) lines(text string) (lines []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.log {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// receiver is an application that keeps what it gets.
type receiver struct {
	// answer is what it answers, 200 without one.
	answer func(ctx context.Context, d *Delivery) Result

	mu  sync.Mutex
	log []arrival
}

// arrival is one attempt as an application sees it.
type arrival struct {
	id, partition string
	attempt       int
	replay        bool
	at            time.Time
}

func (r *receiver) deliver(ctx context.Context, d *Delivery) Result {
	r.mu.Lock()
	r.log = append(r.log, arrival{d.ID, d.PartitionKey, d.Attempt, d.Replay, time.Now()})
	answer := r.answer
	r.mu.Unlock()
	if answer == nil {
		return Result{Status: 200}
	}
	return answer(ctx, d)
}

// respond changes what it answers.
func (r *receiver) respond(answer func(ctx context.Context, d *Delivery) Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// all returns what it got.
func (r *receiver) all() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// of returns what it got of one event.
func (r *receiver) of(id string) []arrival {
	return slices.DeleteFunc(r.all(), func(a arrival) bool { return a.id != id })
}

// ids returns the ids of what it got, in that order.
func (r *receiver) ids() []string {
	var ids []string
	for _, a := range r.all() {
		ids = append(ids, a.id)
	}
	return ids
}

// counts returns how often it got each event.
func (r *receiver) counts() map[string]int {
	counts := make(map[string]int)
	for _, a := range r.all() {
		counts[a.id]++
	}
	return counts
}

// wantEachOnce fails the test unless each of n events came once.
func (r *receiver) wantEachOnce(t testing.TB, n int) {
	t.Helper()
	counts := r.counts()
	if len(counts) != n {
		t.Errorf("%d events came, want %d", len(counts), n)
	}
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if counts[id] != 1 {
			t.Errorf("%s came %d times", id, counts[id])
		}
	}
}

// wants fails the test unless exactly these events came, in this order.
func (r *receiver) wants(t testing.TB, ids ...string) {
	t.Helper()
	if got := r.ids(); !slices.Equal(got, ids) {
		t.Errorf("%v came, want %v", got, ids)
	}
}

// answers returns what an application answers that always answers the same.
func answers(status int) func(context.Context, *Delivery) Result {
	return func(context.Context, *Delivery) Result { return Result{Status: status} }
}
