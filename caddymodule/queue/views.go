package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/caddy-webhooks/caddy-webhooks/caddymodule/envelope"
)

// LogNumbers returns the numbers of the logs, in order. Most queues have only log 0.
func (q *Queue) LogNumbers() []int {
	logs := q.logs()
	numbers := make([]int, len(logs))
	for i, l := range logs {
		numbers[i] = l.number
	}
	return numbers
}

// Search returns the latest events of a log that were stored before a number, at most
// limit of them and at least one. With 0, it begins at the end of the log. A search that
// takes longer than 2 s returns what it has found, and where it goes on. It returns
// ErrUnknown for a destination that exists in no log.
func (q *Queue) Search(ctx context.Context, log int, s Search, before int64, limit int) (Found, error) {
	logs := q.logs()
	if len(logs) == 1 && log == 0 {
		return logs[0].Search(ctx, s, before, limit)
	}
	i := slices.IndexFunc(logs, func(l *eventLog) bool { return l.number == log })
	if i < 0 {
		return Found{}, fmt.Errorf("%w: no log %d", ErrUnknown, log)
	}
	var found Found
	err := logs[i].named(logs[i].ask(ctx, func(ctx context.Context) (err error) {
		found, err = logs[i].Search(ctx, s, before, limit)
		return err
	}))
	if isUnknown(err) {
		return Found{}, q.Known(ctx, s.Destination)
	}
	return found, err
}

// History returns all that is known about an event; ErrUnknown if it is not stored. Of
// events with the same key, it is the last one.
func (q *Queue) History(ctx context.Context, key envelope.Key) (*History, error) {
	all, err := askAny(ctx, q, func(ctx context.Context, l *eventLog) (*History, error) { return l.History(ctx, key) })
	if err != nil {
		return nil, err
	}
	return slices.MaxFunc(all, func(a, b *History) int { return a.Received.Compare(b.Received) }), nil
}

// Causes groups the dead letters of a destination, or of all, by destination and
// cause, the most frequent first, at most 1,000 of them.
func (q *Queue) Causes(ctx context.Context, destination string) ([]Cause, error) {
	all, err := askAll(ctx, q, func(ctx context.Context, l *eventLog) ([]Cause, error) { return l.Causes(ctx, destination) })
	if err != nil || len(all) == 1 {
		return first(all), err
	}
	return mergedCauses(all), nil
}

// DeadLetters returns the latest dead letters, at most limit, of one destination or, if
// that is empty, of all.
func (q *Queue) DeadLetters(ctx context.Context, destination string, limit int) ([]DeadLetter, error) {
	parts, err := askAll(ctx, q, func(ctx context.Context, l *eventLog) ([]DeadLetter, error) {
		return l.DeadLetters(ctx, destination, limit)
	})
	if err != nil || len(parts) == 1 {
		return first(parts), err
	}
	all := slices.Concat(parts...)
	slices.SortStableFunc(all, func(a, b DeadLetter) int { return b.Died.Compare(a.Died) })
	return all[:min(limit, len(all))], nil
}

// DeadLettersOf returns the dead letters of one event, with its body.
func (q *Queue) DeadLettersOf(ctx context.Context, key envelope.Key) ([]DeadLetter, error) {
	parts, err := askAny(ctx, q, func(ctx context.Context, l *eventLog) ([]DeadLetter, error) { return l.DeadLettersOf(ctx, key) })
	if err != nil || len(parts) == 1 {
		return first(parts), err
	}
	all := slices.Concat(parts...)
	slices.SortStableFunc(all, func(a, b DeadLetter) int { return cmp.Compare(a.Destination, b.Destination) })
	return all, nil
}

// first returns the first answer, nil if there is none.
func first[T any](answers [][]T) []T {
	if len(answers) == 0 {
		return nil
	}
	return answers[0]
}
