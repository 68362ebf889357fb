package dedup_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/dedup"
)

// clock is a time that passes only when a test advances it.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Unix(1_700_000_000, 0)} }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

// settings are those of most tests.
var settings = dedup.Settings{Window: time.Hour, Entries: 1000}

// gone is the context of a request whose client is gone. A Claim with it never
// waits, so it shows the state of a key.
var gone = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// key returns the n-th key; no two share their first eight bytes.
func key(n int) (k dedup.Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n)+1)
	return k
}

// States of a key as state reports them.
const (
	free    = "free"
	claimed = "claimed"
	done    = "done"
)

// state returns the state of a key and leaves it as it is.
func state(t *testing.T, m *dedup.Memory, k dedup.Key) string {
	t.Helper()
	claim, _, err := m.Claim(gone, k)
	switch {
	case errors.Is(err, context.Canceled):
		return claimed
	case err != nil:
		t.Fatal(err)
	case claim == nil:
		return done
	}
	claim.Release()
	return free
}

// want fails the test unless the key is in the state.
func want(t *testing.T, m *dedup.Memory, k dedup.Key, wanted string) {
	t.Helper()
	if got := state(t, m, k); got != wanted {
		t.Fatalf("the key is %s, want %s", got, wanted)
	}
}

// take claims a key that must be free.
func take(t *testing.T, m *dedup.Memory, ctx context.Context, k dedup.Key) *dedup.Claim {
	t.Helper()
	claim, answer, err := m.Claim(ctx, k)
	if claim == nil || answer != nil || err != nil {
		t.Fatalf("Claim = %v, %v, %v; want a claim", claim, answer, err)
	}
	return claim
}

// commit makes keys done, one after the other.
func commit(t *testing.T, m *dedup.Memory, keys ...dedup.Key) {
	t.Helper()
	for _, k := range keys {
		take(t, m, t.Context(), k).Commit(nil)
	}
}

// TestStates goes once round the states of a key.
func TestStates(t *testing.T) {
	clock := newClock()
	m := dedup.New(settings, new(dedup.Waiters), clock.now)
	want(t, m, key(1), free)

	claim := take(t, m, t.Context(), key(1))
	want(t, m, key(1), claimed)
	want(t, m, key(2), free)

	claim.Commit(nil)
	want(t, m, key(1), done)
	if n := m.Len(); n != 1 {
		t.Errorf("%d events are remembered, want 1", n)
	}

	clock.advance(settings.Window - time.Second)
	want(t, m, key(1), done)
	clock.advance(time.Second)
	want(t, m, key(1), free)

	// The window counts from the last commit.
	commit(t, m, key(1))
	clock.advance(settings.Window - time.Second)
	want(t, m, key(1), done)
	clock.advance(time.Second)
	want(t, m, key(1), free)
}

// TestRelease shows that a failure lets the provider's retry through.
func TestRelease(t *testing.T) {
	m := dedup.New(settings, new(dedup.Waiters), newClock().now)
	take(t, m, t.Context(), key(1)).Release()
	want(t, m, key(1), free)
	if n := m.Len(); n != 0 {
		t.Errorf("%d events are remembered, want none", n)
	}
}

// TestReleaseAfterCommit holds for every handler that defers Release.
func TestReleaseAfterCommit(t *testing.T) {
	m := dedup.New(settings, new(dedup.Waiters), newClock().now)
	claim := take(t, m, t.Context(), key(1))
	claim.Commit(nil)
	claim.Release()
	want(t, m, key(1), done)
}

// TestNilClaim shows the claim of a handler without dedup.
func TestNilClaim(t *testing.T) {
	var claim *dedup.Claim
	claim.Commit(nil)
	claim.Commit(&dedup.Answer{Status: 200})
	claim.Release()
}

// TestClockThatGoesBack keeps what was accepted "in the future".
func TestClockThatGoesBack(t *testing.T) {
	clock := newClock()
	m := dedup.New(settings, new(dedup.Waiters), clock.now)
	commit(t, m, key(1))
	clock.advance(-24 * time.Hour)
	want(t, m, key(1), done)
}

// TestLease shows how long a claim outlives its request.
func TestLease(t *testing.T) {
	const lease = 60 * time.Second

	t.Run("of a request that is gone lapses", func(t *testing.T) {
		clock := newClock()
		m := dedup.New(settings, new(dedup.Waiters), clock.now)
		take(t, m, gone, key(1))
		clock.advance(lease - 1)
		want(t, m, key(1), claimed)
		clock.advance(1)
		want(t, m, key(1), free)
	})

	t.Run("of a living request is renewed", func(t *testing.T) {
		clock := newClock()
		m := dedup.New(settings, new(dedup.Waiters), clock.now)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		take(t, m, ctx, key(1))
		for range 10 {
			clock.advance(lease)
			want(t, m, key(1), claimed)
		}
		cancel()
		clock.advance(lease - 1)
		want(t, m, key(1), claimed)
		clock.advance(1)
		want(t, m, key(1), free)
	})

	t.Run("nobody asked for a while", func(t *testing.T) {
		// The lease is not renewed for a client that left long ago.
		clock := newClock()
		m := dedup.New(settings, new(dedup.Waiters), clock.now)
		ctx, cancel := context.WithCancel(t.Context())
		take(t, m, ctx, key(1))
		clock.advance(time.Hour)
		cancel()
		want(t, m, key(1), free)
	})
}

// TestLateOwner is about an owner whose lease has passed to another request.
func TestLateOwner(t *testing.T) {
	setup := func(t *testing.T) (m *dedup.Memory, late, owner *dedup.Claim) {
		clock := newClock()
		m = dedup.New(settings, new(dedup.Waiters), clock.now)
		late = take(t, m, gone, key(1))
		clock.advance(time.Minute)
		return m, late, take(t, m, t.Context(), key(1))
	}

	t.Run("its release does nothing", func(t *testing.T) {
		m, late, owner := setup(t)
		late.Release()
		want(t, m, key(1), claimed)
		owner.Release()
		want(t, m, key(1), free)
	})

	t.Run("its release does nothing after the new owner's commit", func(t *testing.T) {
		m, late, owner := setup(t)
		owner.Commit(nil)
		late.Release()
		want(t, m, key(1), done)
	})

	t.Run("its commit commits", func(t *testing.T) {
		m, late, owner := setup(t)
		late.Commit(nil)
		want(t, m, key(1), done)
		owner.Release() // the new owner failed, but the event was accepted
		want(t, m, key(1), done)
	})

	t.Run("its commit commits after the new owner failed", func(t *testing.T) {
		m, late, owner := setup(t)
		owner.Release()
		late.Commit(nil)
		want(t, m, key(1), done)
	})

	t.Run("both commit", func(t *testing.T) {
		m, late, owner := setup(t)
		owner.Commit(nil)
		late.Commit(nil)
		want(t, m, key(1), done)
		if n := m.Len(); n != 1 {
			t.Errorf("%d events are remembered, want 1", n)
		}
	})
}

// TestSharedIndex shows that keys are compared as a whole, though half of one is
// where it is filed: the price of a collision is a repeat, never a lost event.
func TestSharedIndex(t *testing.T) {
	one, other := dedup.Key{19: 1}, dedup.Key{19: 2}
	m := dedup.New(dedup.Settings{Window: time.Hour, Entries: 10, KeepAnswers: true}, new(dedup.Waiters), newClock().now)

	take(t, m, t.Context(), one).Commit(&dedup.Answer{Body: []byte("one")})
	want(t, m, other, free)

	first := take(t, m, t.Context(), other)
	want(t, m, one, done)
	first.Commit(&dedup.Answer{Body: []byte("other")})
	want(t, m, other, done)
	want(t, m, one, free) // forgotten, not mistaken for the other

	_, answer, err := m.Claim(gone, other)
	if err != nil || answer == nil || string(answer.Body) != "other" {
		t.Errorf("answer %v, %v; want that of the other key", answer, err)
	}

	// Claims are by the whole key too.
	a, b := dedup.Key{0: 9, 19: 1}, dedup.Key{0: 9, 19: 2}
	take(t, m, t.Context(), a)
	take(t, m, t.Context(), b).Release()
	want(t, m, a, claimed)
}

// TestSet changes a Memory in use, as a reload of the config does.
func TestSet(t *testing.T) {
	with := func(window time.Duration, entries int) dedup.Settings {
		return dedup.Settings{Window: window, Entries: entries}
	}

	t.Run("fewer entries", func(t *testing.T) {
		m := dedup.New(with(time.Hour, 4), new(dedup.Waiters), newClock().now)
		commit(t, m, key(1), key(2), key(3), key(4))
		m.Set(with(time.Hour, 2))
		if n := m.Len(); n != 2 {
			t.Errorf("%d events are remembered, want 2", n)
		}
		want(t, m, key(2), free)
		want(t, m, key(3), done)
		want(t, m, key(4), done)
		commit(t, m, key(5))
		want(t, m, key(3), free)
	})

	t.Run("more entries", func(t *testing.T) {
		m := dedup.New(with(time.Hour, 2), new(dedup.Waiters), newClock().now)
		commit(t, m, key(1), key(2))
		m.Set(with(time.Hour, 4))
		commit(t, m, key(3), key(4))
		for n := 1; n <= 4; n++ {
			want(t, m, key(n), done)
		}
	})

	t.Run("no entries", func(t *testing.T) {
		m := dedup.New(with(time.Hour, 2), new(dedup.Waiters), newClock().now)
		commit(t, m, key(1), key(2))
		m.Set(with(time.Hour, 0))
		want(t, m, key(1), free)
		want(t, m, key(2), done)
	})

	t.Run("another window", func(t *testing.T) {
		clock := newClock()
		m := dedup.New(with(time.Hour, 4), new(dedup.Waiters), clock.now)
		commit(t, m, key(1))
		clock.advance(10 * time.Minute)
		m.Set(with(10*time.Minute, 4))
		want(t, m, key(1), free)
		m.Set(with(10*time.Minute+time.Second, 4))
		want(t, m, key(1), done)
	})

	t.Run("claims stay", func(t *testing.T) {
		m := dedup.New(with(time.Hour, 4), new(dedup.Waiters), newClock().now)
		claim := take(t, m, t.Context(), key(1))
		m.Set(with(time.Minute, 1))
		want(t, m, key(1), claimed)
		claim.Commit(nil)
		want(t, m, key(1), done)
	})
}
