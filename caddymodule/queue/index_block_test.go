package queue

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"
)

// blockOfEvents returns n events of a block, every other number.
func blockOfEvents(block int64, n int) []*Event {
	events := newEvents(n)
	for i, e := range events {
		e.Seq = block*blockEvents + 1 + int64(2*i)
		e.Type, e.Subject = fmt.Sprint("type-", i%3), fmt.Sprint("subject-", i)
		e.Received = time.UnixMicro(1e15 - int64(i%7)*1500)
	}
	return events
}

func received(e *Event) int64 { return e.Received.UnixMicro() }

func TestIndexBlock(t *testing.T) {
	for _, n := range []int{0, 1, 2, 128} {
		events := blockOfEvents(7, n)
		b, ok := decodeIndex(7, encodeIndex(7, events, received))
		if !ok || len(b.offsets) != n || len(b.kinds) != min(n, 3) {
			t.Fatalf("%d: %t, %+v", n, ok, b)
		}
		for i, e := range events {
			at := received(e)
			if b.seq(i) != e.Seq || b.kinds[b.kindOf[i]] != (kind{e.Provider, e.Source, e.Type}) ||
				b.hash(hashSubject, i) != hashOf(e.Subject) || b.hash(hashPartitionKey, i) != hashOf(e.PartitionKey) || b.hash(hashID, i) != hashOf(e.ID) {
				t.Errorf("%d of %d is wrong", i, n)
			}
			if !b.mayBeBetween(i, at, at+1) || b.mayBeBetween(i, at+1000, math.MaxInt64) || b.mayBeBetween(i, math.MinInt64, at-1000) {
				t.Errorf("%d of %d: wrong time", i, n)
			}
		}
	}
}

// TestIndexOfDistantTimes has events whose times are further apart than a column holds.
func TestIndexOfDistantTimes(t *testing.T) {
	events := blockOfEvents(0, 3)
	for i, micros := range []int64{-1e15, 1e15, 9e15} {
		events[i].Received = time.UnixMicro(micros)
	}
	b, ok := decodeIndex(0, encodeIndex(0, events, received))
	if !ok {
		t.Fatal("cannot decode it")
	}
	for i, e := range events {
		if at := received(e); !b.mayBeBetween(i, at, at+1) {
			t.Errorf("%d is not found", i)
		}
	}
}

// TestIndexIsSmall shows what an event takes in the index.
func TestIndexIsSmall(t *testing.T) {
	events := newEvents(blockEvents)
	for i, e := range events {
		e.Seq = int64(i + 1)
	}
	if n := len(encodeIndex(0, events, received)); n > 19*blockEvents {
		t.Errorf("%d bytes for a block", n)
	}
}

// TestDamagedIndex changes each byte, and cuts the row everywhere.
func TestDamagedIndex(t *testing.T) {
	row := encodeIndex(7, blockOfEvents(7, 5), received)
	for i := range row {
		if _, ok := decodeIndex(7, row[:i]); ok && i > 0 {
			t.Errorf("cut at %d, it is decoded", i)
		}
		damaged := bytes.Clone(row)
		damaged[i] ^= 0x10
		if _, ok := decodeIndex(7, damaged); ok {
			t.Errorf("with byte %d changed, it is decoded", i)
		}
	}
}

func FuzzIndexBlock(f *testing.F) {
	for _, n := range []int{0, 1, 5, 128} {
		row := encodeIndex(7, blockOfEvents(7, n), received)
		f.Add(row)
		f.Add(row[:max(0, len(row)-4)])
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		decodeIndex(7, row)
		b, ok := parseIndex(7, row) // which a checksum would protect
		if !ok {
			return
		}
		s := newSearch(Search{Subject: "s", PartitionKey: "p", ID: "i", Since: time.Unix(1, 0), Until: time.Unix(2, 0), State: StateWaiting},
			[]destinationRow{{name: "a", position: 7 * blockEvents}}, new(store))
		for _, seq := range s.matches(&b, math.MinInt64, math.MaxInt64, nil) {
			if blockOf(seq) != 7 {
				t.Errorf("number %d", seq)
			}
		}
	})
}
