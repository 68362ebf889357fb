// Package dedup remembers in memory which events were accepted, so that each
// one is let through once.
//
// A key is free, claimed or done:
//
//	free ──Claim──▶ claimed ──Commit──▶ done ──(window)──▶ free
//	                   └─────Release────▶ free
//
// Only success commits. A request that fails, panics or is cancelled releases its
// key, so that the provider's retry gets through. A request for a claimed key waits
// for the outcome of the owner.
package dedup

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultWindow is the time for which an accepted event is remembered.
	DefaultWindow = 24 * time.Hour

	// DefaultHashWindow is that time for an event that only a hash of its content
	// identifies: two different events with equal content must not count as one for
	// a day.
	DefaultHashWindow = 5 * time.Minute

	// DefaultEntries is the number of accepted events that are remembered per source.
	DefaultEntries = 500_000

	// MaxAnswer is the maximum size in bytes of an answer that is kept for duplicates.
	MaxAnswer = 64 << 10

	// MaxAnswers is the maximum size in bytes of all answers in one Memory.
	MaxAnswers = 64 << 20

	// MaxWait is the maximum time that a duplicate waits for the first one.
	MaxWait = 5 * time.Second

	// MaxWaitersPerKey is the maximum number of duplicates that wait for one key.
	MaxWaitersPerKey = 64

	// MaxWaiters is the maximum number of duplicates that wait in all.
	MaxWaiters = 1024

	// lease is the time for which a claim outlives its request.
	lease = 60 * time.Second

	// forgetAtOnce is the maximum number of expired keys that one commit removes, so
	// that no request pays for those of a whole day.
	forgetAtOnce = 64
)

// ErrBusy is the error of a duplicate that cannot wait any longer for the outcome of
// the first one: too many wait, or it waited for MaxWait.
var ErrBusy = errors.New("the same event is still being handled")

// Key identifies an event: the 20 bytes of SHA-256 that are also in its webhook-id.
type Key [20]byte

// Answer is the application's answer to the first of several equal events.
type Answer struct {
	// Status is the HTTP status.
	Status int

	// ContentType is the value of the Content-Type header; may be empty.
	ContentType string

	// Body is the whole body.
	Body []byte
}

// Settings are the settings of a Memory. They can change while it is in use.
type Settings struct {
	// Window is the time for which an accepted event is remembered, in whole seconds.
	Window time.Duration

	// Entries is the maximum number of accepted events that are remembered. The
	// oldest are forgotten first. An event that is accepted anew counts as another one.
	Entries int

	// KeepAnswers keeps answers for duplicates. An event then counts as accepted only
	// as long as its answer is kept.
	KeepAnswers bool
}

// Waiters counts the waiting duplicates of all memories that share it.
type Waiters struct {
	n atomic.Int64
}

// Waiting returns the number of duplicates that wait.
func (w *Waiters) Waiting() int { return int(w.n.Load()) }

// Memory holds the claims and the accepted events of one source. It owns no goroutine
// and needs no closing. It is safe for concurrent use.
type Memory struct {
	now     func() time.Time
	waiters *Waiters

	mu       sync.Mutex
	settings Settings
	claims   map[Key]*Claim
	done     accepted
	answers  *simplelru.LRU[Key, *Answer]
	bytes    int // of the bodies in answers
}

// New returns an empty Memory. now returns the current time.
func New(settings Settings, waiters *Waiters, now func() time.Time) *Memory {
	m := &Memory{
		now:      now,
		waiters:  waiters,
		settings: settings,
		claims:   make(map[Key]*Claim),
		done:     newAccepted(),
	}
	// NewLRU fails only for a size that is not positive.
	m.answers, _ = simplelru.NewLRU(MaxAnswers, func(_ Key, a *Answer) { m.bytes -= len(a.Body) })
	return m
}

// Set changes the settings. Keys and answers that they still allow stay.
func (m *Memory) Set(settings Settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings = settings
	m.done.limit(max(settings.Entries, 1))
	if !settings.KeepAnswers {
		m.answers.Purge()
	}
}

// Len returns the number of accepted events that are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done.len()
}

// Claim is the right to let one event through. Its owner must end it with Commit or
// Release; a Release after a Commit has no effect. Both do nothing on a nil Claim,
// which is for a handler without dedup.
type Claim struct {
	memory  *Memory
	key     Key
	ctx     context.Context
	expires time.Time

	// outcome is made by the first waiter and closed when the claim ends.
	outcome chan struct{}
	waiting int
}

// Claim claims the key for the request with this context. For an event that was
// accepted before, it returns no claim, but the answer that is kept for it, which may
// be nil. While another request holds the key, Claim waits for the outcome: after
// success, this event is a duplicate; after failure, it gets the claim.
//
// The error is ErrBusy, or that of ctx.
//
// The lease of a claim is renewed until ctx ends, and lasts at most 60 s after that,
// so that a handler that ignores a cancelled request cannot hold a key for ever.
func (m *Memory) Claim(ctx context.Context, key Key) (*Claim, *Answer, error) {
	var timeout <-chan time.Time
	for {
		claim, answer, outcome, err := m.claimOrJoin(ctx, key)
		if err != nil || outcome == nil {
			return claim, answer, err
		}
		if timeout == nil {
			timer := time.NewTimer(MaxWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-outcome:
			err = nil
		case <-timeout:
			err = ErrBusy
		case <-ctx.Done():
			err = ctx.Err()
		}
		m.leave(key, outcome)
		if err != nil {
			return nil, nil, err
		}
	}
}

// claimOrJoin is one step of Claim. It returns a channel if another request holds the
// key. The channel is closed when that claim ends, and leave must be called then.
func (m *Memory) claimOrJoin(ctx context.Context, key Key) (*Claim, *Answer, chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := m.now()
	if answer, ok := m.accepted(key, now); ok {
		return nil, answer, nil, nil
	}
	held := m.claims[key]
	if held == nil || held.lapsed(now) {
		claim := &Claim{memory: m, key: key, ctx: ctx, expires: now.Add(lease)}
		m.claims[key] = claim
		if held != nil {
			held.wake()
		}
		return claim, nil, nil, nil
	}
	if held.waiting >= MaxWaitersPerKey {
		return nil, nil, nil, ErrBusy
	}
	if m.waiters.n.Add(1) > MaxWaiters {
		m.waiters.n.Add(-1)
		return nil, nil, nil, ErrBusy
	}
	if held.outcome == nil {
		held.outcome = make(chan struct{})
	}
	held.waiting++
	return nil, nil, held.outcome, nil
}

// leave undoes the counts of claimOrJoin.
func (m *Memory) leave(key Key, outcome chan struct{}) {
	m.waiters.n.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.claims[key]; held != nil && held.outcome == outcome {
		held.waiting--
	}
}

// accepted reports whether the key was accepted within the window, and returns the
// answer that is kept for it.
func (m *Memory) accepted(key Key, now time.Time) (*Answer, bool) {
	r := m.done.find(key)
	if r == nil || m.expired(r, now) {
		return nil, false
	}
	if !m.settings.KeepAnswers {
		return nil, true
	}
	return m.answers.Peek(key)
}

func (m *Memory) expired(r *record, now time.Time) bool {
	return now.Unix()-int64(r.at) >= int64(m.settings.Window/time.Second)
}

// lapsed reports whether the lease of the claim is over, and renews it while the
// request is alive.
func (c *Claim) lapsed(now time.Time) bool {
	if now.Before(c.expires) {
		return false
	}
	if c.ctx.Err() == nil {
		c.expires = now.Add(lease)
		return false
	}
	return true
}

// wake wakes the waiters, because the claim ended.
func (c *Claim) wake() {
	if c.outcome != nil {
		close(c.outcome)
	}
}

// Commit marks the event as accepted, even if another request holds the lease now.
//
// A Memory with KeepAnswers keeps the answer for duplicates. Without an answer, or with
// one longer than MaxAnswer, the application must see a duplicate again: then Commit
// is a Release.
func (c *Claim) Commit(answer *Answer) {
	if c == nil {
		return
	}
	m := c.memory
	m.mu.Lock()
	defer m.mu.Unlock()

	if m.settings.KeepAnswers {
		if answer == nil || len(answer.Body) > MaxAnswer {
			c.release()
			return
		}
		m.keep(c.key, answer)
	}
	now := m.now()
	m.done.add(newRecord(c.key, now))
	m.done.limit(max(m.settings.Entries, 1))
	m.forgetExpired(now)

	if held := m.claims[c.key]; held != nil {
		delete(m.claims, c.key)
		held.wake()
	}
}

// Release frees the event. It does nothing after Commit, or if another request holds
// the lease now.
func (c *Claim) Release() {
	if c == nil {
		return
	}
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	c.release()
}

func (c *Claim) release() {
	if c.memory.claims[c.key] == c {
		delete(c.memory.claims, c.key)
		c.wake()
	}
}

// keep keeps an answer, and removes the oldest ones beyond MaxAnswers.
func (m *Memory) keep(key Key, answer *Answer) {
	m.answers.Remove(key) // so that its bytes are not counted twice
	m.answers.Add(key, answer)
	m.bytes += len(answer.Body)
	for m.bytes > MaxAnswers {
		m.answers.RemoveOldest()
	}
}

// forgetExpired removes the oldest keys whose window is over, and answers whose key is
// gone.
func (m *Memory) forgetExpired(now time.Time) {
	for range forgetAtOnce {
		r := m.done.oldest()
		if r == nil || !m.expired(r, now) {
			break
		}
		m.done.removeOldest()
	}
	for range forgetAtOnce {
		key, _, ok := m.answers.GetOldest()
		if !ok {
			break
		}
		if _, ok := m.accepted(key, now); ok {
			break
		}
		m.answers.RemoveOldest()
	}
}
