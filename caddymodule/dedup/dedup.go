// Package dedup remembers in memory which events were accepted, so that each
// one is let through once.
//
// A key is free, claimed or done:
//
//	free ──Claim──▶ claimed ──Commit──▶ done ──(window)──▶ free
//	                   └─────Release────▶ free
//
// Only success commits. A request that fails, panics or goes away releases its
// key, so that the provider's retry gets through. Whoever asks for a claimed
// key waits for its owner's outcome.
package dedup

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultWindow is how long an accepted event is remembered.
	DefaultWindow = 24 * time.Hour

	// DefaultHashWindow is how long it is remembered when all that identifies
	// it is a hash of its content: two events that are truly equal must not
	// swallow each other for a day.
	DefaultHashWindow = 5 * time.Minute

	// DefaultEntries is how many accepted events are remembered per source.
	DefaultEntries = 500_000

	// MaxAnswer is the largest answer body that is kept for a repeat, in bytes.
	MaxAnswer = 64 << 10

	// MaxAnswers bounds the answers that one Memory keeps, in bytes.
	MaxAnswers = 64 << 20

	// MaxWait is how long a duplicate waits for the first of its kind.
	MaxWait = 5 * time.Second

	// MaxWaitersPerKey bounds how many duplicates wait for one key.
	MaxWaitersPerKey = 64

	// MaxWaiters bounds how many duplicates wait in all.
	MaxWaiters = 1024

	// lease is how long a claim outlives the request that it was made for.
	lease = 60 * time.Second

	// forgetAtOnce bounds how many outdated keys one commit removes, so that
	// no request pays for a whole day's worth.
	forgetAtOnce = 64
)

// ErrBusy says that a duplicate could not learn the outcome of the first:
// too many wait already, or it waited for MaxWait.
var ErrBusy = errors.New("the same event is still under way")

// Key identifies an event: the first 20 bytes of a SHA-256, the same that its
// webhook-id spells out.
type Key [20]byte

// Answer is what an application answered to the first of its kind.
type Answer struct {
	// Status is the HTTP status.
	Status int

	// ContentType is the value of the Content-Type header; may be empty.
	ContentType string

	// Body is the whole body.
	Body []byte
}

// Settings is what may change in a Memory while it is in use.
type Settings struct {
	// Window is how long an accepted event is remembered, to the second.
	Window time.Duration

	// Entries is how many accepted events are remembered; the oldest are
	// forgotten first.
	Entries int

	// KeepAnswers makes a key done only as long as its answer is kept too.
	KeepAnswers bool
}

// Waiters counts the duplicates that wait in all memories that share it.
type Waiters struct {
	n atomic.Int64
}

// Waiting returns how many duplicates wait at this moment.
func (w *Waiters) Waiting() int { return int(w.n.Load()) }

// Memory is what is remembered of one source. It owns no goroutine and needs
// no closing.
type Memory struct {
	now     func() time.Time
	waiters *Waiters

	mu       sync.Mutex
	settings Settings
	claims   map[Key]*Claim
	done     *simplelru.LRU[uint64, record]
	answers  *simplelru.LRU[Key, *Answer]
	bytes    int // of the bodies in answers
}

// record is one accepted event. The index of its LRU entry is the first eight
// bytes of its key and the record holds the rest, so that an entry fits into
// 80 bytes. Of two keys that share the index, the later one is remembered: the
// other could be let through twice, never be taken for a duplicate.
type record struct {
	rest [12]byte
	at   uint32 // Unix time
}

// New returns an empty Memory. now tells the time.
func New(settings Settings, waiters *Waiters, now func() time.Time) *Memory {
	m := &Memory{
		now:      now,
		waiters:  waiters,
		settings: settings,
		claims:   make(map[Key]*Claim),
	}
	// The error of NewLRU is about a size that is not positive.
	m.done, _ = simplelru.NewLRU[uint64, record](max(settings.Entries, 1), nil)
	m.answers, _ = simplelru.NewLRU(MaxAnswers, func(_ Key, a *Answer) { m.bytes -= len(a.Body) })
	return m
}

// Set changes the settings; what is remembered stays as far as they allow.
func (m *Memory) Set(settings Settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.settings = settings
	m.done.Resize(max(settings.Entries, 1))
	if !settings.KeepAnswers {
		m.answers.Purge()
	}
}

// Len returns how many accepted events are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done.Len()
}

// Claim is the right to let one event through. Whoever holds it must end it
// with Commit or Release; a Release after a Commit has no effect. The nil Claim,
// of whoever remembers nothing, ends without effect.
type Claim struct {
	memory  *Memory
	key     Key
	ctx     context.Context
	expires time.Time

	// ended is made by the first waiter and closed when the claim ends.
	ended   chan struct{}
	waiting int
}

// Claim claims key for the request whose context is ctx. It returns a claim;
// or, when the event was accepted before, no claim and the answer that was kept
// for it, which may be nil with a nil error. While another request holds the
// key it waits for the outcome: success makes this one a duplicate, failure
// lets it take the place.
//
// The error is ErrBusy, or that of ctx.
//
// A claim's lease is renewed for as long as ctx lives; after that it lasts 60 s
// at most, so that a handler that ignores a client's departure cannot hold a
// key for ever.
func (m *Memory) Claim(ctx context.Context, key Key) (*Claim, *Answer, error) {
	var timeout <-chan time.Time
	for {
		claim, answer, ended, err := m.claimOrJoin(ctx, key)
		if err != nil || ended == nil {
			return claim, answer, err
		}
		if timeout == nil {
			timer := time.NewTimer(MaxWait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-ended:
			err = nil
		case <-timeout:
			err = ErrBusy
		case <-ctx.Done():
			err = ctx.Err()
		}
		m.leave(key, ended)
		if err != nil {
			return nil, nil, err
		}
	}
}

// claimOrJoin is one step of Claim. A channel says that another request holds
// the key: it is closed when that one ends, and leave must follow.
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
	if held.ended == nil {
		held.ended = make(chan struct{})
	}
	held.waiting++
	return nil, nil, held.ended, nil
}

// leave undoes what claimOrJoin counted.
func (m *Memory) leave(key Key, ended chan struct{}) {
	m.waiters.n.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.claims[key]; held != nil && held.ended == ended {
		held.waiting--
	}
}

// accepted reports whether key was accepted within the window.
func (m *Memory) accepted(key Key, now time.Time) (*Answer, bool) {
	index, rest := split(key)
	r, ok := m.done.Peek(index)
	if !ok || r.rest != rest || m.outdated(r, now) {
		return nil, false
	}
	if !m.settings.KeepAnswers {
		return nil, true
	}
	return m.answers.Peek(key)
}

func (m *Memory) outdated(r record, now time.Time) bool {
	return now.Unix()-int64(r.at) >= int64(m.settings.Window/time.Second)
}

// lapsed reports whether the claim's lease is over, and renews it while the
// request that it was made for is alive.
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

// wake tells the waiters that the claim ended.
func (c *Claim) wake() {
	if c.ended != nil {
		close(c.ended)
	}
}

// Commit makes the event accepted. A commit after the lease has passed to another
// request still commits.
//
// A Memory that keeps answers keeps this one for repeats. Without one, or with
// one longer than MaxAnswer, a repeat has to be asked again: then Commit is a
// Release.
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
	index, rest := split(c.key)
	m.done.Add(index, record{rest: rest, at: uint32(now.Unix())})
	m.forgetOutdated(now)

	if held := m.claims[c.key]; held != nil {
		delete(m.claims, c.key)
		held.wake()
	}
}

// Release makes the event free again. It does nothing after Commit, and nothing
// when the lease has passed to another request.
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

// keep stores an answer and removes the oldest ones beyond MaxAnswers.
func (m *Memory) keep(key Key, answer *Answer) {
	m.answers.Remove(key) // which counts its bytes
	m.answers.Add(key, answer)
	m.bytes += len(answer.Body)
	for m.bytes > MaxAnswers {
		m.answers.RemoveOldest()
	}
}

// forgetOutdated removes keys from behind whose window has passed, and answers
// that no key leads to any more.
func (m *Memory) forgetOutdated(now time.Time) {
	for range forgetAtOnce {
		_, r, ok := m.done.GetOldest()
		if !ok || !m.outdated(r, now) {
			break
		}
		m.done.RemoveOldest()
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

func split(key Key) (index uint64, rest [12]byte) {
	return binary.BigEndian.Uint64(key[:8]), [12]byte(key[8:])
}
