package dedup_test

import (
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// TestEviction forgets the oldest accepted event first, even if it was asked for since.
func TestEviction(t *testing.T) {
	m := dedup.New(dedup.Settings{Window: time.Hour, Entries: 3}, new(dedup.Waiters), newClock().now)
	commit(t, m, key(1), key(2), key(3))
	want(t, m, key(1), done) // and asking does not make it younger
	commit(t, m, key(4))
	want(t, m, key(1), free)
	for n := 2; n <= 4; n++ {
		want(t, m, key(n), done)
	}
	if n := m.Len(); n != 3 {
		t.Errorf("%d events are remembered, want 3", n)
	}
}

// TestEvictionIsByCommit shows that a key that was accepted anew is the youngest.
func TestEvictionIsByCommit(t *testing.T) {
	clock := newClock()
	m := dedup.New(dedup.Settings{Window: time.Hour, Entries: 2}, new(dedup.Waiters), clock.now)
	late := take(t, m, gone, key(1))
	clock.advance(time.Minute)
	commit(t, m, key(1), key(2))
	late.Commit(nil)
	commit(t, m, key(3))
	want(t, m, key(1), done)
	want(t, m, key(2), free)
}

// TestClaimedIsNotEvicted holds however many events are accepted meanwhile.
func TestClaimedIsNotEvicted(t *testing.T) {
	m := dedup.New(dedup.Settings{Window: time.Hour, Entries: 2}, new(dedup.Waiters), newClock().now)
	claim := take(t, m, t.Context(), key(0))
	for n := 1; n <= 100; n++ {
		commit(t, m, key(n))
	}
	want(t, m, key(0), claimed)
	claim.Commit(nil)
	want(t, m, key(0), done)
}

// TestNoEntries shows that a size that makes no sense still remembers the last.
func TestNoEntries(t *testing.T) {
	for _, entries := range []int{0, -1} {
		m := dedup.New(dedup.Settings{Window: time.Hour, Entries: entries}, new(dedup.Waiters), newClock().now)
		commit(t, m, key(1), key(2))
		want(t, m, key(1), free)
		want(t, m, key(2), done)
	}
}

// TestOutdatedAreRemoved shows that memory shrinks after a busy day, a bounded
// number of keys with each commit.
func TestOutdatedAreRemoved(t *testing.T) {
	clock := newClock()
	m := dedup.New(settings, new(dedup.Waiters), clock.now)
	for n := range 150 {
		commit(t, m, key(n))
	}
	clock.advance(settings.Window / 2)
	commit(t, m, key(1000))
	if n := m.Len(); n != 151 {
		t.Fatalf("%d events are remembered, want all 151", n)
	}

	clock.advance(settings.Window / 2)
	for i, remembered := range []int{151 + 1 - 64, 151 + 2 - 128, 1 + 3, 1 + 4} {
		commit(t, m, key(2000+i))
		if n := m.Len(); n != remembered {
			t.Errorf("%d events are remembered after commit %d, want %d", n, i+1, remembered)
		}
	}
	want(t, m, key(1000), done)
}
