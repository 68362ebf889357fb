package journal

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// BlockConfig is what the configuration says about a `webhooks` block.
type BlockConfig struct {
	Provider     string   // its name
	Source       string   // which names the block
	Note         string   // what to enter at the provider
	Destinations []string // empty for direct delivery
	Unverified   bool     // nothing proves its events
}

// Block is a `webhooks` block, and what it did last at this gateway. Times are zero if
// that is not known: since the process started, for a block without a queue.
type Block struct {
	Provider     string   `json:"provider"`
	Source       string   `json:"source"`
	Destinations []string `json:"destinations"` // empty for direct delivery

	// Unverified is true if the block accepts unauthenticated requests. The events of
	// other blocks are proved.
	Unverified bool `json:"unverified,omitempty"`

	LastAccepted      time.Time `json:"last_accepted,omitzero"`
	LastRefused       time.Time `json:"last_refused,omitzero"`
	LastRefusedReason string    `json:"last_refused_reason,omitempty"`

	// LastSecret is the position, from 1, of the secret or token that the last proof was
	// made with; 0 if the block has neither.
	LastSecret int `json:"last_secret,omitempty"`

	AcceptedPerMinute float64 `json:"accepted_per_minute"` // in the last minute
	RefusedPerMinute  float64 `json:"refused_per_minute"`  // in the last minute

	// Note is what to enter at the provider.
	Note string `json:"note,omitempty"`

	// Hour has the numbers of each of the last 60 minutes, the oldest first.
	Hour []Minute `json:"-"`
}

// Blocks are all blocks, sorted by source.
type Blocks struct {
	Blocks []Block `json:"blocks"`
}

// Blocks returns all blocks of the configuration.
func (j *Journal) Blocks(context.Context) (Blocks, error) {
	all := make([]Block, len(j.blocks))
	for i, config := range j.blocks {
		all[i] = Block{Provider: config.Provider, Source: config.Source, Destinations: config.Destinations, Note: config.Note, Unverified: config.Unverified}
		if all[i].Destinations == nil {
			all[i].Destinations = []string{}
		}
		j.memory.fillBlock(&all[i])
	}
	slices.SortFunc(all, func(a, b Block) int { return strings.Compare(a.Source, b.Source) })
	return Blocks{all}, nil
}

// BlockMemory is what is remembered of a block.
type BlockMemory struct {
	memory *Memory
	blockKey
	users int // guarded by memory.mu

	mu                        sync.Mutex
	lastAccepted, lastRefused time.Time
	lastReason                string
	lastSecret                int
	rates                     rates
	direct                    directLog
}

// Exchange is the result of one request.
type Exchange struct {
	Time     time.Time // when it was answered
	Accepted int       // the number of new events that were accepted
	Secret   int       // the position, from 1, of the secret or token that matched; 0 for none
}

// Served notes a request that was not refused.
func (b *BlockMemory) Served(x Exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.served(x)
	if x.Accepted > 0 {
		b.rates.add(x.Time, int64(x.Accepted), 0)
	}
}

// Refused notes a request that was refused. Its reason and cause must not hold a part of
// the request; everything else is bounded here.
func (b *BlockMemory) Refused(x Exchange, r Refusal) {
	b.mu.Lock()
	b.served(x)
	b.rates.add(x.Time, int64(x.Accepted), 1)
	if !x.Time.Before(b.lastRefused) {
		b.lastRefused, b.lastReason = x.Time, r.Reason
	}
	b.mu.Unlock()
	r.Time, r.Provider, r.Source = x.Time, b.provider, b.source
	r.bound()
	b.memory.refusals.add(r)
	b.memory.feed.publishRefusal(&r)
}

func (b *BlockMemory) served(x Exchange) {
	if x.Secret > 0 {
		b.lastSecret = x.Secret
	}
	if x.Accepted > 0 && x.Time.After(b.lastAccepted) {
		b.lastAccepted = x.Time
	}
}

func (b *BlockMemory) lastAcceptedAt() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastAccepted
}

// fillBlock fills in what is remembered of a block.
func (m *Memory) fillBlock(to *Block) {
	now := m.now()
	b := m.block(blockKey{to.Provider, to.Source})
	if b == nil {
		to.Hour = new(rates).hour(now)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	to.LastAccepted, to.LastRefused, to.LastRefusedReason = b.lastAccepted, b.lastRefused, b.lastReason
	to.LastSecret = b.lastSecret
	ok, bad := b.rates.lastMinute(now)
	to.AcceptedPerMinute, to.RefusedPerMinute = float64(ok), float64(bad)
	to.Hour = b.rates.hour(now)
}
