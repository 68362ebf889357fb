package journal

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is the part of the journal that is not on disk. It outlives reloads, and is
// bounded.
type Memory struct {
	now   func() time.Time
	began time.Time // nothing from before it is remembered
	epoch string    // random: numbers mean nothing in another memory

	refusals refusals
	feed     feed

	directEvents atomic.Int64 // the number of the last one
	directBytes  atomic.Int64 // that all of them take
	shrinking    sync.Mutex

	mu           sync.Mutex
	blocks       map[blockKey]*BlockMemory
	destinations map[string]*DestinationMemory // by name
}

// NewMemory returns an empty memory. now returns the current time.
func NewMemory(now func() time.Time) *Memory {
	m := &Memory{
		now: now, began: now(), epoch: rand.Text()[:10],
		blocks:       make(map[blockKey]*BlockMemory),
		destinations: make(map[string]*DestinationMemory),
	}
	m.refusals.max = maxRefusals
	m.feed.now = now
	m.feed.setFollowers(nil)
	return m
}

// Close ends all subscriptions to the feed.
func (m *Memory) Close() { m.feed.close() }

// blockKey names a block: a source may get another provider in a reload.
type blockKey struct{ provider, source string }

// OpenBlock returns what is remembered of the block of a provider with a source. It is
// forgotten when Close was called as often.
func (m *Memory) OpenBlock(provider, source string) *BlockMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := blockKey{provider, source}
	b := m.blocks[key]
	if b == nil {
		b = &BlockMemory{memory: m, blockKey: key}
		b.direct.max = maxDirectEvents
		m.blocks[key] = b
	}
	b.users++
	return b
}

// Close gives up what OpenBlock has returned.
func (b *BlockMemory) Close() {
	b.memory.mu.Lock()
	defer b.memory.mu.Unlock()
	if b.users--; b.users == 0 {
		delete(b.memory.blocks, b.blockKey)
		b.forget()
	}
}

// OpenDestination returns what is remembered of the destination with a name. It is
// forgotten when Close was called as often.
func (m *Memory) OpenDestination(name string) *DestinationMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.destinations[name]
	if d == nil {
		d = &DestinationMemory{memory: m, name: name}
		m.destinations[name] = d
	}
	d.users++
	return d
}

// Close gives up what OpenDestination has returned.
func (d *DestinationMemory) Close() {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	if d.users--; d.users == 0 {
		delete(d.memory.destinations, d.name)
	}
}

func (m *Memory) block(key blockKey) *BlockMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.blocks[key]
}

func (m *Memory) destination(name string) *DestinationMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.destinations[name]
}

// allBlocks returns all blocks that are remembered.
func (m *Memory) allBlocks() []*BlockMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*BlockMemory, 0, len(m.blocks))
	for _, b := range m.blocks {
		all = append(all, b)
	}
	return all
}

// LastAccepted returns, for each provider, when its blocks last accepted an event. It
// leaves out providers of which that is not known.
func (m *Memory) LastAccepted() map[string]time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := make(map[string]time.Time)
	for _, b := range m.blocks {
		if at := b.lastAcceptedAt(); at.After(last[b.provider]) {
			last[b.provider] = at
		}
	}
	return last
}

// bounded returns a text of at most max bytes that shares no memory with a longer one,
// in UTF-8.
func bounded(text string, max int) string {
	if len(text) > max {
		text = text[:max]
	}
	return toValid(text)
}
