package journal

import (
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

const (
	// maxDirectEvents is the number of events of direct delivery that are remembered
	// for each source.
	maxDirectEvents = 1000

	// maxDirectBytes is the number of bytes that those of all sources take at most. The
	// oldest lose their bodies first.
	maxDirectBytes = 16 << 20

	// directOverhead is about the number of bytes that an event takes beside its texts.
	directOverhead = 384
)

// Direct is what became of an event that went to the next handler.
type Direct struct {
	Outcome string  `json:"outcome"`          // accepted or upstream
	Status  int     `json:"status,omitempty"` // of the application's answer, 0 for none
	TookMS  float64 `json:"took_ms"`          // milliseconds until the answer
}

// The outcomes of events of direct delivery.
const (
	outcomeAccepted = "accepted"
	outcomeUpstream = "upstream"
)

// DirectEvent is an event that the next handler got. NewDirectEvent makes it; the fields
// that follow from the answer are set later.
type DirectEvent struct {
	Key      envelope.Key
	Received time.Time

	// Body is what the next handler got: the envelope or, in the format original, the
	// provider's own bytes. It must not change.
	Body []byte

	// Original is the number of bytes of the envelope that are the provider's own; 0 if
	// Body is not an envelope.
	Original int

	IsAccepted bool
	Status     int           // of the application's answer, 0 for none
	Took       time.Duration // until the answer

	texts texts
}

// remembered is an event of direct delivery in a Memory.
type remembered struct {
	DirectEvent
	n             int64 // the number of the event, in the order of answers
	length        int   // of its body, which may be gone
	duplicates    int64
	lastDuplicate time.Time
}

// size is about the number of bytes that the event takes.
func (e *remembered) size() int64 {
	return directOverhead + int64(len(e.texts.all)+len(e.Body))
}

// directLog are the last events of a source. The lock is that of its block.
type directLog struct {
	ring[remembered]
	latest   map[envelope.Key]int64 // the number in the ring of the latest event of a key
	whole    int64                  // the number in the ring of the oldest one with a body
	isClosed bool
}

// Handled notes an event that the next handler got. One that failed and came again stays
// one event.
func (b *BlockMemory) Handled(e *DirectEvent) {
	b.mu.Lock()
	grown := b.handled(e)
	b.mu.Unlock()
	if grown != 0 && b.memory.directBytes.Add(grown) > maxDirectBytes {
		b.memory.shrink()
	}
}

// handled is Handled, and returns by how many bytes the log has grown.
func (b *BlockMemory) handled(e *DirectEvent) (grown int64) {
	l := &b.direct
	if l.isClosed {
		return 0
	}
	if before := l.find(e.Key); before != nil && !before.IsAccepted {
		before.IsAccepted, before.Status, before.Took = e.IsAccepted, e.Status, e.Took
		before.duplicates++
		before.lastDuplicate = e.Received
		return 0
	}
	if l.next-l.first == l.max {
		grown = -l.dropOldest()
	}
	if l.latest == nil {
		l.latest = make(map[envelope.Key]int64)
	}
	added := remembered{DirectEvent: *e, n: b.memory.directEvents.Add(1), length: len(e.Body)}
	l.latest[e.Key] = l.add(added)
	return grown + added.size()
}

// CameAgain notes a duplicate.
func (b *BlockMemory) CameAgain(key envelope.Key, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.direct.find(key); e != nil {
		e.duplicates++
		e.lastDuplicate = at
	}
}

// find returns the latest event of a key, nil for none.
func (l *directLog) find(key envelope.Key) *remembered {
	if n, ok := l.latest[key]; ok {
		return l.at(n)
	}
	return nil
}

// dropOldest removes the oldest event, and returns the number of bytes it took.
func (l *directLog) dropOldest() int64 {
	oldest := l.at(l.first)
	size := oldest.size()
	if l.latest[oldest.Key] == l.first {
		delete(l.latest, oldest.Key)
	}
	l.drop()
	l.whole = max(l.whole, l.first)
	return size
}

// dropBody removes the body of the oldest event that has one, and returns the number of
// bytes it took.
func (l *directLog) dropBody() int64 {
	e := l.at(l.whole)
	size := len(e.Body)
	e.Body, e.Original = nil, 0
	l.whole++
	return int64(size)
}

// forget removes all events, and keeps later ones out.
func (b *BlockMemory) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var size int64
	for n := b.direct.first; n < b.direct.next; n++ {
		size += b.direct.at(n).size()
	}
	b.direct = directLog{isClosed: true}
	b.memory.directBytes.Add(-size)
}

// shrink removes bodies, the oldest first, and then events, until the rest takes no
// more than maxDirectBytes.
func (m *Memory) shrink() {
	m.shrinking.Lock()
	defer m.shrinking.Unlock()
	blocks := m.allBlocks()
	for m.directBytes.Load() > maxDirectBytes {
		freed := shrinkOldest(blocks, func(l *directLog) int64 { return l.whole }, (*directLog).dropBody)
		if freed == 0 {
			freed = shrinkOldest(blocks, func(l *directLog) int64 { return l.first }, (*directLog).dropOldest)
		}
		if freed == 0 {
			return // all of them were forgotten
		}
		m.directBytes.Add(-freed)
	}
}

// shrinkOldest calls drop for the log whose event at a number in its ring is the oldest
// of all, and returns the number of bytes that were freed.
func shrinkOldest(blocks []*BlockMemory, at func(*directLog) int64, drop func(*directLog) int64) (freed int64) {
	var oldest *BlockMemory
	var oldestN int64
	for _, b := range blocks {
		b.mu.Lock()
		if n := at(&b.direct); n < b.direct.next {
			if e := b.direct.at(n); oldest == nil || e.n < oldestN {
				oldest, oldestN = b, e.n
			}
		}
		b.mu.Unlock()
	}
	if oldest == nil {
		return 0
	}
	oldest.mu.Lock()
	defer oldest.mu.Unlock()
	if at(&oldest.direct) < oldest.direct.next { // it may have been forgotten
		return drop(&oldest.direct)
	}
	return 0
}
