package queue

import (
	"context"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// Ready returns nil if the queue accepts events as large as the last ones. To find
// out, it writes as many bytes, at most once a second.
func (q *Queue) Ready(ctx context.Context) error { return q.logs()[0].Ready(ctx) }

// Size returns the number of bytes that the events take, and how many they may take.
func (q *Queue) Size() (bytes, limit int64) {
	b := &q.budget
	return b.bytes.Load(), b.limit.Load()
}

// Commits returns the number of transactions that were committed, each with an fsync.
func (q *Queue) Commits() int64 { return q.logs()[0].Commits() }

// Status returns the progress of each destination, sorted by name.
func (q *Queue) Status(ctx context.Context) ([]DestinationStatus, error) {
	return q.logs()[0].Status(ctx)
}

// Search returns the latest events that were stored before a number, at most limit of
// them and at least one. With 0, it begins at the end of the log. A search that takes
// longer than 2 s returns what it has found, and where it goes on. It returns ErrUnknown
// for a destination that does not exist.
func (q *Queue) Search(ctx context.Context, s Search, before int64, limit int) (Found, error) {
	return q.logs()[0].Search(ctx, s, before, limit)
}

// History returns all that is known about an event; ErrUnknown if it is not stored. Of
// events with the same key, it is the last one.
func (q *Queue) History(ctx context.Context, key envelope.Key) (*History, error) {
	return q.logs()[0].History(ctx, key)
}

// Causes groups the dead letters of a destination, or of all.
func (q *Queue) Causes(ctx context.Context, destination string) ([]Cause, error) {
	return q.logs()[0].Causes(ctx, destination)
}

// DeadLetters returns the latest dead letters, at most limit, of one destination or, if
// that is empty, of all.
func (q *Queue) DeadLetters(ctx context.Context, destination string, limit int) ([]DeadLetter, error) {
	return q.logs()[0].DeadLetters(ctx, destination, limit)
}

// DeadLettersOf returns the dead letters of one event, with its body.
func (q *Queue) DeadLettersOf(ctx context.Context, key envelope.Key) ([]DeadLetter, error) {
	return q.logs()[0].DeadLettersOf(ctx, key)
}

// Replay schedules events to be delivered again; see Selection.
func (q *Queue) Replay(ctx context.Context, s Selection) (int64, error) {
	return q.logs()[0].Replay(ctx, s)
}

// Discard removes dead letters and returns their number.
func (q *Queue) Discard(ctx context.Context, s Selection) (int64, error) {
	return q.logs()[0].Discard(ctx, s)
}

// Forget discards a destination that has left the configuration, and returns the number
// of deliveries that are lost with it, dead letters included.
func (q *Queue) Forget(ctx context.Context, name string) (int64, error) {
	return q.logs()[0].Forget(ctx, name)
}

// Pause stops delivery to a destination until Resume, across restarts.
func (q *Queue) Pause(ctx context.Context, name string) error { return q.logs()[0].Pause(ctx, name) }

// Resume ends a Pause.
func (q *Queue) Resume(ctx context.Context, name string) error { return q.logs()[0].Resume(ctx, name) }
