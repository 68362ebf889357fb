package dedup

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// accepted remembers accepted events in the order of their commits. It holds them in
// blocks without pointers, so that the garbage collector need not visit each of them.
type accepted struct {
	// places are the numbers of the latest records by the first eight bytes of their
	// keys. Of two keys with the same ones, the later one is remembered: the other one
	// could pass twice, but never counts as a duplicate.
	places map[uint64]uint64

	// blocks are the records by their number, divided by blockSize. No block is used
	// again once it is full: they are removed in the order in which they were added.
	blocks *simplelru.LRU[uint64, *block]

	// begin and end are the numbers of the oldest record, and of the next one.
	begin, end uint64
}

// blockSize is the number of records in a block: enough to make the pointers to it
// few, and few enough that a quiet source takes little memory.
const blockSize = 128

type block [blockSize]record

// record is one accepted event. It and its place take 48 to 63 bytes, depending on
// how full the map is.
type record struct {
	index uint64   // the first bytes of the key
	rest  [12]byte // the others
	at    uint32   // Unix time
}

func newRecord(key Key, at time.Time) record {
	return record{index: binary.BigEndian.Uint64(key[:8]), rest: [12]byte(key[8:]), at: uint32(at.Unix())}
}

func newAccepted() accepted {
	// NewLRU fails only for a size that is not positive.
	blocks, _ := simplelru.NewLRU[uint64, *block](math.MaxInt, nil)
	return accepted{places: make(map[uint64]uint64), blocks: blocks}
}

// at returns the record with a number.
func (a *accepted) at(number uint64) *record {
	b, _ := a.blocks.Peek(number / blockSize)
	return &b[number%blockSize]
}

// find returns the record of a key, nil if there is none.
func (a *accepted) find(key Key) *record {
	wanted := newRecord(key, time.Time{})
	number, ok := a.places[wanted.index]
	if !ok {
		return nil
	}
	if r := a.at(number); r.rest == wanted.rest {
		return r
	}
	return nil
}

// add adds a record as the youngest one. An earlier one of the same key has no effect
// any more, but takes memory until it is removed.
func (a *accepted) add(r record) {
	if a.end%blockSize == 0 {
		a.blocks.Add(a.end/blockSize, new(block))
	}
	*a.at(a.end) = r
	a.places[r.index] = a.end
	a.end++
}

// oldest returns the oldest record, nil if there is none.
func (a *accepted) oldest() *record {
	if a.begin == a.end {
		return nil
	}
	return a.at(a.begin)
}

// removeOldest removes the oldest record, of at least one.
func (a *accepted) removeOldest() {
	if r := a.at(a.begin); a.places[r.index] == a.begin {
		delete(a.places, r.index)
	}
	a.begin++
	if a.begin%blockSize == 0 {
		a.blocks.RemoveOldest()
	}
}

// limit removes the oldest records beyond a number of them.
func (a *accepted) limit(records int) {
	for a.end-a.begin > uint64(records) {
		a.removeOldest()
	}
}

// len returns the number of keys that are remembered.
func (a *accepted) len() int { return len(a.places) }
