package dedup_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// BenchmarkDedup measures claim and commit of new keys, alone and contended, and
// the memory that a remembered key takes.
func BenchmarkDedup(b *testing.B) {
	key := func(n uint64) (k dedup.Key) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
		copy(k[:], sum[:])
		return k
	}
	keys := make([]dedup.Key, 1<<20)
	for i := range keys {
		keys[i] = key(uint64(i))
	}
	claimAndCommit := func(m *dedup.Memory, n uint64) {
		if claim, _, _ := m.Claim(context.Background(), keys[n%uint64(len(keys))]); claim != nil {
			claim.Commit(nil)
		}
	}
	hour := dedup.Settings{Window: time.Hour, Entries: dedup.DefaultEntries}

	b.Run("alone", func(b *testing.B) {
		m := dedup.New(hour, new(dedup.Waiters), time.Now)
		var n uint64
		b.ReportAllocs()
		for b.Loop() {
			claimAndCommit(m, n)
			n++
		}
	})
	b.Run("contended", func(b *testing.B) {
		m := dedup.New(hour, new(dedup.Waiters), time.Now)
		var n atomic.Uint64
		b.ReportAllocs()
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				claimAndCommit(m, n.Add(1))
			}
		})
	})
	for _, entries := range []int{100_000, dedup.DefaultEntries, 800_000} {
		b.Run(fmt.Sprintf("memory/%d", entries), func(b *testing.B) {
			bounded := hour
			bounded.Entries = entries
			var perKey float64
			for b.Loop() {
				before := live()
				m := dedup.New(bounded, new(dedup.Waiters), time.Now)
				for n := range uint64(entries) {
					claimAndCommit(m, n)
				}
				perKey = float64(live()-before) / float64(m.Len())
			}
			b.ReportMetric(perKey, "B/key")
		})
	}
}

// live returns the bytes that are in use.
func live() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
