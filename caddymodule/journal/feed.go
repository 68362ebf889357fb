package journal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Bounds of the feed.
const (
	// maxFollowers is the maximum number of subscriptions at a time.
	maxFollowers = 100

	// maxLines is the maximum number of lines that the feed remembers, and of those that
	// wait for a follower.
	maxLines = 1000

	// maxFeedBytes is the maximum number of bytes that the remembered lines take, with
	// their bodies.
	maxFeedBytes = 4 << 20

	// maxWaitingBytes is the maximum number of bytes of lines that wait for a follower.
	maxWaitingBytes = 1 << 20

	// resumable is how long after the last follower has gone lines are remembered, for
	// one that comes back.
	resumable = 10 * time.Minute
)

// Errors of Follow and Feed.Next.
var (
	// ErrTooManyFollowers is the error if there are too many subscriptions.
	ErrTooManyFollowers = fmt.Errorf("there are %d subscriptions to the live feed already; end one", maxFollowers)

	// ErrFeedEnded is the error of a subscription to a gateway that has shut down.
	ErrFeedEnded = errors.New("the live feed has ended: the gateway shuts down")
)

// feed hands lines to followers. While there are none, and none may come back, it costs
// an atomic load per line.
//
// A follower gets lines in the order of their numbers. The goroutine that publishes a
// line decides who wants it, and appends it to the buffers of those under one lock. A
// buffer that is full loses its oldest lines, so that nobody waits for a reader.
type feed struct {
	now       func() time.Time
	isActive  atomic.Bool
	followers atomic.Pointer[[]*Feed] // replaced, never changed; stored under mu

	mu       sync.Mutex
	epoch    string // random: ids of lines begin with it
	lines    ring[*entry]
	bytes    int64
	keeps    bool // bodies: a follower looks for a text
	until    time.Time
	isClosed bool
}

// current returns the followers.
func (f *feed) current() *[]*Feed { return f.followers.Load() }

// PublishesEvents reports whether the feed has followers. Without any, PublishEvent need
// not be called.
func (b *BlockMemory) PublishesEvents() bool { return b.memory.feed.isActive.Load() }

// PublishEvent adds an event that came in to the feed. body is the envelope or, in the
// format original, the provider's own bytes; nil if there are none any more.
func (b *BlockMemory) PublishEvent(key envelope.Key, e *envelope.Event, received time.Time, outcome string, body []byte) {
	if b.PublishesEvents() {
		b.memory.feed.publish(newEventEntry(b.provider, b.source, key, e, received, outcome, body))
	}
}

// publishAttempt adds an attempt that has ended.
func (f *feed) publishAttempt(a *queue.Attempt, now time.Time) {
	if f.isActive.Load() {
		f.publish(newAttemptEntry(a, now))
	}
}

// publishRefusal adds a request that was refused.
func (f *feed) publishRefusal(r *Refusal) {
	if f.isActive.Load() {
		shown := *r
		f.publish(&entry{Line: Line{Refusal: &shown}, attributes: attributes{provider: r.Provider, source: r.Source, received: r.Time}})
	}
}

// publish hands a line to those who want it, and remembers it.
func (f *feed) publish(e *entry) {
	var wanting [maxFollowers]bool
	followers := f.current()
	whoWants(followers, e, &wanting)

	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.isActive.Load() {
		return
	}
	if now := f.current(); now != followers {
		followers = now
		whoWants(followers, e, &wanting)
	}
	if len(*followers) == 0 && f.now().After(f.until) {
		f.stop()
		return
	}
	e.n = f.lines.next + 1
	e.ID = f.epoch + "-" + strconv.FormatInt(e.n, 10)
	for i, follower := range *followers {
		if wanting[i] {
			follower.append(e)
		}
	}
	f.remember(e)
}

// whoWants notes which followers want a line.
func whoWants(followers *[]*Feed, e *entry, wanting *[maxFollowers]bool) {
	for i, follower := range *followers {
		wanting[i] = follower.wants(e)
	}
}

// remember keeps a line for those who come back. mu must be held.
func (f *feed) remember(e *entry) {
	if f.keeps {
		e.body = bytes.Clone(e.body) // a part of a larger body would keep all of it
	} else {
		e.body, e.hasBody = nil, false
	}
	if f.lines.next-f.lines.first == f.lines.max {
		f.dropOldest()
	}
	f.lines.add(e)
	f.bytes += e.size()
	for f.bytes > maxFeedBytes {
		f.dropOldest()
	}
}

func (f *feed) dropOldest() {
	f.bytes -= (*f.lines.at(f.lines.first)).size()
	f.lines.drop()
}

// stop forgets all lines. mu must be held.
func (f *feed) stop() {
	f.isActive.Store(false)
	f.lines, f.bytes, f.keeps = ring[*entry]{}, 0, false
}

// begin begins to remember lines. mu must be held.
func (f *feed) begin() {
	f.stop()
	f.epoch = strings.ToLower(rand.Text()[:10])
	f.lines.max = maxLines
	f.isActive.Store(true)
}

// setFollowers replaces the followers. mu must be held.
func (f *feed) setFollowers(followers []*Feed) {
	f.followers.Store(&followers)
}

// follow adds a follower, for lines after the one with an id.
func (f *feed) follow(s queue.Search, after string) (*Feed, error) {
	follower := &Feed{feed: f, follow: newFollow(s), come: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.isClosed:
		return nil, ErrFeedEnded
	case len(*f.current()) == maxFollowers:
		return nil, ErrTooManyFollowers
	}
	if !f.isActive.Load() || len(*f.current()) == 0 && f.now().After(f.until) {
		f.begin()
	}
	f.keeps = f.keeps || follower.text != nil
	f.setFollowers(append(slices.Clone(*f.current()), follower))
	if after != "" {
		f.resume(follower, after)
	}
	return follower, nil
}

// resume gives a follower the lines after the one with an id, or all if that id is of
// another epoch. mu must be held.
func (f *feed) resume(follower *Feed, after string) {
	from := f.lines.first
	epoch, number, _ := strings.Cut(after, "-")
	if n, err := strconv.ParseInt(number, 10, 64); err == nil && epoch == f.epoch && n > 0 {
		follower.lost = max(0, f.lines.first-n)
		from = max(from, n)
	}
	for n := from; n < f.lines.next; n++ {
		if e := *f.lines.at(n); follower.wants(e) {
			follower.append(e)
		}
	}
}

// leave removes a follower.
func (f *feed) leave(follower *Feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setFollowers(slices.DeleteFunc(slices.Clone(*f.current()), func(other *Feed) bool { return other == follower }))
	f.until = f.now().Add(resumable)
}

// close ends all subscriptions.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isClosed = true
	for _, follower := range *f.current() {
		follower.end()
	}
	f.setFollowers(nil)
	f.stop()
}
