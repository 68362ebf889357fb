package queue

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// kind is what many events of a block have in common.
type kind struct{ provider, source, eventType string }

// indexBlock is a row of webhooks_index: what a search needs to know about the events of
// a block in order to skip most of them. It may list events that are gone, and more than
// one value has the same hash, so what it finds is compared with the event itself.
//
// The columns have one entry for each event, in order.
type indexBlock struct {
	block       int64
	first, last int64 // the earliest and the latest time at which one of the events came in
	kinds       []kind

	offsets  []byte // the number, counted from the block's first
	kindOf   []byte // in kinds
	received []byte // milliseconds after first, in 4 bytes, rounded down
	hashes   [3][]byte
}

// The columns of hashes, each in 4 bytes.
const (
	hashSubject = iota
	hashPartitionKey
	hashID
)

const (
	indexVersion    = 1
	indexBytesEvent = 1 + 1 + 4 + 3*4 // that an event takes in the columns
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// hashOf returns the hash of an attribute. It never changes: the index holds it.
func hashOf(value string) uint32 { return crc32.Checksum([]byte(value), castagnoli) }

// encodeIndex returns the row for the events of a block, which are in order. received
// returns the time of an event as the database has it.
func encodeIndex(block int64, events []*Event, received func(e *Event) int64) []byte {
	if len(events) == 0 {
		return []byte{}
	}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	kinds := make(map[kind]byte)
	var names []byte
	times, kindOf := make([]int64, len(events)), make([]byte, len(events))
	for i, e := range events {
		times[i] = received(e)
		first, last = min(first, times[i]), max(last, times[i])
		k := kind{e.Provider, e.Source, e.Type}
		var ok bool
		if kindOf[i], ok = kinds[k]; ok {
			continue
		}
		kindOf[i] = byte(len(kinds)) // at most blockEvents
		kinds[k] = kindOf[i]
		for _, name := range []string{k.provider, k.source, k.eventType} {
			names = binary.AppendUvarint(names, uint64(len(name)))
			names = append(names, name...)
		}
	}
	b := make([]byte, 0, 32+len(names)+len(events)*indexBytesEvent)
	b = append(b, indexVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	b = binary.BigEndian.AppendUint64(b, uint64(last))
	b = binary.AppendUvarint(b, uint64(len(kinds)))
	b = append(b, names...)
	b = binary.AppendUvarint(b, uint64(len(events)))
	for _, e := range events {
		b = append(b, byte(e.Seq-1-block*blockEvents))
	}
	b = append(b, kindOf...)
	for _, at := range times {
		b = binary.BigEndian.AppendUint32(b, uint32(min((at-first)/1000, math.MaxUint32)))
	}
	for _, value := range []func(e *Event) string{
		hashSubject:      func(e *Event) string { return e.Subject },
		hashPartitionKey: func(e *Event) string { return e.PartitionKey },
		hashID:           func(e *Event) string { return e.ID },
	} {
		for _, e := range events {
			b = binary.BigEndian.AppendUint32(b, hashOf(value(e)))
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeIndex decodes the row of a block. The result shares memory with the row. ok is
// false if the row is damaged, or of another version.
func decodeIndex(block int64, row []byte) (b indexBlock, ok bool) {
	if len(row) == 0 {
		return indexBlock{block: block}, true
	}
	end := len(row) - 4
	if end < 0 || crc32.Checksum(row[:end], castagnoli) != binary.BigEndian.Uint32(row[end:]) {
		return b, false
	}
	return parseIndex(block, row[:end])
}

// parseIndex parses a row without its checksum.
func parseIndex(block int64, row []byte) (b indexBlock, ok bool) {
	r := indexReader{rest: row}
	if version := r.take(1); r.failed || version[0] != indexVersion {
		return b, false
	}
	b = indexBlock{block: block, first: r.int64(), last: r.int64()}
	b.kinds = make([]kind, r.count())
	for i := range b.kinds {
		b.kinds[i] = kind{r.text(), r.text(), r.text()}
	}
	n := r.count()
	b.offsets, b.kindOf, b.received = r.take(n), r.take(n), r.take(4*n)
	for i := range b.hashes {
		b.hashes[i] = r.take(4 * n)
	}
	if r.failed || len(r.rest) > 0 {
		return b, false
	}
	for _, k := range b.kindOf {
		if int(k) >= len(b.kinds) {
			return b, false
		}
	}
	return b, true
}

// indexReader reads a row from its start. After the row has ended too early, it returns
// zero values.
type indexReader struct {
	rest   []byte
	failed bool
}

func (r *indexReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, nil
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// count reads a number of events or of what they have in common.
func (r *indexReader) count() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > blockEvents {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

func (r *indexReader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return ""
	}
	r.rest = r.rest[size:]
	return string(r.take(int(n)))
}

func (r *indexReader) int64() int64 {
	if b := r.take(8); !r.failed {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// seq returns the number of the event at i.
func (b *indexBlock) seq(i int) int64 { return b.block*blockEvents + 1 + int64(b.offsets[i]) }

// hash returns a hash of the event at i.
func (b *indexBlock) hash(column, i int) uint32 {
	return binary.BigEndian.Uint32(b.hashes[column][4*i:])
}

// mayBeBetween reports whether the event at i may have come in since one time and
// before another.
func (b *indexBlock) mayBeBetween(i int, since, until int64) bool {
	ms := binary.BigEndian.Uint32(b.received[4*i:])
	from, to := b.first+int64(ms)*1000, b.first+int64(ms)*1000+999
	if ms == math.MaxUint32 {
		to = b.last
	}
	return to >= since && from < until
}
