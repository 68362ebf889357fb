package journal

import (
	"context"
	"sync"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/queue"
)

// Follow subscribes to the live feed of this gateway: of its own requests and attempts,
// not of those of others that share its queue. Lines that the search does not select are
// left out:
//
//   - The attributes of an event select its line and those of its attempts, Since and
//     Until by the time at which it came in.
//   - Destination and State select attempts: delivered, dead, and retrying for those that
//     another one follows. The state unrouted selects events; no line has another state.
//   - Text selects lines of events whose body is at hand.
//   - Refusals are selected by provider, source and time only, and left out if the search
//     says more.
//
// after is the ID of the last line that was read: the feed goes on after it. If that line
// is forgotten, so may be others after it, whose number Next then returns as lost. If the
// ID is of a time of which nothing is known, the feed begins with the oldest line that is
// remembered. With an empty one, it begins now.
func (j *Journal) Follow(s queue.Search, after string) (*Feed, error) {
	return j.memory.feed.follow(s, after)
}

// Feed is a subscription to the live feed.
type Feed struct {
	feed *feed
	follow
	come chan struct{} // has a value if there is something to read

	mu      sync.Mutex
	lines   []Line
	sizes   []int64
	bytes   int64
	lost    int64
	isEnded bool
}

// append adds a line for the reader. If there is no room, the oldest ones are lost.
func (f *Feed) append(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := e.size() - int64(len(e.body))
	f.lines, f.sizes = append(f.lines, e.Line), append(f.sizes, size)
	f.bytes += size
	for len(f.lines) > maxLines || f.bytes > maxWaitingBytes {
		f.bytes -= f.sizes[0]
		f.lines, f.sizes = f.lines[1:], f.sizes[1:]
		f.lost++
	}
	f.wake()
}

// wake wakes the reader.
func (f *Feed) wake() {
	select {
	case f.come <- struct{}{}:
	default:
	}
}

func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isEnded = true
	f.wake()
}

// Next returns the lines that have come since, and the number of lines that were lost
// before them because the reader was too slow. It waits for the first one until ctx
// ends. ErrFeedEnded is the error when the gateway has shut down.
func (f *Feed) Next(ctx context.Context) (lines []Line, lost int64, err error) {
	for {
		if lines, lost, err = f.take(); len(lines) > 0 || lost > 0 || err != nil {
			return lines, lost, err
		}
		select {
		case <-f.come:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

// take returns what is there.
func (f *Feed) take() (lines []Line, lost int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines, lost = f.lines, f.lost
	f.lines, f.sizes, f.bytes, f.lost = nil, nil, 0, 0
	if len(lines) == 0 && lost == 0 && f.isEnded {
		err = ErrFeedEnded
	}
	return lines, lost, err
}

// Close ends the subscription.
func (f *Feed) Close() { f.feed.leave(f) }
